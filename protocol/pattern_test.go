package protocol

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

// seedPatterns are patterns of all kinds, good and bad.
var seedPatterns = []string{"/", "/a", "/a/", "/a/{$}", "/{x}", "/{x}/", "/{x...}", "/a/{x}/b", "/a/{x}/{y}", "/{x}/b/{y}",
	"GET /a", "HEAD /a", "POST /a", "GET /a/{x...}", "example.org/a", "GET example.org/{x}/", "/a%20b", "/%7Bx%7D", "/a//b",
	"/a/./b", "/{x}/{x}", "/{X}/{x}", "/{}", "/a{x}", "/{x...}/b", "/{$}/b", "get /a", "GET  /a", "a", "", "/ü", "/a?b",
	"Example.org/", "example.org:80/", "/%2f", "/%", "CONNECT /a", "/a/{rest...}", "/{a}/{b}/{c...}", "/{$}"}

// muxTakes reports whether a ServeMux takes patterns, one after the other.
func muxTakes(patterns ...string) (ok bool) {
	defer func() { ok = recover() == nil }()
	mux := http.NewServeMux()
	for _, p := range patterns {
		mux.Handle(p, http.NotFoundHandler())
	}
	return true
}

// FuzzHTTPPattern holds patterns to net/http's: it takes all that are taken here, finds the same conflicts, and the
// same values for wildcards.
func FuzzHTTPPattern(f *testing.F) {
	for _, a := range seedPatterns {
		for _, b := range seedPatterns {
			f.Add(a, b, "/a/b%2Fc/d")
		}
	}
	f.Fuzz(func(t *testing.T, a, b, path string) {
		p, err := ParseHTTPPattern(a)
		if err != nil {
			return
		}
		if !muxTakes(a) {
			t.Fatalf("a ServeMux does not take %q", a)
		}
		checkParams(t, a, &p, path)
		q, err := ParseHTTPPattern(b)
		if err != nil {
			return
		}
		conflict := p.Conflicts(&q)
		if conflict == muxTakes(a, b) || q.Conflicts(&p) != conflict {
			t.Errorf("%q and %q: conflict %t, and not for a ServeMux", a, b, conflict)
		}
		if conflict && !overlap(p.Tokens(), q.Tokens()) {
			t.Errorf("%q and %q conflict, and %q and %q do not overlap", a, b, p.Tokens(), q.Tokens())
		}
	})
}

// overlap is Overlap for tokens.
func overlap(a, b []string) bool {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] == ">" || b[0] == ">":
			return true
		case a[0] != b[0] && a[0] != "*" && b[0] != "*":
			return false
		}
		a, b = a[1:], b[1:]
	}
	return len(a) == len(b)
}

// checkParams compares the values of wildcards with those that a ServeMux finds.
func checkParams(t *testing.T, pattern string, p *HTTPPattern, path string) {
	t.Helper()
	u, err := url.ParseRequestURI(path)
	if err != nil || u.Path == "" || u.Path[0] != '/' || u.Host != "" {
		return
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.URL = &url.URL{Path: u.Path, RawPath: u.RawPath}
	r.Host = p.Host
	if p.Method != "" {
		r.Method = p.Method
	}
	mux := http.NewServeMux()
	mux.HandleFunc(pattern, func(_ http.ResponseWriter, r *http.Request) {
		for _, param := range p.Params(r.URL.EscapedPath()) {
			value, err := url.PathUnescape(param.Value)
			if err != nil || value != r.PathValue(param.Name) {
				t.Errorf("%q, %q: {%s} is %q (%v), want %q", pattern, path, param.Name, value, err, r.PathValue(param.Name))
			}
		}
		if front, rest := p.Split(r.URL.EscapedPath()); front+rest != r.URL.EscapedPath() || rest != "" && rest[0] != '/' {
			t.Errorf("%q: %q is divided into %q and %q", pattern, path, front, rest)
		}
	})
	mux.ServeHTTP(httptest.NewRecorder(), r)
}

// Patterns that cannot be are refused with what to do.
func TestHTTPPattern(t *testing.T) {
	for pattern, want := range map[string]bool{
		"GET /orders/{id}": true, "example.org/": true, "/files/{path...}": true, "/{$}": true, "/a%20b": true,
		"": false, "orders": false, "get /": false, "GET  /": false, "CONNECT /": false, "/a//b": false, "/a/../b": false,
		"Example.org/": false, "example.org:80/": false, "/{1x}": false, "/{ü}": false, "/ü": false, "/{Id}/{id}": false,
		"/a?b": false, "/%zz": false, "/{x...}/y": false, "/x{y}": false, "/{x}y": false, "/\r\n": false,
	} {
		if _, err := ParseHTTPPattern(pattern); (err == nil) != want {
			t.Errorf("%q: %v", pattern, err)
		} else if err != nil && CodeOf(err) != CodeRefused {
			t.Errorf("%q: code %d", pattern, CodeOf(err))
		}
	}
}

func ExampleHTTPPattern_Conflicts() {
	p, _ := ParseHTTPPattern("GET /orders/{id}")
	for _, s := range []string{"GET /orders/new", "GET /orders/{name}", "POST /orders/{id}", "/orders/{id}"} {
		q, _ := ParseHTTPPattern(s)
		fmt.Println(s, p.Conflicts(&q))
	}
	// Output:
	// GET /orders/new false
	// GET /orders/{name} true
	// POST /orders/{id} false
	// /orders/{id} false
}
