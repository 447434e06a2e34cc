package console

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// TestGuard checks who may look, and from where.
func TestGuard(t *testing.T) {
	b := start(t, func(c *Config) { c.Hosts = []string{"console.example.org"} })
	for _, c := range []struct {
		about  string
		change func(r *http.Request)
		post   bool
		status int
	}{
		{"this machine", func(*http.Request) {}, false, 200},
		{"by name", func(r *http.Request) { r.Host = "LOCALHOST:8080" }, false, 200},
		{"by an address of IPv6", func(r *http.Request) { r.Host = "[::1]:8080" }, false, 200},
		{"by a name that is known", func(r *http.Request) { r.Host = "Console.example.org" }, false, 200},
		{"DNS rebinding", func(r *http.Request) { r.Host = "evil.example" }, false, 421},
		{"no name", func(r *http.Request) { r.Host = ""; r.Header.Set("Host", "") }, false, 421},
		{"a link elsewhere", func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			r.Header.Set("Sec-Fetch-Mode", "navigate")
		}, false, 200},
		{"a script elsewhere", func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			r.Header.Set("Sec-Fetch-Mode", "no-cors")
		}, false, 403},
		{"another service of this machine", func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "same-site")
			r.Header.Set("Sec-Fetch-Mode", "cors")
		}, false, 403},
		{"a proxy of this machine", func(r *http.Request) { r.Header.Set("X-Forwarded-For", "203.0.113.7") }, false, 403},
		{"elsewhere", func(r *http.Request) { r.RemoteAddr = "203.0.113.7:4000" }, false, 403},
		{"a form of the console", func(*http.Request) {}, true, 200},
		{"a form elsewhere (CSRF)", func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			r.Header.Set("Sec-Fetch-Mode", "navigate")
		}, true, 403},
		{"a form elsewhere, of an old browser", func(r *http.Request) {
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set("Origin", "http://evil.example")
		}, true, 403},
	} {
		method, path := http.MethodGet, "/_/"
		if c.post {
			method, path = http.MethodPost, "/_/dead"
		}
		r := b.request(method, path, url.Values{})
		r.RequestURI, r.RemoteAddr, r.Host = path, "127.0.0.1:4000", "127.0.0.1:8080"
		r.Header.Set("Origin", "http://127.0.0.1:8080")
		c.change(r)
		w := httptest.NewRecorder()
		b.console.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s: %d, want %d", c.about, w.Code, c.status)
		}
		if h := w.Header(); h.Get("Content-Security-Policy") != policy || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", c.about, h)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Error("the policy has holes")
	}
}

// TestToken logs in, and out again.
func TestToken(t *testing.T) {
	token := NewToken()
	b := start(t, func(c *Config) { c.Token = token })
	if resp, _ := b.do(b.request("GET", "/_/", nil)); resp.Header.Get("Location") != "/_/login" {
		t.Errorf("without a token: %s %v", resp.Status, resp.Header)
	}
	if resp, _ := b.do(b.request("GET", "/_/live/functions", nil)); resp.StatusCode != 401 {
		t.Errorf("events without a token: %s", resp.Status)
	}
	if resp, _ := b.do(b.request("POST", "/_/playground", url.Values{"function": {"f"}})); resp.StatusCode != 303 {
		t.Errorf("a call without a token: %s", resp.Status)
	}
	b.wants(b.get("/_/login"), "Token")
	resp, text := b.do(b.request("POST", "/_/login", url.Values{"token": {token + "x"}}))
	if resp.StatusCode != 401 || len(resp.Cookies()) != 0 {
		t.Errorf("with a wrong token: %s\n%s", resp.Status, text)
	}
	resp, _ = b.do(b.request("POST", "/_/login", url.Values{"token": {token}}))
	if len(resp.Cookies()) != 1 {
		t.Fatalf("with the token: %s, %v", resp.Status, resp.Cookies())
	}
	got := resp.Cookies()[0]
	if !got.HttpOnly || got.SameSite != http.SameSiteStrictMode || got.Path != Path || strings.Contains(got.Value, token) {
		t.Errorf("the cookie is %v", got)
	}
	r := b.request("GET", "/_/", nil)
	r.AddCookie(got)
	if resp, text := b.do(r); resp.StatusCode != 200 || !strings.Contains(text, "Log out") {
		t.Errorf("with the cookie: %s", resp.Status)
	}
	out := b.request("POST", "/_/logout", nil)
	out.AddCookie(got)
	b.do(out)
	r = b.request("GET", "/_/", nil)
	r.AddCookie(got)
	if resp, _ := b.do(r); resp.StatusCode != 303 {
		t.Errorf("after the end: %s", resp.Status)
	}
	var codes []int
	for range 2 * maxTries {
		resp, _ := b.do(b.request("POST", "/_/login", url.Values{"token": {"guess"}}))
		codes = append(codes, resp.StatusCode)
	}
	if !slices.Contains(codes, 429) {
		t.Errorf("guesses are answered %v", codes)
	}
}

// TestAdmit checks that the gateway's own access decides where there is one.
func TestAdmit(t *testing.T) {
	b := start(t, func(c *Config) {
		c.Token = "unused"
		c.Admit = func(r *http.Request) error {
			switch r.Header.Get("Authorization") {
			case "Bearer good":
				return nil
			case "":
				return errors.New("broken")
			}
			return protocol.Errorf(protocol.CodeForbidden, "", "this key is for other things")
		}
	})
	for key, status := range map[string]int{"Bearer good": 200, "Bearer bad": 403, "": 500} {
		r := b.request("GET", "/_/", nil)
		if key != "" {
			r.Header.Set("Authorization", key)
		}
		if resp, text := b.do(r); resp.StatusCode != status {
			t.Errorf("%q: %s, want %d\n%s", key, resp.Status, status, text)
		}
	}
}

// TestLogins checks that there is never more than a bounded number of logins.
func TestLogins(t *testing.T) {
	var l logins
	for i := range 2 * maxLogins {
		l.add(time.Now().Add(time.Duration(i) * time.Second))
	}
	if len(l.until) > maxLogins {
		t.Errorf("there are %d logins", len(l.until))
	}
}
