package websocket

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/invoker/invokertest/await"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// A connection's events come in order, with the headers that the route keeps; its answers go back as they came.
func TestEvents(t *testing.T) {
	type call struct {
		header protocol.Header
		body   string
	}
	calls := make(chan call, 8)
	caller := callerFunc(func(ctx context.Context, r *protocol.Request) (*protocol.Reply, error) {
		calls <- call{r.Header, string(r.Body)}
		if r.Header.Get(protocol.HeaderSocket) == protocol.SocketOpen {
			return &protocol.Reply{Body: []byte("welcome")}, nil
		}
		return echo(ctx, r)
	})
	h := serve(t, caller, protocol.WebSocketRoute{Headers: []string{"x-kept"}})
	ws := h.dial("/ws?a=b", "X-Kept", "1", "X-Kept", "2", "X-Other", "3")
	ws.hear("welcome")
	ws.say("hé")
	ws.hear("hé")
	if err := ws.WriteMessage(gorilla.BinaryMessage, []byte("\x00\xff")); err != nil {
		t.Fatal(err)
	}
	if kind, got, err := ws.ReadMessage(); kind != gorilla.BinaryMessage || string(got) != "\x00\xff" || err != nil {
		t.Errorf("got %q of kind %d, %v", got, kind, err)
	}
	bye := gorilla.FormatCloseMessage(3003, "bye")
	if err := ws.WriteControl(gorilla.CloseMessage, bye, time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	ws.closed(3003, "")
	for i, want := range []call{
		{protocol.Header{"Fn-Ws": {"open"}, "X-Other": {"3"}}, ""},
		{protocol.Header{"Fn-Ws": {"text"}, "X-Other": nil}, "hé"},
		{protocol.Header{"Fn-Ws": {"binary"}, "X-Other": nil}, "\x00\xff"},
		{protocol.Header{"Fn-Ws": {"close"}, "Fn-Ws-Code": {"3003"}}, "bye"},
	} {
		got := <-calls
		want.header["X-Kept"], want.header["Fn-Ws-Id"] = []string{"1", "2"}, []string{h.hub.ID() + ".1"}
		want.header["Fn-Path"], want.header["Fn-Client"] = []string{"/ws"}, []string{"127.0.0.1"}
		for name, values := range want.header {
			if !slices.Equal(got.header.Values(name), values) {
				t.Errorf("call %d: %s is %q, want %q", i, name, got.header.Values(name), values)
			}
		}
		if got.body != want.body {
			t.Errorf("call %d: the body is %q, want %q", i, got.body, want.body)
		}
	}
	await.Until(h, "the connection is let go of", func() bool { return h.hub.Stats().Open == 0 })
	if s := h.hub.Stats(); s.Opened != 1 || s.In != 2 || s.Out != 3 {
		t.Errorf("the figures are %+v", s)
	}
}

// A real function answers, in process and over NATS.
func TestFunction(t *testing.T) {
	s := invokertest.Start(t, func(c *invokertest.Config) { c.Memory = true })
	s.Deploy("echo", runtimestest.Wasm())
	s.Deploy("refuse", runtimestest.Wasm(), func(f *protocol.Function) { f.Args = []string{"exit", "77"} })
	s.Deploy("trap", runtimestest.Wasm(), func(f *protocol.Function) { f.Args = []string{"trap"} })
	local := s.StartInvoker()
	for about, caller := range map[string]protocol.Caller{"NATS": s.Client, "in process": local} {
		t.Run(about, func(t *testing.T) {
			nc := invokertest.Connect(t, s.NATS)
			hub := New(Config{Caller: caller, Conn: nc})
			mux := http.NewServeMux()
			mux.HandleFunc("/{name}", func(w http.ResponseWriter, r *http.Request) {
				route := protocol.WebSocketRoute{Route: "/{name}"}
				if r.PathValue("name") == "trap" {
					route.Events = []string{protocol.SocketMessage}
				}
				answer(w, hub.Serve(w, r, protocol.Ref{Name: r.PathValue("name")}, &route, protocol.Header{}))
			})
			h := &harness{TB: t, hub: hub, nc: nc, http: newServer(t, mux, hub)}
			ws := h.dial("/echo")
			large := strings.Repeat("0123456789abcdef", protocol.MaxSocketMessage/16)
			for _, text := range []string{"hello", "", large, "世界"} {
				ws.say(text)
				if text != "" {
					ws.hear(text)
				}
			}
			for path, status := range map[string]int{"/refuse": 403, "/missing": 404} {
				if _, resp, err := h.try(path); err == nil || resp == nil || resp.StatusCode != status {
					t.Errorf("%s: %v, %v", path, resp, err)
				}
			}
			ws = h.dial("/trap")
			ws.say("x")
			ws.closed(protocol.SocketFailed, "")
		})
	}
}

// What becomes of a request that is no handshake, or of one that is not agreed to.
func TestRefused(t *testing.T) {
	caller := callerFunc(func(_ context.Context, r *protocol.Request) (*protocol.Reply, error) {
		return fails(protocol.CodeForbidden, "members only")
	})
	h := serve(t, caller, protocol.WebSocketRoute{Route: "/ws/{room}", Topics: []string{"chat.{room}"}})
	key := "dGhlIHNhbXBsZSBub25jZQ=="
	good := map[string]string{"Connection": "keep-alive, Upgrade", "Upgrade": "WebSocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": key}
	for _, tt := range []struct {
		about, path, name, value string // of a header that differs
		method                   string
		status                   int
		says                     string
	}{
		{about: "no upgrade", name: "Upgrade", status: 426, says: "Upgrade: websocket"},
		{about: "another upgrade", name: "Upgrade", value: "h2c", status: 426, says: "Upgrade"},
		{about: "not asked of the next hop", name: "Connection", value: "close", status: 426},
		{about: "another method", method: "POST", status: 426},
		{about: "an old version", name: "Sec-WebSocket-Version", value: "8", status: 426, says: "Version: 13"},
		{about: "no key", name: "Sec-WebSocket-Key", status: 400, says: "Sec-WebSocket-Key"},
		{about: "a short key", name: "Sec-WebSocket-Key", value: "AAAA", status: 400, says: "16 bytes"},
		{about: "a key that is none", name: "Sec-WebSocket-Key", value: "!!!!", status: 400},
		{about: "a foreign page", name: "Origin", value: "https://evil.example", status: 403, says: "evil.example"},
		{about: "a page of nowhere", name: "Origin", value: "null", status: 403},
		{about: "a wildcard", path: "/ws/*", status: 400, says: "{room}"},
		{about: "all", path: "/ws/%3E", status: 400, says: "{room}"},
		{about: "several tokens", path: "/ws/a.b", status: 400, says: "{room}"},
		{about: "a line break", path: "/ws/a%0d%0aPUB", status: 400, says: "{room}"},
		{about: "a long value", path: "/ws/" + strings.Repeat("a", 129), status: 400, says: "128"},
		{about: "not UTF-8", path: "/ws/%ff", status: 400},
		{about: "the function", status: 403, says: "members only"},
	} {
		r, err := http.NewRequest(cmpOr(tt.method, "GET"), h.http.URL+cmpOr(tt.path, "/ws/room"), nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range good {
			r.Header.Set(name, value)
		}
		if tt.name != "" {
			r.Header.Set(tt.name, tt.value)
		}
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Errorf("%s: %v", tt.about, err)
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != tt.status || !strings.Contains(string(body), tt.says) {
			t.Errorf("%s: %s %s, want %d %q", tt.about, resp.Status, body, tt.status, tt.says)
		}
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	await.Until(h, "nothing is left", func() bool { return h.hub.Stats().Open == 0 && len(h.subjects("chat.>")) == 0 })
}

// A handshake of HTTP/1.0, or one with a body, is none: what follows would be read as something else by whatever is in
// front.
func TestRefusedLine(t *testing.T) {
	h := serve(t, callerFunc(func(context.Context, *protocol.Request) (*protocol.Reply, error) {
		t.Error("the function was called")
		return &protocol.Reply{}, nil
	}), protocol.WebSocketRoute{Route: "/ws"})
	for _, tt := range []struct{ about, version, header, want string }{
		{"HTTP/1.0", "HTTP/1.0", "", " 426 "},
		{"a body", "HTTP/1.1", "Content-Length: 3\r\n", " 400 "},
		{"a body of chunks", "HTTP/1.1", "Transfer-Encoding: chunked\r\n", " 400 "},
	} {
		nc, err := net.Dial("tcp", h.http.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = nc.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(nc, "GET /ws "+tt.version+"\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"+tt.header+"\r\n")
		line, err := bufio.NewReader(nc).ReadString('\n')
		if err != nil || !strings.Contains(line, tt.want) {
			t.Errorf("%s: %q, %v; want%s", tt.about, line, err, tt.want)
		}
		nc.Close()
	}
}

// cmpOr returns the first string that is not empty.
func cmpOr(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// subjects returns what gateways have subscribed to and a pattern matches.
func (h *harness) subjects(pattern string) (all []string) {
	subs, err := h.nats.Subsz(&server.SubszOptions{Subscriptions: true, Limit: 1 << 16})
	if err != nil {
		h.Fatal(err)
	}
	for _, s := range subs.Subs {
		if _, ok := protocol.Match(pattern, s.Subject); ok {
			all = append(all, s.Subject)
		}
	}
	return all
}

func TestOrigins(t *testing.T) {
	for _, tt := range []struct {
		host   string
		origin []string
		more   []string
		ok     bool
	}{
		{"example.org", nil, nil, true},
		{"example.org", []string{"https://example.org"}, nil, true},
		{"Example.org:8080", []string{"http://example.ORG:8080"}, nil, true},
		{"example.org", []string{"https://example.org:8443"}, nil, false},
		{"example.org", []string{"https://example.org.evil.net"}, nil, false},
		{"example.org", []string{"https://evil.net"}, nil, false},
		{"example.org", []string{"https://app.example.org"}, []string{"https://app.example.org"}, true},
		{"example.org", []string{"http://app.example.org"}, []string{"https://app.example.org"}, false},
		{"example.org", []string{"https://evil.net"}, []string{"*"}, true},
		{"example.org", []string{"null"}, []string{"https://a.org"}, false},
		{"example.org", []string{""}, nil, false},
		{"", []string{"file://"}, nil, false},
		{"example.org", []string{"https://example.org", "https://evil.net"}, nil, false},
		{"example.org", []string{"https://evil.net@example.org/\r\n"}, nil, false},
	} {
		r := &http.Request{Host: tt.host, Header: http.Header{"Origin": tt.origin}}
		if err := checkOrigin(r, tt.more); (err == nil) != tt.ok || err != nil && protocol.CodeOf(err) != 403 {
			t.Errorf("%q at %s with %q: %v", tt.origin, tt.host, tt.more, err)
		}
	}
}

// How a connection ends of which a call fails.
func TestFailures(t *testing.T) {
	caller := callerFunc(func(ctx context.Context, r *protocol.Request) (*protocol.Reply, error) {
		var code int
		if _, err := fmt.Sscanf(string(r.Body), "fail %d", &code); err == nil &&
			r.Header.Get(protocol.HeaderSocket) == protocol.SocketText {
			return fails(code, "it is "+strings.Repeat("é", 200))
		}
		return echo(ctx, r)
	})
	h := serve(t, caller, protocol.WebSocketRoute{})
	for code, want := range map[int]int{400: 1011, 403: 1008, 404: 1011, 413: 1009, 429: 1013, 500: 1011, 503: 1013,
		504: 1011, 507: 1011} {
		ws := h.dial("/ws")
		ws.say(fmt.Sprint("fail ", code))
		ws.closed(want, "it is é")
	}
}

// Text that is no UTF-8, and messages that are too long, end a connection. So does what is no WebSocket at all.
func TestBadMessages(t *testing.T) {
	k, caller := newRecorder(echo)
	h := serve(t, caller, protocol.WebSocketRoute{})
	ws := h.dial("/ws")
	if err := ws.WriteMessage(gorilla.TextMessage, []byte("a\xffb")); err != nil {
		t.Fatal(err)
	}
	ws.closed(protocol.SocketBadText, "UTF-8")
	ws = h.dial("/ws")
	ws.say(strings.Repeat("x", protocol.MaxSocketMessage+1))
	ws.closed(protocol.SocketTooLarge, "")
	got := k.wait(t, 4)
	slices.Sort(got)
	want := []string{"close 1007 the text is not UTF-8", "close 1009 a message has at most 1 MiB", "open", "open"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// Messages of one connection are called for one after the other; all that came before the end are called for.
func TestOrder(t *testing.T) {
	const n = 200
	var running, most int
	var mu sync.Mutex
	k, caller := newRecorder(callerFunc(func(ctx context.Context, r *protocol.Request) (*protocol.Reply, error) {
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		defer func() {
			mu.Lock()
			running--
			mu.Unlock()
		}()
		return echo(ctx, r)
	}))
	h := serve(t, caller, protocol.WebSocketRoute{})
	ws := h.dial("/ws")
	for i := range n {
		ws.say(fmt.Sprint(i))
	}
	if err := ws.WriteControl(gorilla.CloseMessage, nil, time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	events := k.wait(t, n+2)
	mu.Lock()
	defer mu.Unlock()
	if most != 1 || events[0] != "open" || events[n+1] != "close 1005" {
		t.Errorf("%d at a time, from %q to %q", most, events[0], events[n+1])
	}
	for i, e := range events[1 : n+1] {
		if e != fmt.Sprint("text ", i) {
			t.Fatalf("event %d is %q", i, e)
		}
	}
}

// A client that sends without reading is not read, and nothing is lost: its answers wait for it.
func TestBackpressure(t *testing.T) {
	const n = 300
	h := serve(t, echo, protocol.WebSocketRoute{})
	ws := h.dial("/ws")
	text := strings.Repeat("x", 100_000)
	sent := make(chan error, 1)
	go func() {
		for i := range n {
			if err := ws.WriteMessage(gorilla.TextMessage, []byte(fmt.Sprint(i, text))); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for i := range n {
		ws.hear(fmt.Sprint(i, text))
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

// What is published for a connection gets to its client, and whoever asks is told.
func TestPush(t *testing.T) {
	k, caller := newRecorder(echo)
	h := serve(t, caller, protocol.WebSocketRoute{}, func(c *Config) { c.ID = "gw" })
	ws := h.dial("/ws")
	for _, tt := range []struct {
		about, subject, body string
		header               []string
		code, kind           int // kind 0: nothing comes
	}{
		{"text", "ws.gw.1", "hello", nil, 0, gorilla.TextMessage},
		{"what is no text", "ws.gw.1", "a\xff", nil, 0, gorilla.BinaryMessage},
		{"text as binary", "ws.gw.1", "hello", []string{"fn-ws", "binary"}, 0, gorilla.BinaryMessage},
		{"no text as text", "ws.gw.1", "\xff", []string{"Fn-Ws", "text"}, 0, gorilla.BinaryMessage},
		{"nothing", "ws.gw.1", "", nil, 0, gorilla.TextMessage},
		{"topics alone", "ws.gw.1", "", []string{"Fn-Ws-Subscribe", "a.b"}, 0, 0},
		{"topics and a word", "ws.gw.1", "hi", []string{"Fn-Ws-Unsubscribe", "a.b"}, 0, gorilla.TextMessage},
		{"another number", "ws.gw.2", "x", nil, 404, 0},
		{"no number", "ws.gw.x", "x", nil, 404, 0},
		{"a number that is written so", "ws.gw.01", "x", nil, 404, 0},
		{"another gateway", "ws.other.1", "x", nil, 404, 0},
		{"a bad kind", "ws.gw.1", "x", []string{"Fn-Ws", "ping"}, 400, 0},
		{"a bad code", "ws.gw.1", "x", []string{"Fn-Ws-Close", "1006"}, 400, 0},
		{"no code", "ws.gw.1", "x", []string{"Fn-Ws-Close", "yes"}, 400, 0},
		{"a long reason", "ws.gw.1", strings.Repeat("x", 124), []string{"Fn-Ws-Close", "1000"}, 400, 0},
		{"a wildcard", "ws.gw.1", "", []string{"Fn-Ws-Subscribe", "a.*"}, 400, 0},
		{"all", "ws.gw.1", "", []string{"Fn-Ws-Subscribe", ">"}, 400, 0},
		{"a reserved tree", "ws.gw.1", "", []string{"Fn-Ws-Subscribe", "ws.gw.2"}, 403, 0},
		{"the server's", "ws.gw.1", "", []string{"Fn-Ws-Subscribe", "$SYS.ACCOUNT"}, 403, 0},
		{"an inbox", "ws.gw.1", "", []string{"Fn-Ws-Subscribe", "_INBOX.x"}, 403, 0},
		{"a long topic", "ws.gw.1", "", []string{"Fn-Ws-Subscribe", strings.Repeat("a", 1025)}, 400, 0},
	} {
		if code := h.request(tt.subject, tt.body, tt.header...); code != tt.code {
			t.Errorf("%s: code %d, want %d", tt.about, code, tt.code)
		}
		if tt.kind == 0 {
			continue
		}
		if kind, got, err := ws.ReadMessage(); err != nil || kind != tt.kind || string(got) != tt.body {
			t.Errorf("%s: got %q of kind %d, %v", tt.about, got, kind, err)
		}
	}
	if code := h.request("ws.gw.1", "last", "Fn-Ws-Close", "4000"); code != 0 {
		t.Errorf("close: code %d", code)
	}
	ws.closed(4000, "last")
	if events := k.wait(t, 2); events[1] != "close 4000 last" {
		t.Errorf("got %q", events)
	}
	if code := h.request("ws.gw.1", "too late"); code != 404 {
		t.Errorf("too late: code %d", code)
	}
}

// Topics are subscribed to once, as long as somebody has them.
func TestTopics(t *testing.T) {
	h := serve(t, echo, protocol.WebSocketRoute{Route: "/ws/{room}", Topics: []string{"chat.{room}", "news"}})
	a, b, c := h.dial("/ws/red"), h.dial("/ws/red"), h.dial("/ws/blue")
	publish := func(subject, body string) {
		t.Helper()
		if err := h.nc.Publish(subject, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	publish("chat.red", "1")
	a.hear("1")
	b.hear("1")
	publish("chat.blue", "2")
	c.hear("2")
	publish("news", "3")
	for _, ws := range []*client{a, b, c} {
		ws.hear("3")
	}
	if got := h.subjects("chat.*"); len(got) != 2 {
		t.Errorf("the subscriptions are %q", got)
	}
	ids := h.ids()
	if code := h.request("ws."+ids[0], "", "Fn-Ws-Subscribe", "chat.blue", "Fn-Ws-Unsubscribe", "chat.red"); code != 0 {
		t.Errorf("code %d", code)
	}
	publish("chat.red", "4")
	publish("chat.blue", "5")
	a.hear("5")
	b.hear("4")
	c.hear("5")
	many := []string{}
	for i := range protocol.MaxSocketTopics {
		many = append(many, "Fn-Ws-Subscribe", fmt.Sprint("more.", i))
	}
	if code := h.request("ws."+ids[0], "", many...); code != 400 {
		t.Errorf("too many topics: code %d", code)
	}
	_ = b.Close()
	await.Until(h, "chat.red is let go of", func() bool { return len(h.subjects("chat.red")) == 0 })
	_, _ = a.Close(), c.Close()
	await.Until(h, "all are", func() bool {
		return len(h.subjects("chat.*"))+len(h.subjects("more.*"))+len(h.subjects("news")) == 0
	})
}

// With a destination, what the function writes for messages and the end goes to all that have the topic.
func TestTo(t *testing.T) {
	caller := callerFunc(func(_ context.Context, r *protocol.Request) (*protocol.Reply, error) {
		event := r.Header.Get(protocol.HeaderSocket)
		if string(r.Body) == "large" {
			return &protocol.Reply{Body: make([]byte, 2<<20)}, nil
		}
		return &protocol.Reply{Body: []byte(event + " " + string(r.Body))}, nil
	})
	h := serve(t, caller, protocol.WebSocketRoute{Route: "/ws/{room}", Topics: []string{"chat.{room}"}, To: "chat.{room}"})
	a, b, other := h.dial("/ws/red"), h.dial("/ws/red"), h.dial("/ws/blue")
	for _, ws := range []*client{a, b, other} {
		ws.hear("open ")
	}
	sub, err := h.nc.SubscribeSync("chat.>")
	if err != nil || h.nc.Flush() != nil {
		t.Fatal(err)
	}
	a.say("hello")
	a.hear("text hello")
	b.hear("text hello")
	m, err := sub.NextMsg(patience)
	if err != nil || m.Subject != "chat.red" || m.Header.Get(protocol.HeaderHops) != "1" {
		t.Errorf("got %+v, %v", m, err)
	}
	if err := b.WriteMessage(gorilla.BinaryMessage, []byte("x")); err != nil {
		t.Fatal(err)
	}
	for _, ws := range []*client{a, b} {
		if kind, got, err := ws.ReadMessage(); kind != gorilla.BinaryMessage || string(got) != "binary x" || err != nil {
			t.Errorf("got %q of kind %d, %v", got, kind, err)
		}
	}
	a.say("large")
	a.closed(protocol.SocketTooLarge, "max_payload")
	b.hear("close what the function wrote is over max_payload, 1048576 bytes")
	if _, resp, err := h.try("/ws/a.b"); err == nil || resp == nil || resp.StatusCode != 400 {
		t.Errorf("%v, %v", resp, err)
	}
}

// ids returns the ids of the connections, the oldest first.
func (h *harness) ids() (ids []string) {
	for _, c := range h.hub.Connections(1 << 20) {
		ids = append(ids, c.ID)
	}
	slices.SortFunc(ids, func(a, b string) int { return len(a) - len(b) + strings.Compare(a, b) })
	return ids
}

// What NATS does not permit is an answer, not a silence.
func TestNotPermitted(t *testing.T) {
	s := invokertest.StartNATS(t, func(o *server.Options) {
		o.Users = []*server.User{{Username: "gateway", Password: "g", Permissions: &server.Permissions{
			Subscribe: &server.SubjectPermission{Allow: []string{"ws.>", "chat.>", "_INBOX.>"}}}}}
	})
	nc := connect(t, s, nats.UserInfo("gateway", "g"))
	hub := New(Config{Caller: echo, Conn: nc})
	mux := http.NewServeMux()
	mux.HandleFunc("/{topic}", func(w http.ResponseWriter, r *http.Request) {
		route := &protocol.WebSocketRoute{Topics: []string{r.PathValue("topic") + ".x"}}
		answer(w, hub.Serve(w, r, protocol.Ref{Name: "chat"}, route, protocol.Header{}))
	})
	h := &harness{TB: t, hub: hub, nc: nc, http: newServer(t, mux, hub)}
	for range 2 {
		if _, resp, err := h.try("/secret"); err == nil || resp == nil || resp.StatusCode != 403 {
			t.Errorf("secret: %v, %v", resp, err)
		}
	}
	h.dial("/chat")
	if code := h.request("ws."+h.ids()[0], "", "Fn-Ws-Subscribe", "secret.y"); code != 403 {
		t.Errorf("code %d", code)
	}
}

// A client that does not take what is sent to it is ended, and holds up nobody.
func TestSlowClient(t *testing.T) {
	k, caller := newRecorder(echo)
	h := serve(t, caller, protocol.WebSocketRoute{Topics: []string{"news"}})
	slow, quick := h.dial("/ws"), h.dial("/ws")
	body := strings.Repeat("x", 500_000)
	heard := make(chan int)
	go func() {
		n := 0
		for ; n < 200; n++ {
			if _, _, err := quick.ReadMessage(); err != nil {
				break
			}
			if n%10 == 0 {
				heard <- n
			}
		}
		close(heard)
	}()
	for i := range 200 {
		if err := h.nc.Publish("news", []byte(body)); err != nil {
			t.Fatal(err)
		}
		if i%10 == 0 {
			if n := <-heard; n != i {
				t.Fatalf("the quick one has %d of %d", n, i)
			}
		}
	}
	for range heard {
	}
	if events := k.wait(t, 3); !strings.HasPrefix(events[2], "close 1013") {
		t.Errorf("got %q", events)
	}
	if s := h.hub.Stats(); s.Dropped == 0 {
		t.Errorf("the figures are %+v", s)
	}
	_ = slow.Close()
}

// A slow client that reads on is told why it was ended.
func TestSlowClientIsTold(t *testing.T) {
	hold := make(chan struct{})
	caller := callerFunc(func(ctx context.Context, r *protocol.Request) (*protocol.Reply, error) {
		if r.Header.Get(protocol.HeaderSocket) == protocol.SocketOpen {
			<-hold // the client cannot be sent anything yet
		}
		return echo(ctx, r)
	})
	h := serve(t, caller, protocol.WebSocketRoute{}, func(c *Config) { c.ID = "gw" })
	done := make(chan *client)
	go func() { done <- h.dial("/ws") }()
	await.Until(h, "it is known", func() bool { return h.hub.Stats().Open == 1 })
	for i := range protocol.MaxSocketQueue {
		if code := h.request("ws.gw.1", fmt.Sprint(i)); code != 0 {
			t.Fatalf("message %d: code %d", i, code)
		}
	}
	if code := h.request("ws.gw.1", "one too many"); code != 503 {
		t.Errorf("code %d", code)
	}
	close(hold)
	(<-done).closed(protocol.SocketTryAgain, "slow")
}

// busyPing is a time in which a client answers a ping on the busiest machine.
const busyPing = 700 * time.Millisecond

// A peer that is gone without a word is found; one that answers pings stays.
func TestPing(t *testing.T) {
	k, caller := newRecorder(echo)
	h := serve(t, caller, protocol.WebSocketRoute{}, func(c *Config) { c.Ping = busyPing })
	pings := make(chan struct{}, 100)
	alive := h.dial("/ws")
	pong := alive.PingHandler()
	alive.SetPingHandler(func(s string) error {
		pings <- struct{}{}
		return pong(s)
	})
	go func() { _, _, _ = alive.ReadMessage() }()
	h.dial("/ws") // reads nothing, so it answers nothing
	if events := k.wait(t, 3); events[2] != "close 1006" {
		t.Errorf("got %q", events)
	}
	for range 3 {
		<-pings
	}
	await.Until(h, "one connection is left", func() bool { return h.hub.Stats().Open == 1 })
	_ = alive.Close()
}

// A connection whose client has sent more than is called for yet is not taken for dead: its pongs are unread.
func TestPingDuringCall(t *testing.T) {
	hold := make(chan struct{})
	caller := callerFunc(func(ctx context.Context, r *protocol.Request) (*protocol.Reply, error) {
		if string(r.Body) == "hold" {
			<-hold
		}
		return echo(ctx, r)
	})
	h := serve(t, caller, protocol.WebSocketRoute{}, func(c *Config) { c.Ping = busyPing })
	ws := h.dial("/ws")
	for _, text := range []string{"hold", "2", "3", "4"} {
		ws.say(text)
	}
	other := h.dial("/ws") // another one counts the beats
	beats := make(chan struct{}, 100)
	pong := other.PingHandler()
	other.SetPingHandler(func(s string) error {
		beats <- struct{}{}
		return pong(s)
	})
	go func() { _, _, _ = other.ReadMessage() }()
	for range 5 {
		<-beats
	}
	close(hold)
	for _, text := range []string{"hold", "2", "3", "4"} {
		ws.hear(text)
	}
	_ = other.Close()
}

// A drain lets calls end and tells every client.
func TestDrain(t *testing.T) {
	hold, begun := make(chan struct{}), make(chan struct{})
	k, caller := newRecorder(callerFunc(func(ctx context.Context, r *protocol.Request) (*protocol.Reply, error) {
		if string(r.Body) == "hold" {
			close(begun)
			<-hold
		}
		return echo(ctx, r)
	}))
	h := serve(t, caller, protocol.WebSocketRoute{Topics: []string{"news"}})
	idle, busy := h.dial("/ws"), h.dial("/ws")
	busy.say("hold")
	<-begun
	drained := make(chan error)
	go func() { drained <- h.hub.Drain(context.Background()) }()
	idle.closed(protocol.SocketGoingAway, "gateway")
	if _, resp, err := h.try("/ws"); err == nil || resp == nil || resp.StatusCode != 503 {
		t.Errorf("a new connection: %v, %v", resp, err)
	}
	close(hold)
	busy.hear("hold")
	busy.closed(protocol.SocketGoingAway, "gateway")
	if err := <-drained; err != nil {
		t.Errorf("Drain: %v", err)
	}
	if events := k.wait(t, 5); !strings.HasPrefix(events[4], "close 1001") {
		t.Errorf("got %q", events)
	}
	await.Until(h, "nothing is subscribed to", func() bool { return len(h.subjects("ws.>"))+len(h.subjects("news")) == 0 })
}

// A drain whose time is over cancels calls and cuts connections.
func TestDrainEnds(t *testing.T) {
	begun := make(chan struct{}, 2)
	caller := callerFunc(func(ctx context.Context, r *protocol.Request) (*protocol.Reply, error) {
		if r.Header.Get(protocol.HeaderSocket) == protocol.SocketText || r.Header.Get(protocol.HeaderPath) == "/open" {
			begun <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return echo(ctx, r)
	})
	h := serve(t, caller, protocol.WebSocketRoute{Route: "/{path}"})
	ws := h.dial("/ws")
	ws.say("for ever")
	refused := make(chan int)
	go func() {
		_, resp, _ := h.try("/open")
		refused <- resp.StatusCode
	}()
	<-begun
	<-begun
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := h.hub.Drain(ctx); err != context.Canceled {
		t.Errorf("Drain: %v", err)
	}
	if code := <-refused; code != 503 {
		t.Errorf("the one that was not open yet: %d", code)
	}
	if s := h.hub.Stats(); s.Open != 0 {
		t.Errorf("the figures are %+v", s)
	}
}

// The connections of a function that is gone end, and those of others stay.
func TestRemove(t *testing.T) {
	h := serve(t, echo, protocol.WebSocketRoute{})
	ws := h.dial("/ws")
	h.hub.Remove("other")
	ws.say("still there")
	ws.hear("still there")
	h.hub.Remove("chat")
	ws.closed(protocol.SocketGoingAway, "function chat is gone")
}

// A client that sends faster than the rate is read slower; one that sends much faster is ended.
func TestRate(t *testing.T) {
	h := serve(t, echo, protocol.WebSocketRoute{Rate: "2/100ms"})
	ws, begin := h.dial("/ws"), time.Now()
	for i := range 6 {
		ws.say(fmt.Sprint(i))
		ws.hear(fmt.Sprint(i))
	}
	if took := time.Since(begin); took < 200*time.Millisecond {
		t.Errorf("6 messages took %s", took)
	}
	h = serve(t, echo, protocol.WebSocketRoute{Rate: "1/h"})
	ws = h.dial("/ws")
	ws.say("1")
	ws.hear("1")
	ws.say("2")
	ws.closed(protocol.SocketPolicy, "1/h")
}

// Not more connections than the hub takes.
func TestMost(t *testing.T) {
	h := serve(t, echo, protocol.WebSocketRoute{}, func(c *Config) { c.Most = 1 })
	ws := h.dial("/ws")
	if _, resp, err := h.try("/ws"); err == nil || resp == nil || resp.StatusCode != 503 {
		t.Errorf("%v, %v", resp, err)
	}
	_ = ws.Close()
	await.Until(h, "there is room", func() bool { return h.hub.Stats().Open == 0 })
	h.dial("/ws")
}

// The route's first subprotocol that the client offers is agreed to, and events can be left out.
func TestProtocolsAndEvents(t *testing.T) {
	k, caller := newRecorder(echo)
	route := protocol.WebSocketRoute{Protocols: []string{"v2", "v1"}, Events: []string{protocol.SocketMessage}}
	h := serve(t, caller, route)
	ws := h.dial("/ws", "Sec-WebSocket-Protocol", "v1, v2")
	if ws.Subprotocol() != "v2" {
		t.Errorf("the subprotocol is %q", ws.Subprotocol())
	}
	ws.say("x")
	ws.hear("x")
	_ = ws.Close()
	await.Until(h, "it has ended", func() bool { return h.hub.Stats().Open == 0 })
	if events := k.wait(t, 1); len(events) != 1 {
		t.Errorf("got %q", events)
	}
}

// A client that goes while the function is asked cancels the call; what is agreed to nobody is told as ended.
func TestGoneWhileOpening(t *testing.T) {
	cancelled := make(chan struct{})
	caller := callerFunc(func(ctx context.Context, r *protocol.Request) (*protocol.Reply, error) {
		<-ctx.Done()
		close(cancelled)
		return nil, ctx.Err()
	})
	h := serve(t, caller, protocol.WebSocketRoute{})
	nc, err := net.Dial("tcp", strings.TrimPrefix(h.http.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	handshake(t, nc, "/ws")
	await.Until(h, "it is asked for", func() bool { return h.hub.Stats().Open == 1 })
	_ = nc.Close()
	<-cancelled
	await.Until(h, "it is forgotten", func() bool { return h.hub.Stats().Open == 0 })
}
