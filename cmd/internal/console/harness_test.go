package console

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/cmd/internal/console/recent"
	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/invoker/stats"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// deadline is how long a test waits for what must happen.
const deadline = 30 * time.Second

// bench is a console of a real invoker on a real NATS server.
type bench struct {
	*invokertest.Server
	t       *testing.T
	console *Console
	web     *httptest.Server
	calls   *recent.Calls
}

// start starts a console. The functions change its configuration.
func start(t *testing.T, change ...func(*Config)) *bench {
	t.Helper()
	return startWith(t, 1, change...)
}

// startWith is start with a number of invokers.
func startWith(t *testing.T, invokers int, change ...func(*Config)) *bench {
	t.Helper()
	b := &bench{t: t, calls: &recent.Calls{}}
	b.Server = invokertest.Start(t, func(c *invokertest.Config) {
		c.Invokers, c.Jobs, c.Stderr = invokers, true, false
		c.Invoker = func(v *invoker.Invoker) { v.Observers = []stats.Observer{b.calls} }
	})
	c := Config{Client: b.Client, Calls: b.calls, Version: "1.2.3", Gateway: echoGateway{b.Client},
		Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	for _, f := range change {
		f(&c)
	}
	var err error
	if b.console, err = New(c); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- b.console.Serve(ctx) }()
	b.web = httptest.NewServer(b.console)
	t.Cleanup(func() {
		stop()
		<-served
		b.web.Close()
	})
	return b
}

// echoGateway answers /fn/NAME as a gateway does, with as little as a test needs.
type echoGateway struct{ caller protocol.Caller }

func (g echoGateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	reply, err := g.caller.Call(r.Context(), &protocol.Request{
		Function: protocol.Ref{Name: strings.TrimPrefix(r.URL.Path, "/fn/")}, Body: b})
	if err := protocol.Failure(reply, err); err != nil {
		http.Error(w, err.Error(), protocol.CodeOf(err))
		return
	}
	w.Header().Set("X-Greeting", r.Header.Get("X-Greeting"))
	_, _ = w.Write(reply.Body)
}

// deploy deploys the probe, which does what its first argument says.
func (b *bench) deploy(name string, change ...func(*protocol.Function)) {
	b.t.Helper()
	b.Deploy(name, runtimestest.Wasm(), change...)
}

// do sends a request and returns the answer with its text.
func (b *bench) do(r *http.Request) (*http.Response, string) {
	b.t.Helper()
	browser := http.Client{Timeout: deadline, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	resp, err := browser.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp, string(text)
}

// request makes a request as a browser does from a page of the console.
func (b *bench) request(method, path string, form url.Values) *http.Request {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.web.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", b.web.URL)
	}
	return r
}

// get returns a page, which must be there.
func (b *bench) get(path string) string {
	b.t.Helper()
	resp, text := b.do(b.request(http.MethodGet, path, nil))
	if resp.StatusCode != http.StatusOK {
		b.t.Fatalf("%s: %s\n%s", path, resp.Status, text)
	}
	return text
}

// post sends a form and returns the page that comes back.
func (b *bench) post(path string, form url.Values) string {
	b.t.Helper()
	_, text := b.do(b.request(http.MethodPost, path, form))
	return text
}

// wants checks that a page has all texts in it.
func (b *bench) wants(page string, texts ...string) {
	b.t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			b.t.Errorf("the page does not have %q:\n%s", text, page)
		}
	}
}

// eventually waits until a page has a text in it.
func (b *bench) eventually(path, text string) string {
	b.t.Helper()
	for end := time.Now().Add(deadline); ; time.Sleep(50 * time.Millisecond) {
		page := b.get(path)
		if strings.Contains(page, text) {
			return page
		}
		if time.Now().After(end) {
			b.t.Fatalf("%s never had %q:\n%s", path, text, page)
		}
	}
}

// job gives a function a job and returns its name.
func (b *bench) job(function, body string, args ...string) string {
	b.t.Helper()
	receipt, err := b.Client.RunJob(b.t.Context(), &protocol.Request{Function: protocol.Ref{Name: function},
		Args: args, Body: []byte(body)}, client.JobOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	return receipt.Job
}
