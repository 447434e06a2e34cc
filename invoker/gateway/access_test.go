package gateway_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/gateway"
	"github.com/polyvoke/polyvoke/invoker/gateway/access"
	"github.com/polyvoke/polyvoke/invoker/gateway/access/keys"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// TestAccess lets clients in, on both ways: functions learn who they are, and nothing of what proves it.
func TestAccess(t *testing.T) {
	b := newBed(t)
	js, err := jetstream.New(b.Conn)
	if err != nil {
		t.Fatal(err)
	}
	store := keys.NewStore(js)
	k, text, err := store.Create(t.Context(), keys.Key{Functions: []string{"tell", "cgi", "raw"}})
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []protocol.Caller{b.invoker, b.Client} {
		g, err := access.New(access.Config{JetStream: js, Caller: c})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { _ = g.Serve(ctx) }) // it returns ctx's error
		t.Cleanup(func() { cancel(); running.Wait() })
		b.both[i] = newDoor(t, b.both[i].name, c, b.Server, func(c *gateway.Config) { c.Guard = g })
	}
	files := []string{"cat", "/request/headers/fn-auth"}
	b.deploy(t, protocol.Function{Name: "tell", Args: files, HTTP: []protocol.HTTPRoute{{Route: "/tell", Auth: "key"}}},
		runtimestest.Wasm())
	b.deploy(t, protocol.Function{Name: "other", Args: files, HTTP: []protocol.HTTPRoute{{Route: "/other", Auth: "key", Rate: "1/h"}}},
		runtimestest.Wasm())
	b.deploy(t, protocol.Function{Name: "raw", HTTP: []protocol.HTTPRoute{{Route: "/raw", Auth: "key", Request: "http"},
		{Route: "/asked", Auth: "key", Request: "http", Headers: []string{"X-Api-Key"}}}}, runtimestest.Wasm())
	b.deploy(t, protocol.Function{Name: "cgi", Args: []string{"env"}, HTTP: []protocol.HTTPRoute{{Route: "/cgi", Auth: "key", Request: "cgi"}}},
		runtimestest.Wasm())
	b.deploy(t, protocol.Function{Name: "open", Args: files, HTTP: []protocol.HTTPRoute{{Route: "/open", Rate: "1/h"}}}, runtimestest.Wasm())
	b.deploy(t, protocol.Function{Name: "asks", Args: []string{"cat", "/request/headers/fn-claim-from"},
		HTTP: []protocol.HTTPRoute{{Route: "/asks/{id}", Auth: "function judge", Headers: []string{}}}}, runtimestest.Wasm())
	b.deploy(t, protocol.Function{Name: "judge", Args: []string{"cat", "/request/headers/x-answer"}}, runtimestest.Wasm())
	for _, d := range b.both {
		t.Run(d.name, func(t *testing.T) {
			get := func(path string, headers ...string) (int, string, http.Header) {
				a := d.ask(t, http.MethodGet, path, "", headers...)
				return a.status, a.body, a.header
			}
			want := func(code int, words, path string, headers ...string) {
				t.Helper()
				if got, body, h := get(path, headers...); got != code || !strings.Contains(body, words) ||
					(got == 401) != (h.Get("WWW-Authenticate") != "") && got != 403 || (got == 429) != (h.Get("Retry-After") != "") {
					t.Errorf("%s %v: %d %s %v; want %d %s", path, headers, got, body, h, code, words)
				}
			}
			key := "X-Api-Key: " + text
			want(401, "needs a key", "/tell")
			want(200, "key:"+k.ID, "/tell", key)
			want(200, "key:"+k.ID, "/tell", "Authorization: Bearer "+text, "Fn-Auth: root")
			want(200, "key:"+k.ID, "/fn/tell", key)
			want(401, "needs a key", "/fn/tell")
			want(401, "needs a key", "/fn/tell@1")
			want(401, "needs a key", "/job/tell.7")
			want(403, "not for this route", "/other", key)
			want(404, "exit code 66", "/open") // there is nobody to tell of
			want(429, "too many requests", "/open")
			want(200, "from the judge", "/asks/7", `X-Answer: {"context":{"from":"from the judge"}}`)
			want(502, "judge fails", "/asks/7", "X-Answer: no")
			if _, body, _ := get("/raw", key); strings.Contains(body, text) || !strings.Contains(body, "GET /raw") {
				t.Errorf("the function is told the key: %s", body)
			}
			if _, body, _ := get("/asked", key); !strings.Contains(body, text) {
				t.Errorf("the function asks for the key, and gets %s", body)
			}
			code, body, _ := get("/cgi", "Authorization: Bearer "+text)
			if code != 200 || strings.Contains(body, text) || !strings.Contains(body, "REMOTE_USER=key:"+k.ID) {
				t.Errorf("%d %s", code, body)
			}
		})
	}
	if _, err := store.Revoke(t.Context(), k.ID); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for _, d := range b.both {
		for code := 0; code != 401; code = d.ask(t, http.MethodGet, "/tell", "", "X-Api-Key: "+text).status {
			select {
			case <-tick.C:
			case <-limit:
				t.Fatal("a key that is revoked is still valid")
			}
		}
	}
}
