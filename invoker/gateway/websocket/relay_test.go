package websocket

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/polyvoke/polyvoke/invoker/invokertest/await"
	"github.com/polyvoke/polyvoke/protocol"
)

// livelyNow returns how many connections are lively.
func (h *Hub) livelyNow() int {
	h.relay.mu.Lock()
	defer h.relay.mu.Unlock()
	return len(h.relay.conns)
}

// talk says and hears so much that the connection becomes a lively one.
func (c *client) talk() {
	c.Helper()
	for i := range livelyAfter + 4 {
		c.say(fmt.Sprint("talk ", i))
		c.hear(fmt.Sprint("talk ", i))
	}
}

// holding returns a function that does not answer "hold" until it is let go, and what says that it does not.
func holding() (caller protocol.Caller, holds chan struct{}, letGo func()) {
	holds = make(chan struct{}, 16)
	goes := make(chan struct{})
	return callerFunc(func(ctx context.Context, r *protocol.Request) (*protocol.Reply, error) {
		if string(r.Body) == "hold" {
			holds <- struct{}{}
			select {
			case <-goes:
			case <-ctx.Done():
			}
		}
		return echo(ctx, r)
	}), holds, sync.OnceFunc(func() { close(goes) })
}

// TestLivelyIsRead checks that a lively connection is read while a call takes long: pings are answered, messages wait,
// and their order stays.
func TestLivelyIsRead(t *testing.T) {
	caller, _, letGo := holding()
	h := serve(t, caller, protocol.WebSocketRoute{}, func(c *Config) { c.Ping = time.Hour })
	c := h.dial("/ws")
	c.talk()
	if n := h.hub.livelyNow(); n != 1 {
		t.Fatalf("%d connections are lively", n)
	}
	c.SetPongHandler(func(string) error {
		letGo() // the call's answer comes only if the pong does
		return nil
	})
	c.say("hold")
	if err := c.WriteControl(gorilla.PingMessage, nil, time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	c.say("one")
	c.say("two")
	for _, want := range []string{"hold", "one", "two"} {
		c.hear(want)
	}
	c.talk()
}

// TestLivelyLeaves checks that a client which goes during a call is noticed, and that nothing is left of it.
func TestLivelyLeaves(t *testing.T) {
	caller, holds, letGo := holding()
	defer letGo()
	h := serve(t, caller, protocol.WebSocketRoute{}, func(c *Config) { c.Ping = time.Hour })
	c := h.dial("/ws")
	c.talk()
	c.say("hold")
	<-holds
	_ = c.Close()
	await.Until(h, "nothing that is published finds it", func() bool { return h.hub.find("ws.x.1") == nil })
	if s := h.hub.Stats(); s.Open != 1 {
		t.Errorf("its call still runs, and %d are open", s.Open)
	}
	letGo()
	await.Until(h, "it ends", func() bool { return h.hub.Stats().Open == 0 && h.hub.livelyNow() == 0 })
}

// TestLivelyCalms checks that a connection is lively only as long as much comes from it, and so is relayed only then.
func TestLivelyCalms(t *testing.T) {
	h := serve(t, echo, protocol.WebSocketRoute{}, func(c *Config) { c.Ping = time.Second })
	c := h.dial("/ws")
	for range 2 {
		await.Until(h, "it becomes lively", func() bool {
			c.talk()
			return h.hub.livelyNow() == 1
		})
		go func() { _, _, _ = c.NextReader() }() // answers pings
		await.Until(h, "it calms", func() bool { return h.hub.livelyNow() == 0 && !h.hub.relay.running.Load() })
		c = h.dial("/ws")
	}
}

// TestLivelyAtMost checks that only so many connections are lively, and that the others are served as well.
func TestLivelyAtMost(t *testing.T) {
	h := serve(t, echo, protocol.WebSocketRoute{}, func(c *Config) { c.Ping = time.Hour })
	var all []*client
	for range mostLively + 3 {
		all = append(all, h.dial("/ws"))
	}
	for _, c := range all {
		c.talk()
	}
	if n := h.hub.livelyNow(); n != mostLively {
		t.Errorf("%d connections are lively, and %d may be", n, mostLively)
	}
	for _, c := range all[:10] {
		_ = c.Close()
	}
	await.Until(h, "there is room again", func() bool { return h.hub.livelyNow() == mostLively-10 })
	all[mostLively+2].talk()
	if n := h.hub.livelyNow(); n != mostLively-9 {
		t.Errorf("%d connections are lively after one more", n)
	}
}
