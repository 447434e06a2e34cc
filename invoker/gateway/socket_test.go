package gateway_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	gorilla "github.com/gorilla/websocket"

	"github.com/polyvoke/polyvoke/invoker/gateway"
	"github.com/polyvoke/polyvoke/invoker/gateway/websocket"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// A route of [[websocket]] stands in the table of [[http]]: a handshake gets to its function, refusals are answers like
// any other, and what is published gets to the client, in process and over NATS.
func TestWebSocket(t *testing.T) {
	b := newBed(t)
	hubs := make([]*websocket.Hub, len(b.both))
	for i, d := range b.both {
		hubs[i] = websocket.New(websocket.Config{Caller: d.Config.Caller, Conn: b.Conn})
		d.Config.Sockets = hubs[i]
	}
	defer func() {
		for _, hub := range hubs {
			if err := hub.Drain(context.Background()); err != nil {
				t.Errorf("Drain: %v", err)
			}
		}
	}()
	socket := []protocol.WebSocketRoute{{Route: "/chat/{room}", Topics: []string{"chat.{room}"}}}
	b.deploy(t, protocol.Function{Name: "echo", HTTP: []protocol.HTTPRoute{{Route: "POST /chat/{room}"}}, WebSocket: socket},
		runtimestest.Wasm())
	b.deploy(t, protocol.Function{Name: "room", Args: []string{"cat", "/request/params/room"},
		WebSocket: []protocol.WebSocketRoute{{Route: "/room/{room}"}}}, runtimestest.Wasm())
	b.deploy(t, protocol.Function{Name: "refuse", Args: []string{"exit", "77"},
		WebSocket: []protocol.WebSocketRoute{{Route: "/refuse"}}}, runtimestest.Wasm())
	for i, d := range b.both {
		t.Run(d.name, func(t *testing.T) {
			ws := d.dial(t, "/chat/red")
			if err := ws.WriteMessage(gorilla.TextMessage, []byte("hello")); err != nil {
				t.Fatal(err)
			}
			hears(t, ws, "hello")
			if err := b.Conn.Publish("chat.red", []byte("to all")); err != nil {
				t.Fatal(err)
			}
			hears(t, ws, "to all")
			all := hubs[i].Connections(10)
			if len(all) != 1 || all[0].Route != "/chat/{room}" || all[0].Client != "127.0.0.1" {
				t.Fatalf("the connections are %+v", all)
			}
			if err := b.Conn.Publish(protocol.SocketSubject(all[0].ID), []byte("to one")); err != nil {
				t.Fatal(err)
			}
			hears(t, ws, "to one")
			hears(t, d.dial(t, "/room/a%20b"), "a b")
			for path, want := range map[string]string{"/refuse": "403 exit", "/chat/a.b": "400 {room}",
				"/none": "404 no function"} {
				status, says, _ := strings.Cut(want, " ")
				_, resp, err := gorilla.DefaultDialer.Dial("ws"+strings.TrimPrefix(d.url, "http")+path, nil)
				if !errors.Is(err, gorilla.ErrBadHandshake) {
					t.Errorf("%s: %v", path, err)
					continue
				}
				body, _ := io.ReadAll(resp.Body)
				if !strings.HasPrefix(resp.Status, status) || !strings.Contains(string(body), says) ||
					resp.Header.Get("Content-Type") != "application/problem+json" {
					t.Errorf("%s: %s %s, want %s", path, resp.Status, body, want)
				}
			}
			resp, err := d.client.Get(d.url + "/chat/red")
			if err != nil || resp.StatusCode != http.StatusUpgradeRequired || resp.Header.Get("Upgrade") != "websocket" {
				t.Errorf("no handshake: %v, %v", resp, err)
			}
			resp, err = d.client.Post(d.url+"/chat/red", "text/plain", strings.NewReader("posted"))
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("POST: %v, %v", resp, err)
			}
		})
	}
}

// dial opens a WebSocket, until the end of the test.
func (d *door) dial(t *testing.T, path string) *gorilla.Conn {
	t.Helper()
	ws, resp, err := gorilla.DefaultDialer.Dial("ws"+strings.TrimPrefix(d.url, "http")+path, nil)
	if err != nil {
		t.Fatalf("dial %s: %v, %+v", path, err, resp)
	}
	t.Cleanup(func() { _ = ws.Close() })
	return ws
}

// hears expects a message.
func hears(t *testing.T, ws *gorilla.Conn, want string) {
	t.Helper()
	if _, got, err := ws.ReadMessage(); err != nil || string(got) != want {
		t.Fatalf("got %q, %v; want %q", got, err, want)
	}
}

var _ gateway.Sockets = (*websocket.Hub)(nil)
