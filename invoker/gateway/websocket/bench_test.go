package websocket

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// BenchmarkEcho compares an echo by a function, in this process and over NATS, and by nothing but a Caller, with one that the same library does by
// itself. p50-ns is of one message and its answer.
func BenchmarkEcho(b *testing.B) {
	s := invokertest.Start(b, func(c *invokertest.Config) { c.Memory = true })
	s.Deploy("echo", runtimestest.Wasm())
	local := s.StartInvoker()
	for _, conns := range []int{1, 16, 64} {
		for _, kind := range []struct {
			name   string
			caller protocol.Caller // nil: the library alone
		}{{"native", nil}, {"nothing", echo}, {"invoker", local}, {"nats", s.Client}} {
			b.Run(fmt.Sprint(kind.name, "/", conns), func(b *testing.B) {
				handler, end := echoServer(b, s, kind.caller)
				defer end()
				benchmarkEcho(b, handler, conns)
			})
		}
	}
}

// echoServer returns a handler that echoes.
func echoServer(b *testing.B, s *invokertest.Server, caller protocol.Caller) (http.Handler, func()) {
	if caller == nil {
		up := gorilla.Upgrader{}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ws, err := up.Upgrade(w, r, nil)
			if err != nil {
				return
			}
			defer ws.Close()
			for {
				kind, p, err := ws.ReadMessage()
				if err != nil || ws.WriteMessage(kind, p) != nil {
					return
				}
			}
		}), func() {}
	}
	hub := New(Config{Caller: caller, Conn: s.Conn})
	route := &protocol.WebSocketRoute{Route: "/", Events: []string{protocol.SocketMessage}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer(w, hub.Serve(w, r, protocol.Ref{Name: "echo"}, route, protocol.Header{protocol.HeaderPath: {"/"},
				protocol.HeaderRoute: {"/"}, protocol.HeaderClient: {"127.0.0.1"}}))
		}), func() {
			if err := hub.Drain(b.Context()); err != nil {
				b.Error(err)
			}
		}
}

// benchmarkEcho sends messages and waits for them on so many connections.
func benchmarkEcho(b *testing.B, handler http.Handler, conns int) {
	server := httptest.NewServer(handler)
	defer server.Close()
	var left atomic.Int64
	left.Store(int64(b.N))
	var mu sync.Mutex
	var took []time.Duration
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for range conns {
		ws, _, err := gorilla.DefaultDialer.Dial("ws"+strings.TrimPrefix(server.URL, "http"), nil)
		if err != nil {
			b.Fatal(err)
		}
		ready.Add(1)
		done.Go(func() {
			defer ws.Close()
			var own []time.Duration
			ready.Done()
			<-start
			for left.Add(-1) >= 0 {
				begin := time.Now()
				if ws.WriteMessage(gorilla.TextMessage, []byte("0123456789abcdef")) != nil {
					b.Error("it has ended")
					return
				}
				if _, p, err := ws.ReadMessage(); err != nil || len(p) != 16 {
					b.Errorf("got %q, %v", p, err)
					return
				}
				own = append(own, time.Since(begin))
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, own...)
		})
	}
	ready.Wait()
	b.ResetTimer()
	close(start)
	done.Wait()
	b.StopTimer()
	slices.Sort(took)
	if len(took) > 0 {
		b.ReportMetric(float64(took[len(took)/2]), "p50-ns")
		b.ReportMetric(float64(took[len(took)*99/100]), "p99-ns")
	}
}
