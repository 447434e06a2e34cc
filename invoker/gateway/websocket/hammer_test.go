package websocket

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"
	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/invokertest/await"
	"github.com/polyvoke/polyvoke/protocol"
)

// TestHammer has many clients come, talk, be pushed to and go in all ways, while topics come and go, and drains in the
// middle of it. Whoever agreed to a connection is told its end, once; nothing is left.
func TestHammer(t *testing.T) {
	rounds, clients := 6, 24
	if testing.Short() {
		rounds = 2
	}
	for round := range rounds {
		t.Run(fmt.Sprint(round), func(t *testing.T) { hammer(t, clients) })
	}
}

// hammer is one round.
func hammer(t *testing.T, clients int) {
	var opened, closed, calls atomic.Int64
	caller := callerFunc(func(ctx context.Context, r *protocol.Request) (*protocol.Reply, error) {
		switch r.Header.Get(protocol.HeaderSocket) {
		case protocol.SocketOpen:
			if rand.N(10) == 0 {
				return fails(protocol.CodeForbidden, "not you")
			}
			opened.Add(1)
		case protocol.SocketClose:
			closed.Add(1)
		default:
			calls.Add(1)
			if rand.N(40) == 0 { // one that takes longer than the goroutine that reads may
				select {
				case <-time.After(rand.N(4 * relayTime)):
				case <-ctx.Done():
				}
			}
			if rand.N(50) == 0 {
				return fails(protocol.CodeFailed, "bad luck")
			}
		}
		return echo(ctx, r)
	})
	h := serve(t, caller, protocol.WebSocketRoute{Route: "/ws/{room}", Topics: []string{"chat.{room}", "news"}},
		func(c *Config) { c.Ping = 30 * time.Millisecond })
	stop := make(chan struct{})
	var publishers, all sync.WaitGroup
	for range 2 {
		publishers.Go(func() { h.pester(stop) })
	}
	for range clients {
		all.Go(func() {
			for range 12 {
				h.visit()
			}
		})
	}
	drained := make(chan error, 1)
	all.Go(func() {
		await.Until(h, "half of it is done", func() bool { return h.hub.Stats().Opened > int64(clients*4) })
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rand.N(int64(2*patience))))
		defer cancel()
		drained <- h.hub.Drain(ctx)
	})
	all.Wait()
	close(stop)
	publishers.Wait()
	if err := <-drained; err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Drain: %v", err)
	}
	if s := h.hub.Stats(); s.Open != 0 || opened.Load() != closed.Load() || len(h.hub.topics) != 0 {
		t.Errorf("%+v; %d were agreed to and %d told as ended; %d topics", s, opened.Load(), closed.Load(), len(h.hub.topics))
	}
	t.Logf("%+v, %d calls", h.hub.Stats(), calls.Load())
}

// pester publishes for connections, whoever they are, and on topics.
func (h *harness) pester(stop chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		m := nats.NewMsg(fmt.Sprintf("ws.%s.%d", h.hub.ID(), rand.N(h.hub.next.Load()+2)))
		m.Data = make([]byte, rand.N(2000))
		switch rand.N(12) {
		case 0:
			m.Header.Set(protocol.HeaderSocketSubscribe, fmt.Sprint("more.", rand.N(5)))
		case 1:
			m.Header.Set(protocol.HeaderSocketUnsubscribe, fmt.Sprint("more.", rand.N(5)))
		case 2:
			m.Data = nil
			m.Header.Set(protocol.HeaderSocketClose, "4000")
		case 3:
			m.Header.Set(protocol.HeaderSocketSubscribe, "a.>")
		case 4, 5, 6:
			m.Subject, m.Header = fmt.Sprint("chat.", rand.N(3)), nil
		case 7:
			m.Subject, m.Header = fmt.Sprint("more.", rand.N(5)), nil
		}
		if h.nc.PublishMsg(m) != nil || h.nc.Flush() != nil {
			return
		}
	}
}

// visit is one connection, from its beginning to one of its ends.
func (h *harness) visit() {
	ws, _, err := gorilla.DefaultDialer.Dial(h.url(fmt.Sprint("/ws/", rand.N(3))), nil)
	if err != nil {
		return
	}
	defer ws.Close()
	_ = ws.SetReadDeadline(time.Now().Add(patience))
	read := make(chan struct{})
	go func() {
		defer close(read)
		for {
			if _, _, err := ws.ReadMessage(); err != nil {
				return
			}
		}
	}()
	for range rand.N(3 * livelyAfter) {
		if ws.WriteMessage(gorilla.TextMessage, make([]byte, rand.N(3000))) != nil {
			break
		}
	}
	switch rand.N(4) {
	case 0:
		_ = ws.Close()
	case 1:
		_ = ws.WriteMessage(gorilla.TextMessage, []byte("\xff"))
	default:
		_ = ws.WriteControl(gorilla.CloseMessage, gorilla.FormatCloseMessage(1000, ""), time.Now().Add(patience))
	}
	<-read
}
