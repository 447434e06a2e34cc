package gateway_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/invoker/gateway"
	"github.com/polyvoke/polyvoke/invoker/gateway/access"
	"github.com/polyvoke/polyvoke/protocol"
)

// Bodies come as the client likes them best, if they are long enough, and if the function lets them.
func TestCompression(t *testing.T) {
	b := newBed(t)
	b.deployProbe(t, "probe", probeRoutes...)
	text := strings.Repeat("All work and no play makes Jack a dull boy.\n", 100)
	typed := "Content-Type: application/json\nEtag: \"1\"\n\n" + text
	for _, tt := range []struct{ about, path, body, accept, coding string }{
		{"zstd first", "/fn/probe", text, "gzip, deflate, br, zstd", "zstd"},
		{"gzip", "/fn/probe", text, "gzip", "gzip"},
		{"by weight", "/fn/probe", text, "zstd;q=0.5, gzip;q=0.9", "gzip"},
		{"any", "/fn/probe", text, "*", "zstd"},
		{"any but one", "/fn/probe", text, "*, zstd;q=0", "gzip"},
		{"none", "/fn/probe", text, "identity", ""},
		{"not wanted", "/fn/probe", text, "gzip;q=0, zstd;q=0", ""},
		{"another", "/fn/probe", text, "br", ""},
		{"nonsense", "/fn/probe", text, "gzip;q=x", ""},
		{"short", "/fn/probe", "short", "gzip", ""},
		{"noise", "/fn/probe", "\x89PNG\r\n\x1a\n" + text, "gzip", ""},
		{"a function's type", "/cgi", typed, "gzip", "gzip"},
		{"a function's coding", "/cgi", "Content-Encoding: br\n" + typed, "gzip", "br"},
		{"not to be changed", "/cgi", "Cache-Control: no-transform\n" + typed, "gzip", ""},
	} {
		a := b.same(t, "POST", tt.path, tt.body, "Accept-Encoding: "+tt.accept)
		if got := a.header.Get("Content-Encoding"); got != tt.coding {
			t.Errorf("%s: coding %q, want %q", tt.about, got, tt.coding)
		}
		if tt.coding == "gzip" || tt.coding == "zstd" {
			if got := decode(t, tt.coding, a.body); !strings.HasSuffix(tt.body, got) || got == "" {
				t.Errorf("%s: the body is %.60q", tt.about, got)
			}
			if !strings.Contains(a.header.Get("Vary"), "Accept-Encoding") {
				t.Errorf("%s: no Vary", tt.about)
			}
			if tag := a.header.Get("Etag"); tag != "" && tag != `W/"1"` {
				t.Errorf("%s: Etag %s", tt.about, tag)
			}
		}
	}
}

// decode returns a body without its coding.
func decode(t *testing.T, coding, body string) string {
	t.Helper()
	var r io.Reader = strings.NewReader(body)
	var err error
	if coding == "gzip" {
		r, err = gzip.NewReader(r)
	} else {
		r, err = zstd.NewReader(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := out.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// A client that has what a function answers with is told so.
func TestConditions(t *testing.T) {
	b := newBed(t)
	b.deployProbe(t, "probe", protocol.HTTPRoute{Route: "GET /cgi", Reply: protocol.HTTPCGI})
	const at = "Mon, 02 Jan 2006 15:04:05 GMT"
	output := "Content-Type: text/plain\nEtag: \"a\"\nLast-Modified: " + at + "\n\nhello"
	for _, tt := range []struct {
		header string
		want   int
	}{
		{`If-None-Match: "a"`, 304}, {`If-None-Match: W/"a"`, 304}, {`If-None-Match: "b", "a"`, 304},
		{`If-None-Match: *`, 304},
		{`If-None-Match: "b"`, 200}, {"If-Modified-Since: " + at, 304},
		{"If-Modified-Since: Sun, 01 Jan 2006 15:04:05 GMT", 200}, {"If-Modified-Since: yesterday", 200},
	} {
		a := b.same(t, "GET", "/cgi", output, tt.header)
		if a.status != tt.want || a.header.Get("Etag") != `"a"` || (a.body == "") != (tt.want == 304) {
			t.Errorf("%s: %s", tt.header, a)
		}
	}
	if a := b.same(t, "GET", "/cgi", "Status: 404\nEtag: \"a\"\n\n", `If-None-Match: "a"`); a.status != 404 {
		t.Errorf("a failure: %s", a)
	}
}

// corsRules are those of the routes of TestCORS.
var corsRules = &protocol.CORS{Origins: []string{"https://a.example"}, Headers: []string{"x-one"},
	Expose: []string{"etag"}, Credentials: true, MaxAge: protocol.Duration(time.Hour)}

// What a browser asks before a script's request is answered without a call, by the route's rules alone.
func TestCORS(t *testing.T) {
	b := newBed(t)
	b.deployProbe(t, "probe", protocol.HTTPRoute{Route: "PUT /one", CORS: corsRules, Reply: protocol.HTTPCGI},
		protocol.HTTPRoute{Route: "/any", CORS: &protocol.CORS{Origins: []string{"*"}}},
		protocol.HTTPRoute{Route: "PUT /none"})
	ask := func(path, origin, method string) http.Header {
		t.Helper()
		a := b.same(t, "OPTIONS", path, "", "Origin: "+origin, "Access-Control-Request-Method: "+method,
			"Access-Control-Request-Headers: x-two")
		if a.status != 204 {
			t.Errorf("%s of %s: %s", method, origin, a)
		}
		return a.header
	}
	h := ask("/one", "https://a.example", "PUT")
	for name, want := range map[string]string{"Origin": "https://a.example", "Methods": "PUT", "Headers": "x-one",
		"Credentials": "true"} {
		if got := h.Get("Access-Control-Allow-" + name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if h.Get("Access-Control-Max-Age") != "3600" || !strings.Contains(strings.Join(h["Vary"], ","), "Origin") {
		t.Errorf("the answer is %v", h)
	}
	if h := ask("/any", "https://b.example", "PATCH"); h.Get("Access-Control-Allow-Origin") != "*" ||
		h.Get("Access-Control-Allow-Headers") != "x-two" {
		t.Errorf("any origin: %v", h)
	}
	for _, refused := range [][3]string{{"/one", "https://b.example", "PUT"}, {"/none", "https://a.example", "PUT"},
		{"/one", "null", "PUT"}, {"/one", "https://a.example.evil", "PUT"}, {"/fn/probe", "https://a.example", "POST"}} {
		if h := ask(refused[0], refused[1], refused[2]); h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%q is let in: %v", refused, h)
		}
	}
	a := b.same(t, "PUT", "/one", "Status: 200\nAccess-Control-Allow-Origin: *\n\nx", "Origin: https://a.example")
	if a.header.Get("Access-Control-Allow-Origin") != "https://a.example" ||
		a.header.Get("Access-Control-Expose-Headers") != "etag" {
		t.Errorf("an answer: %s", a)
	}
	if a := b.same(t, "PUT", "/one", "no answer", "Origin: https://a.example"); a.status != 502 ||
		a.header.Get("Access-Control-Allow-Origin") != "https://a.example" {
		t.Errorf("a failure: %s", a)
	}
	if a := b.same(t, "PUT", "/one", "Status: 200\nAccess-Control-Allow-Origin: *\n\nx"); a.header.Get(
		"Access-Control-Allow-Origin") != "" {
		t.Errorf("without an origin: %s", a)
	}
}

// doorman lets in whoever has the password.
type doorman struct{}

func (doorman) Check(string) error { return nil }
func (doorman) Forget(string)      {}

func (doorman) Admit(_ context.Context, r *http.Request, w access.Want) (access.Identity, error) {
	if w.Auth != protocol.AuthKey {
		return access.Identity{Kind: access.KindNone}, nil
	}
	if r.Header.Get("Authorization") != "Bearer secret" {
		return access.Identity{}, &protocol.Error{Code: 401, Msg: "no"}
	}
	return access.Identity{Kind: access.KindKey, Credential: "Authorization"}, nil
}

// Who may use a route is decided before its body is read, and the function does not get the secret.
func TestGuard(t *testing.T) {
	routes := []protocol.HTTPRoute{{Route: "/cat/{mode}/{a}", Args: true, Auth: protocol.AuthKey}, {Route: "/open"}}
	b := newBed(t, func(c *gateway.Config) { c.Guard = doorman{} })
	b.deployProbe(t, "probe", routes...)
	const path = "/cat/cat/%2Frequest%2Fheaders%2Fauthorization"
	if a := b.same(t, "POST", path, strings.Repeat("x", 9<<20)); a.status != 401 {
		t.Errorf("without a key: %s", a)
	}
	a := b.same(t, "POST", path, "", "Authorization: Bearer secret")
	if a.status != 404 || !strings.Contains(a.body, `"exit":66`) {
		t.Errorf("the function has the key: %s", a)
	}
	if a := b.same(t, "POST", "/open", "x"); a.status != 200 {
		t.Errorf("a route for all: %s", a)
	}
	b = newBed(t)
	b.deployProbe(t, "probe", append(routes, protocol.HTTPRoute{Route: "/rated", Rate: "1/s"})...)
	for _, path := range []string{path, "/rated"} {
		if a := b.same(t, "POST", path, "x"); a.status != 501 {
			t.Errorf("%s without a guard: %s", path, a)
		}
	}
}

// asked is a guard that remembers what a route has asked of a client, and lets nobody in.
type asked struct {
	doorman
	want chan access.Want
}

// Admit implements gateway.Guard.
func (a asked) Admit(_ context.Context, _ *http.Request, w access.Want) (access.Identity, error) {
	a.want <- w
	return access.Identity{}, &protocol.Error{Code: protocol.CodeNoIdentity, Msg: "nobody"}
}

// Whoever calls a function by its name must be what its routes demand, and calls it no more often than they allow.
func TestByName(t *testing.T) {
	for _, test := range []struct {
		about, auth, rate string
		routes            []protocol.HTTPRoute
		refused           bool
	}{
		{"no routes", "", "", nil, false},
		{"routes for everybody", "", "", []protocol.HTTPRoute{{Route: "/a"}, {Route: "/b", Auth: protocol.AuthNone}}, false},
		{"a key, later", protocol.AuthKey, "", []protocol.HTTPRoute{{Route: "/a"}, {Route: "/b", Auth: protocol.AuthKey}}, false},
		{"the lowest rate", "", "10/m", []protocol.HTTPRoute{{Route: "/a", Rate: "5/s"}, {Route: "/b", Rate: "10/m"},
			{Route: "/c"}}, false},
		{"two ways", "", "", []protocol.HTTPRoute{{Route: "/a", Auth: protocol.AuthJWT}, {Route: "/b", Auth: protocol.AuthKey}},
			true},
	} {
		want := make(chan access.Want, 1)
		g := gateway.New(gateway.Config{Caller: nobody{}, Guard: asked{want: want}, Jobs: new(client.Client)})
		g.Apply(&protocol.Function{Name: "f", HTTP: test.routes})
		var wants []access.Want
		for _, path := range []string{"/fn/f", "/fn/f@1/x", "/job/f"} {
			w := httptest.NewRecorder()
			g.ServeHTTP(w, httptest.NewRequest("POST", path, nil))
			if test.refused {
				if w.Code != 403 || len(want) != 0 {
					t.Errorf("%s: %s answers %d", test.about, path, w.Code)
				}
				continue
			}
			if w.Code != 401 {
				t.Fatalf("%s: %s answers %d %s", test.about, path, w.Code, w.Body)
			}
			wants = append(wants, <-want)
		}
		rate, _ := protocol.ParseRate(test.rate)
		for _, got := range wants {
			if got.Auth != test.auth || got.Rate != rate || got.Route != wants[0].Route {
				t.Errorf("%s: the gateway asks for %+v", test.about, got)
			}
		}
	}
}

// nobody is a Caller that nothing is to be asked of.
type nobody struct{}

// Call implements protocol.Caller.
func (nobody) Call(context.Context, *protocol.Request) (*protocol.Reply, error) {
	return nil, errors.New("somebody was let in")
}

// The environment of a CGI program is the same on both ways, and has no traps in it.
func TestCGIEnvironment(t *testing.T) {
	b := newBed(t)
	b.deployProbe(t, "probe", protocol.HTTPRoute{Route: "/cgi/{mode}/{rest...}", Args: true, Request: protocol.HTTPCGI})
	a := b.same(t, "POST", "/cgi/env/a%20b/c?x=y&z", "hello", "Host: me.example:8080", "Content-Type: text/x",
		"Proxy: http://evil", "X-Mine: 1", "X-Mine: 2", "X_Mine: forged", "Content_Type: forged", "Cookie: a=b",
		"Authorization: Basic x")
	env := strings.Split(a.body, "\x00")
	for _, want := range []string{"REQUEST_METHOD=POST", "QUERY_STRING=x=y&z", "CONTENT_TYPE=text/x", "CONTENT_LENGTH=5",
		"SCRIPT_NAME=/cgi/env", "PATH_INFO=/a b/c", "PATH_TRANSLATED=/a b/c",
		"X_RAW_PATH_INFO=/a%20b/c",
		"X_MATCHED_ROUTE=/cgi/:mode/...", "X_FULL_URL=http://me.example:8080/cgi/env/a%20b/c?x=y&z", "SERVER_NAME=me.example",
		"SERVER_PORT=8080", "REMOTE_ADDR=127.0.0.1", "GATEWAY_INTERFACE=CGI/1.1", "HTTP_X_MINE=1, 2", "HTTP_COOKIE=a=b",
		"HTTP_AUTHORIZATION=Basic x", "HTTP_HOST=me.example:8080", "AUTH_TYPE=", "REMOTE_USER="} {
		found := false
		for _, e := range env {
			found = found || e == want
		}
		if !found {
			t.Errorf("no %s in %q", want, env)
		}
	}
	if strings.Contains(a.body, "evil") || strings.Contains(a.body, "forged") {
		t.Errorf("a trap: %q", env)
	}
}
