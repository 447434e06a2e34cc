package access

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/polyvoke/polyvoke/invoker/gateway/access/keys"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/invoker/invokertest/await"
	"github.com/polyvoke/polyvoke/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve starts a guard that ends with the test.
func serve(t testing.TB, c Config) *Guard {
	t.Helper()
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = g.Serve(ctx) }) // it returns ctx's error
	t.Cleanup(func() { cancel(); running.Wait() })
	return g
}

// mount starts an HTTP server whose every request wants the same, and answers with who its client is.
func mount(t testing.TB, g *Guard, w Want) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w := w
		w.Client, _, _ = strings.Cut(r.RemoteAddr, ":")
		id, err := g.Admit(r.Context(), r, w)
		if err != nil {
			rw.Header().Set("WWW-Authenticate", Challenge(err))
			if after := RetryAfter(err); after > 0 {
				rw.Header().Set("Retry-After", after.String())
			}
			http.Error(rw, err.Error(), protocol.CodeOf(err))
			return
		}
		h := protocol.Header{"Fn-Auth": {"forged"}, "fn-claim-sub": {"forged"}, "Accept": {"x"}}
		id.Put(h)
		_ = json.NewEncoder(rw).Encode(h)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// answered is what a client got.
type answered struct {
	code int
	http.Header
	body string
	auth protocol.Header
}

// ask sends a request with headers: NAME: VALUE.
func ask(t testing.TB, url string, headers ...string) (a answered) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a = answered{code: resp.StatusCode, Header: resp.Header, body: string(b)}
	_ = json.Unmarshal(b, &a.auth) // if it is that
	return a
}

// want checks an answer's code.
func (a answered) want(t testing.TB, code int, words ...string) answered {
	t.Helper()
	if a.code != code {
		t.Errorf("%d %s; want %d", a.code, a.body, code)
	}
	for _, w := range words {
		if !strings.Contains(a.body+a.Get("WWW-Authenticate"), w) {
			t.Errorf("%d %s %v does not say %q", a.code, a.body, a.Header, w)
		}
	}
	return a
}

// store returns a JetStream, and keys on it.
func store(t testing.TB) (jetstream.JetStream, *keys.Store) {
	t.Helper()
	js, err := jetstream.New(invokertest.Connect(t, invokertest.StartNATS(t)))
	if err != nil {
		t.Fatal(err)
	}
	return js, keys.NewStore(js)
}

// create makes a key.
func create(t testing.TB, s *keys.Store, k keys.Key) (keys.Key, string) {
	t.Helper()
	k, text, err := s.Create(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	return k, text
}

// TestConfig refuses settings that are wrong, and names them.
func TestConfig(t *testing.T) {
	tokens := func(change func(*Tokens)) Config {
		c := Tokens{Keys: "https://issuer.example/keys", Issuer: "https://issuer.example", Audience: []string{"me"}}
		change(&c)
		return Config{Tokens: c}
	}
	for words, c := range map[string]Config{
		"auth = \"maybe\"":             {Default: "maybe"},
		"auth = \"function a b\"":      {Default: "function a b"},
		"no JetStream":                 {Default: "key"},
		"takes no tokens":              {Default: "jwt"},
		"nobody to call it":            {Default: "function check"},
		"--jwt-issuer":                 tokens(func(c *Tokens) { c.Issuer = "" }),
		"--jwt-audience":               tokens(func(c *Tokens) { c.Audience = nil }),
		"--jwt-audience ":              tokens(func(c *Tokens) { c.Audience = []string{""} }),
		"--jwt-keys FILE":              tokens(func(c *Tokens) { c.Keys = "" }),
		"use https":                    tokens(func(c *Tokens) { c.Keys = "http://issuer.example/keys" }),
		"write https":                  tokens(func(c *Tokens) { c.Keys = "https://u:p@issuer.example/keys" }),
		"use https,":                   tokens(func(c *Tokens) { c.Keys = "ftp://127.0.0.1/keys" }),
		"no such file":                 tokens(func(c *Tokens) { c.Keys = "/nowhere/keys.json" }),
		"--jwt-algorithm \"none\"":     tokens(func(c *Tokens) { c.Algorithms = []string{"RS256", "none"} }),
		"--jwt-algorithm \"HS256\"":    tokens(func(c *Tokens) { c.Algorithms = []string{"HS256"} }),
		"--jwt-skew":                   tokens(func(c *Tokens) { c.Skew = time.Hour }),
		"--jwt-claim \"a b\"":          tokens(func(c *Tokens) { c.Claims = []string{"a b"} }),
		"same header":                  tokens(func(c *Tokens) { c.Claims = []string{"sub", "SUB=x"} }),
		"17 claims":                    tokens(func(c *Tokens) { c.Claims = make([]string, 17) }),
		"a timeout of":                 {Authorizers: Authorizers{Timeout: time.Hour}},
		"not the name of a header":     {Authorizers: Authorizers{Identity: []string{"a b"}}},
		"headers of identity; at most": {Authorizers: Authorizers{Identity: make([]string, 9)}},
		"must not be negative":         {Authorizers: Authorizers{Calls: -1}},
	} {
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(words)) {
			t.Errorf("%s: %v", words, err)
		}
	}
	g := serve(t, Config{})
	for auth, ok := range map[string]bool{"": true, "none": true, "key": false, "jwt": false,
		"function x": false, "x": false} {
		if err := g.Check(auth); (err == nil) != ok {
			t.Errorf("Check(%q) = %v", auth, err)
		}
		code := 503
		if ok {
			code = 200
		}
		a := ask(t, mount(t, g, Want{Auth: auth})).want(t, code)
		if ok && (a.auth["Fn-Auth"] != nil || a.auth["fn-claim-sub"] != nil || a.auth["Accept"] == nil) {
			t.Errorf("%v", a.auth)
		}
	}
}

// TestKeys lets clients in who have a key, as long as they have it.
func TestKeys(t *testing.T) {
	js, s := store(t)
	now := newClock()
	g := serve(t, Config{JetStream: js, Now: now.now})
	url := mount(t, g, Want{Auth: "key", Function: "greet", Route: "GET /x"})
	ask(t, url).want(t, 401, "needs a key", `Bearer realm="polyvoke"`)
	k, text := create(t, s, keys.Key{})
	_, narrow := create(t, s, keys.Key{Functions: []string{"other"}})
	_, routed := create(t, s, keys.Key{Routes: []string{"GET /x"}})
	_, brief := create(t, s, keys.Key{Created: now.now(), Expires: now.now().Add(time.Minute)})
	await.Until(t, "the keys are known", func() bool { return ask(t, url, "X-Api-Key: "+brief).code == 200 })
	a := ask(t, url, "X-Api-Key: "+text).want(t, 200)
	if a.auth["Fn-Auth"][0] != "key:"+k.ID || len(a.auth) != 2 {
		t.Errorf("%v", a.auth)
	}
	for _, h := range []string{"Authorization: Bearer ", "authorization: bearer   ", "AUTHORIZATION: BEARER "} {
		ask(t, url, h+text).want(t, 200)
	}
	ask(t, url, "X-Api-Key: "+routed).want(t, 200)
	ask(t, url, "X-Api-Key: "+narrow).want(t, 403, "not for this route", "insufficient_scope")
	ask(t, url+"?api_key="+text+"&key="+text).want(t, 401, "needs a key")
	ask(t, url, "Cookie: key="+text).want(t, 401)
	ask(t, url, "Authorization: Basic "+text).want(t, 401, "needs a key")
	ask(t, url, "Authorization: Bearer").want(t, 401)
	ask(t, url, "Authorization: Bearer "+text+", Bearer "+text).want(t, 401, "not valid", "invalid_token")
	ask(t, url, "Authorization: Bearer "+text, "Authorization: Bearer "+text).want(t, 401, "2 Authorization headers")
	ask(t, url, "X-Api-Key: "+text, "X-Api-Key: "+narrow).want(t, 401, "2 X-Api-Key headers")
	ask(t, url, "X-Api-Key: "+text, "Authorization: Bearer "+narrow).want(t, 401, "two keys")
	ask(t, url, "X-Api-Key: "+text, "Authorization: Bearer something").want(t, 200)
	ask(t, url, "X-Api-Key: "+strings.Repeat("x", 100_000)).want(t, 401)
	if a := ask(t, url, "X-Api-Key: "+text[:len(text)-1]); strings.Contains(a.body, text[:20]) {
		t.Errorf("the answer has the key: %s", a.body)
	}
	now.add(time.Minute)
	ask(t, url, "X-Api-Key: "+brief).want(t, 401, "expired")
	ask(t, url, "X-Api-Key: "+text).want(t, 200)
	if _, err := s.Revoke(t.Context(), k.ID); err != nil {
		t.Fatal(err)
	}
	await.Until(t, "the key is not valid any more", func() bool { return ask(t, url, "X-Api-Key: "+text).code == 401 })
}

// TestKeysUnknown lets nobody in as long as keys cannot be read.
func TestKeysUnknown(t *testing.T) {
	js, s := store(t)
	_, text := create(t, s, keys.Key{})
	g, err := New(Config{JetStream: js}) // it does not serve
	if err != nil {
		t.Fatal(err)
	}
	defer g.tasks.end()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	r.Header.Set("X-Api-Key", text)
	if _, err := g.Admit(ctx, r, Want{Auth: "key"}); protocol.CodeOf(err) != 503 || RetryAfter(err) != time.Second {
		t.Errorf("%v", err)
	}
}

// TestBucketOnFirstUse makes no bucket, whatever clients send.
func TestBucketOnFirstUse(t *testing.T) {
	js, _ := store(t)
	url := mount(t, serve(t, Config{JetStream: js}), Want{Auth: "key"})
	ask(t, url, "X-Api-Key: pv_"+strings.Repeat("a", 62)).want(t, 401)
	if _, err := js.KeyValue(t.Context(), keys.Bucket); err == nil {
		t.Error("a request has made the bucket")
	}
}

// clock is a clock that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Now()} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// BenchmarkAdmitKey is what a key costs a request.
func BenchmarkAdmitKey(b *testing.B) {
	js, s := store(b)
	k, text := create(b, s, keys.Key{Rate: "1000000/s", Functions: []string{"greet"}})
	g := serve(b, Config{JetStream: js})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+text)
	w := Want{Auth: "key", Function: "greet", Route: "GET /x", Client: "127.0.0.1",
		Rate: protocol.Rate{Count: protocol.MaxRate, Per: time.Second}}
	await.Until(b, "the key is known", func() bool {
		_, err := g.Admit(b.Context(), r, w)
		return err == nil
	})
	b.ReportAllocs()
	for b.Loop() {
		if id, err := g.Admit(b.Context(), r, w); id.Name != k.ID && RetryAfter(err) == 0 {
			b.Fatal(err)
		}
	}
}

// BenchmarkAdmitNone is what a route costs that needs nobody's permission and has a rate.
func BenchmarkAdmitNone(b *testing.B) {
	g := serve(b, Config{})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	w := Want{Route: "GET /x", Client: "127.0.0.1", Rate: protocol.Rate{Count: protocol.MaxRate, Per: time.Millisecond}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Admit(b.Context(), r, w); err != nil {
			b.Fatal(err)
		}
	}
}

// ref returns a function's latest version.
func ref(name string) protocol.Ref { return protocol.Ref{Name: name} }
