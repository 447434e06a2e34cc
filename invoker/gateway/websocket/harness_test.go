package websocket

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/protocol"
)

// TestMain checks that no connection leaves a goroutine. In a child it is a gateway instead.
func TestMain(m *testing.M) {
	if server := os.Getenv(childServer); server != "" {
		gatewayChild(server)
		return
	}
	goleak.VerifyTestMain(m)
}

// patience is how long what must happen is waited for.
const patience = time.Minute

// callerFunc is a function of the test as a Caller.
type callerFunc func(ctx context.Context, r *protocol.Request) (*protocol.Reply, error)

// Call implements protocol.Caller.
func (f callerFunc) Call(ctx context.Context, r *protocol.Request) (*protocol.Reply, error) {
	return f(ctx, r)
}

// echo answers every message with itself.
var echo = callerFunc(func(_ context.Context, r *protocol.Request) (*protocol.Reply, error) {
	if e := r.Header.Get(protocol.HeaderSocket); e == protocol.SocketOpen || e == protocol.SocketClose {
		return &protocol.Reply{}, nil
	}
	return &protocol.Reply{Body: append([]byte(nil), r.Body...)}, nil
})

// fails returns a reply that is an error.
func fails(code int, text string) (*protocol.Reply, error) {
	return &protocol.Reply{Err: protocol.Errorf(code, "", "%s", text)}, nil
}

// harness is a hub behind a real server, on a real NATS server.
type harness struct {
	testing.TB
	hub  *Hub
	http *httptest.Server
	nc   *nats.Conn // of whoever publishes
	nats *server.Server
}

// serve starts a hub, which ends with the test. Requests on the path of route, which may have {name}, get to it.
func serve(t testing.TB, caller protocol.Caller, route protocol.WebSocketRoute, change ...func(*Config)) *harness {
	t.Helper()
	ns := invokertest.StartNATS(t)
	h := &harness{TB: t, nats: ns, nc: connect(t, ns)}
	c := Config{Caller: caller, Conn: connect(t, ns), Log: slog.New(slog.NewTextHandler(logWriter{t}, nil))}
	for _, f := range change {
		f(&c)
	}
	h.hub = New(c)
	if route.Route == "" {
		route.Route = "/ws"
	}
	mux := http.NewServeMux()
	mux.HandleFunc(route.Route, func(w http.ResponseWriter, r *http.Request) {
		header := protocol.Header{protocol.HeaderPath: {r.URL.EscapedPath()}, protocol.HeaderRoute: {route.Route},
			protocol.HeaderClient: {"127.0.0.1"}}
		for name, values := range r.Header {
			header[name] = values
		}
		for _, name := range []string{"room", "path"} {
			if v := r.PathValue(name); v != "" {
				header[protocol.HeaderParam+name] = []string{url.PathEscape(v)}
			}
		}
		answer(w, h.hub.Serve(w, r, protocol.Ref{Name: "chat"}, &route, header))
	})
	h.http = httptest.NewServer(mux)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := h.hub.Drain(ctx); err != nil {
			t.Errorf("Drain: %v", err)
		}
		h.http.Close()
	})
	return h
}

// answer answers with an error, as a gateway would.
func answer(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, protocol.MessageOf(err), protocol.CodeOf(err))
	}
}

// connect connects to a NATS server, until the end of the test.
func connect(t testing.TB, ns *server.Server, options ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(ns.ClientURL(), append(options, nats.MaxReconnects(-1))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// logWriter writes a log into a test's output.
type logWriter struct{ testing.TB }

// Write implements io.Writer.
func (w logWriter) Write(b []byte) (int, error) {
	w.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// url returns the address of a path.
func (h *harness) url(path string) string {
	return "ws" + strings.TrimPrefix(h.http.URL, "http") + path
}

// client is a WebSocket client that fails its test.
type client struct {
	testing.TB
	*gorilla.Conn
}

// dial connects a client.
func (h *harness) dial(path string, header ...string) *client {
	h.Helper()
	ws, resp, err := h.try(path, header...)
	if err != nil {
		status := ""
		if resp != nil {
			body, _ := io.ReadAll(resp.Body)
			status = resp.Status + " " + string(body)
		}
		h.Fatalf("dial %s: %v %s", path, err, status)
	}
	return &client{h.TB, ws}
}

// try connects, or returns why not.
func (h *harness) try(path string, header ...string) (*gorilla.Conn, *http.Response, error) {
	all := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		all.Add(header[i], header[i+1])
	}
	ws, resp, err := gorilla.DefaultDialer.Dial(h.url(path), all)
	if err == nil {
		h.Cleanup(func() { _ = ws.Close() })
		_ = ws.SetReadDeadline(time.Now().Add(patience))
	}
	return ws, resp, err
}

// say sends a text.
func (c *client) say(text string) {
	c.Helper()
	if err := c.WriteMessage(gorilla.TextMessage, []byte(text)); err != nil {
		c.Fatalf("send %.40q: %v", text, err)
	}
}

// hear expects a text.
func (c *client) hear(want string) {
	c.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	kind, got, err := c.ReadMessage()
	if err != nil || kind != gorilla.TextMessage || string(got) != want {
		c.Fatalf("got %.80q of kind %d, %v; want the text %.80q", got, kind, err, want)
	}
}

// closed expects the end.
func (c *client) closed(code int, reason string) {
	c.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	for {
		_, got, err := c.ReadMessage()
		var end *gorilla.CloseError
		switch {
		case err == nil:
			c.Logf("before the end: %.40q", got)
		case !errors.As(err, &end) || end.Code != code || !strings.Contains(end.Text, reason):
			c.Fatalf("the end is %v, want %d %q", err, code, reason)
			return
		default:
			return
		}
	}
}

// recorder keeps the events of calls.
type recorder struct {
	mu     sync.Mutex
	events []string
	turn   chan struct{} // has an element for each event
}

// newRecorder returns a recorder, and a Caller that it is told by before another one is asked.
func newRecorder(next protocol.Caller) (*recorder, protocol.Caller) {
	k := &recorder{turn: make(chan struct{}, 1<<16)}
	return k, callerFunc(func(ctx context.Context, r *protocol.Request) (*protocol.Reply, error) {
		event := r.Header.Get(protocol.HeaderSocket)
		if code := r.Header.Get(protocol.HeaderSocketCode); code != "" {
			event += " " + code
		}
		if len(r.Body) > 0 {
			event += " " + string(r.Body)
		}
		k.mu.Lock()
		k.events = append(k.events, event)
		k.mu.Unlock()
		k.turn <- struct{}{}
		return next.Call(ctx, r)
	})
}

// wait returns the events when there are n.
func (k *recorder) wait(t testing.TB, n int) []string {
	t.Helper()
	late := time.After(patience)
	for range n {
		select {
		case <-k.turn:
		case <-late:
			k.mu.Lock()
			defer k.mu.Unlock()
			t.Fatalf("%d events were expected, and these came: %q", n, k.events)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]string(nil), k.events...)
}

// request publishes for a client and returns the code of what the gateway answers, 0 if it has done it.
func (h *harness) request(subject string, body string, header ...string) int {
	h.Helper()
	m := nats.NewMsg(subject)
	m.Data = []byte(body)
	for i := 0; i+1 < len(header); i += 2 {
		m.Header.Add(header[i], header[i+1])
	}
	reply, err := h.nc.RequestMsg(m, patience)
	if errors.Is(err, nats.ErrNoResponders) {
		return protocol.CodeNotFound
	}
	if err != nil {
		h.Fatal(err)
	}
	parsed, err := protocol.ParseReply(protocol.Header(reply.Header), reply.Data)
	if err != nil {
		h.Fatal(err)
	}
	return protocol.CodeOf(protocol.Failure(&parsed, nil))
}

// newServer serves a handler until the end of the test, before which a hub is drained.
func newServer(t testing.TB, handler http.Handler, hub *Hub) *httptest.Server {
	s := httptest.NewServer(handler)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := hub.Drain(ctx); err != nil {
			t.Errorf("Drain: %v", err)
		}
		s.Close()
	})
	return s
}

// handshake asks for a WebSocket on a connection.
func handshake(t testing.TB, nc net.Conn, path string) {
	t.Helper()
	_, err := io.WriteString(nc, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
}
