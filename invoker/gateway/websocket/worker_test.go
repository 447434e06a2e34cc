package websocket

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker/invokertest/await"
	"github.com/polyvoke/polyvoke/protocol"
)

// workersNow returns how many goroutines call or wait for calls.
func workersNow() int {
	b := make([]byte, 4<<20)
	return strings.Count(string(b[:runtime.Stack(b, true)]), "websocket.(*Hub).worker(")
}

// TestWorkers checks that goroutines call again, that those which are not needed end while there are connections, and
// that all end with the last connection.
func TestWorkers(t *testing.T) {
	h := serve(t, callerFunc(echo), protocol.WebSocketRoute{Events: []string{protocol.SocketMessage}},
		func(c *Config) { c.Ping = 3 * time.Second })
	const conns = mostIdle + 8
	before := workersNow()
	var all []*client
	for range conns {
		all = append(all, h.dial("/ws"))
	}
	for round := range 20 {
		for i, c := range all {
			c.say(fmt.Sprint(round, i))
		}
		for i, c := range all {
			c.hear(fmt.Sprint(round, i))
		}
	}
	await.Until(h, "the workers that wait end", func() bool { return workersNow() <= before })
	all[0].say("after that")
	all[0].hear("after that")
	for _, c := range all {
		_ = c.Close()
	}
	await.Until(h, "all workers end", func() bool { return workersNow() <= before && h.hub.Stats().Open == 0 })
}
