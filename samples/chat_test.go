package samples_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	gorilla "github.com/gorilla/websocket"

	"github.com/polyvoke/polyvoke/invoker/gateway"
	"github.com/polyvoke/polyvoke/invoker/gateway/websocket"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/script"
	"github.com/polyvoke/polyvoke/samples"
)

// TestChat lets people talk, by real connections: the function of each language with the manifest beside it. The one
// in JavaScript needs its interpreter, in the folder that RUNTIMES names.
func TestChat(t *testing.T) {
	s := invokertest.Start(t)
	hub := websocket.New(websocket.Config{Caller: s.Client, Conn: s.Conn})
	g := gateway.New(gateway.Config{Caller: s.Client, Sockets: hub})
	server := httptest.NewServer(g)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := hub.Drain(ctx); err != nil {
			t.Errorf("Drain: %v", err)
		}
		server.Close()
	})
	url := "ws" + strings.TrimPrefix(server.URL, "http")
	var deployed []string
	for _, chat := range samples.Chats() {
		t.Run(chat.Language, func(t *testing.T) {
			f, module, err := chatManifest(t, chat.Manifest), chat.Wasm, error(nil)
			if chat.Script != nil {
				f.Runtime = chat.Runtime
				if module, err = script.Pack(chat.Script, chat.Entry, nil); err != nil {
					t.Fatal(err)
				}
				addJavaScript(t, s)
			}
			reply, err := s.Client.Deploy(t.Context(), f, module)
			if err != nil {
				t.Fatal(err)
			}
			g.Apply(&reply.Function)
			path, _, _ := strings.Cut(f.WebSocket[0].Route, "{")
			deployed = append(deployed, url+path)
			talkInRooms(t, url+path, chat.Name+"-")
		})
	}
	t.Run("together", func(t *testing.T) { talkTogether(t, deployed) })
}

// talkTogether talks in one room, in all languages at these addresses.
func talkTogether(t *testing.T, urls []string) {
	if len(urls) < 2 {
		t.Fatalf("only %q", urls)
	}
	var all []*gorilla.Conn
	for i, url := range urls {
		all = append(all, dialChat(t, fmt.Sprint(url, "hall?name=P", i)))
		heard(t, all[i], fmt.Sprint("welcome to hall, P", i))
	}
	for i, from := range all {
		say(t, from, "Hello")
		for _, to := range all {
			heard(t, to, fmt.Sprint("P", i, ": Hello"))
		}
	}
}

// chatManifest reads a manifest.
func chatManifest(t *testing.T, manifest []byte) (f protocol.Function) {
	t.Helper()
	var keys map[string]any
	err := toml.Unmarshal(manifest, &keys)
	for _, key := range []string{"module", "script", "build"} { // are the command line's
		delete(keys, key)
	}
	text, errJSON := json.Marshal(keys)
	if err = errors.Join(err, errJSON, json.Unmarshal(text, &f), f.Check()); err != nil {
		t.Fatal(err)
	}
	f.Limits.Timeout = protocol.Duration(time.Minute) // a busy machine compiles an interpreter for long
	return f
}

// addJavaScript adds the interpreter of JavaScript, or skips the test if it is not built.
func addJavaScript(t *testing.T, s *invokertest.Server) {
	t.Helper()
	dir := os.Getenv("RUNTIMES")
	if dir == "" {
		t.Skip("RUNTIMES names no folder of interpreters: make runtimes builds them")
	}
	bundle, err := os.ReadFile(filepath.Join(dir, "javascript.runtime.zip"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Client.AddRuntime(t.Context(), "javascript", bundle); err != nil {
		t.Fatal(err)
	}
}

// talkInRooms talks in two rooms, whose names begin alike.
func talkInRooms(t *testing.T, url, rooms string) {
	red, blue := rooms+"red", rooms+"blue"
	url += rooms
	ada, bob := dialChat(t, url+"red?name=Ada"), dialChat(t, url+"red?name=Bob&x=y")
	eve := dialChat(t, url+"blue?x&name=Eve")
	heard(t, ada, "welcome to "+red+", Ada")
	heard(t, bob, "welcome to "+red+", Bob")
	heard(t, eve, "welcome to "+blue+", Eve")
	say(t, ada, "Hello, 世界")
	heard(t, ada, "Ada: Hello, 世界")
	heard(t, bob, "Ada: Hello, 世界")
	say(t, bob, strings.Repeat("x", 4096))
	heard(t, ada, "Bob: "+strings.Repeat("x", 4096))
	if err := ada.WriteMessage(gorilla.TextMessage, []byte(strings.Repeat("x", 4097))); err != nil {
		t.Fatal(err)
	}
	var end *gorilla.CloseError
	if _, _, err := ada.ReadMessage(); !errors.As(err, &end) || end.Code != protocol.SocketFailed ||
		!strings.Contains(end.Text, "bad data") {
		t.Errorf("the end is %v", err)
	}
	heard(t, bob, "Bob: "+strings.Repeat("x", 4096))
	heard(t, bob, "Ada has left")
	say(t, eve, "alone")
	heard(t, eve, "Eve: alone")
	for _, query := range []string{"", "?name=", "?name=a%20b", "?name=%00", "?name=" + strings.Repeat("a", 25),
		"?nam=e"} {
		_, resp, err := gorilla.DefaultDialer.Dial(url+"red"+query, nil)
		if err == nil || resp == nil || resp.StatusCode != 403 {
			t.Errorf("%s: %v, %v", query, resp, err)
			continue
		}
		if body, _ := io.ReadAll(resp.Body); !strings.Contains(string(body), "not permitted") {
			t.Errorf("%s: %s", query, body)
		}
	}
}

// dialChat opens a connection, until the end of the test.
func dialChat(t *testing.T, url string) *gorilla.Conn {
	t.Helper()
	ws, resp, err := gorilla.DefaultDialer.Dial(url, nil)
	if err != nil {
		t.Fatalf("%s: %v, %+v", url, err, resp)
	}
	t.Cleanup(func() { _ = ws.Close() })
	_ = ws.SetReadDeadline(time.Now().Add(time.Minute))
	return ws
}

// say sends a text.
func say(t *testing.T, ws *gorilla.Conn, text string) {
	t.Helper()
	if err := ws.WriteMessage(gorilla.TextMessage, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// heard expects a text.
func heard(t *testing.T, ws *gorilla.Conn, want string) {
	t.Helper()
	kind, got, err := ws.ReadMessage()
	if err != nil || kind != gorilla.TextMessage || string(got) != want {
		t.Fatalf("got %.80q of kind %d, %v; want %.80q", got, kind, err, want)
	}
}
