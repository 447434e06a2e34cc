package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/invoker/gateway"
	"github.com/polyvoke/polyvoke/protocol"
)

// TestForeignPages checks what pages of other origins can have a browser do to functions on this machine: nothing, but
// for those that a route names, and to take the visitor there.
func TestForeignPages(t *testing.T) {
	b := newBed(t)
	b.deployProbe(t, "probe", protocol.HTTPRoute{Route: "/plain"}, protocol.HTTPRoute{Route: "/shared",
		CORS: &protocol.CORS{Origins: []string{"https://a.example"}}},
		protocol.HTTPRoute{Route: "/any", CORS: &protocol.CORS{Origins: []string{"*"}}})
	const cross, same, none = "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: none"
	navigate, document := "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"
	for _, tt := range []struct {
		about, method, path string
		header              []string
		status              int
	}{
		{"no browser", "POST", "/fn/probe", nil, 200},
		{"a form elsewhere", "POST", "/fn/probe", []string{cross, navigate, document, "Origin: https://a.example"}, 403},
		{"another port", "POST", "/plain", []string{"Sec-Fetch-Site: same-site", "Origin: http://localhost:3000"}, 403},
		{"an older browser", "POST", "/plain", []string{"Origin: https://a.example"}, 403},
		{"a page in a frame without origin", "POST", "/plain", []string{"Origin: null"}, 403},
		{"a job", "POST", "/job/probe", []string{cross, "Origin: https://a.example"}, 403},
		{"a picture", "GET", "/plain", []string{cross, "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"}, 403},
		{"a frame", "GET", "/plain", []string{cross, navigate, "Sec-Fetch-Dest: iframe"}, 403},
		{"a script's OPTIONS", "OPTIONS", "/plain", []string{cross, "Sec-Fetch-Mode: cors", "Origin: https://a.example"}, 403},
		{"a link", "GET", "/plain", []string{cross, navigate, document}, 204},
		{"the address bar", "GET", "/plain", []string{none, navigate, document}, 204},
		{"a page of its own", "POST", "/plain", []string{same}, 200},
		{"an origin that the route names", "POST", "/shared", []string{cross, "Origin: https://a.example"}, 200},
		{"one that it does not", "POST", "/shared", []string{cross, "Origin: https://b.example"}, 403},
		{"any origin", "POST", "/any", []string{cross, "Origin: https://b.example"}, 200},
	} {
		body := "x"
		if tt.method != "POST" {
			body = ""
		}
		if a := b.same(t, tt.method, tt.path, body, tt.header...); a.status != tt.status ||
			a.status == 403 && !strings.Contains(a.body, "another origin") {
			t.Errorf("%s: %d %s, want %d", tt.about, a.status, a.body, tt.status)
		}
	}
	proxied := newDoor(t, "behind a proxy", b.Client, b.Server, func(c *gateway.Config) {
		c.Peer = func(*http.Request) (string, bool) { return "192.0.2.1", true }
	})
	if a := proxied.ask(t, "POST", "/fn/probe", "x", cross); a.status != 200 {
		t.Errorf("behind a trusted proxy: %d %s", a.status, a.body)
	}
	r := httptest.NewRequest("POST", "http://functions.example/fn/probe", strings.NewReader("x"))
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	if b.both[1].ServeHTTP(w, r); w.Code != 200 {
		t.Errorf("by a connection that is not this machine's: %d %s", w.Code, w.Body)
	}
}
