package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker/gateway"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// sandbox is the runtime of all tests, so that each module is compiled once.
var sandbox runtimes.Runtime

// loadVariable makes the test's program a load generator.
const loadVariable = "POLYVOKE_GATEWAY_LOAD"

// generate is what a load generator does; nil where processor time cannot be measured.
var generate func()

func TestMain(m *testing.M) {
	if generate != nil && os.Getenv(loadVariable) != "" {
		generate()
		return
	}
	ctx := context.Background()
	rt, err := wasi.New(ctx, wasi.Config{})
	if err != nil {
		panic(err)
	}
	sandbox = rt
	code := m.Run()
	rt.Close(ctx)
	os.Exit(code)
}

// bed is a server with an invoker, and two gateways to it: one calls in the invoker's process, one over NATS.
type bed struct {
	*invokertest.Server
	invoker *invokertest.Invoker
	both    [2]*door
}

// door is a gateway and its HTTP server.
type door struct {
	name string
	*gateway.Gateway
	url    string
	client *http.Client
}

// newBed starts a bed. The functions change the configuration of both gateways.
func newBed(t testing.TB, change ...func(*gateway.Config)) *bed {
	t.Helper()
	s := invokertest.Start(t, func(c *invokertest.Config) {
		c.Invokers, c.Runtime, c.Stderr, c.Jobs = 0, sandbox, false, true
	})
	b := &bed{Server: s, invoker: s.StartInvoker()}
	b.both[0] = newDoor(t, "in process", b.invoker, s, change...)
	b.both[1] = newDoor(t, "over NATS", s.Client, s, change...)
	return b
}

// newDoor starts a gateway.
func newDoor(t testing.TB, name string, c protocol.Caller, s *invokertest.Server, change ...func(*gateway.Config)) *door {
	t.Helper()
	config := gateway.Config{Caller: c, Jobs: s.Client, Log: slog.New(slog.NewTextHandler(&testLog{t: t}, nil))}
	for _, f := range change {
		f(&config)
	}
	d := &door{name: name, Gateway: gateway.New(config)}
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	d.url = server.URL
	d.client = &http.Client{Timeout: patience, Transport: &http.Transport{DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(d.client.CloseIdleConnections)
	return d
}

// testLog writes lines to the output of a test that has not ended.
type testLog struct {
	mu sync.Mutex
	t  testing.TB
}

func (l *testLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.t.Context().Err() == nil {
		l.t.Log(strings.TrimSpace(string(p)))
	}
	return len(p), nil
}

// deploy deploys a function, and tells both gateways.
func (b *bed) deploy(t testing.TB, f protocol.Function, module []byte) {
	t.Helper()
	reply, err := b.Client.Deploy(t.Context(), f, module)
	if err != nil {
		t.Fatalf("deploy %s: %v", f.Name, err)
	}
	for _, d := range b.both {
		d.Apply(&reply.Function)
	}
}

// deployProbe deploys the conformance suite's probe with routes.
func (b *bed) deployProbe(t testing.TB, name string, routes ...protocol.HTTPRoute) {
	t.Helper()
	b.deploy(t, protocol.Function{Name: name, HTTP: routes}, runtimestest.Wasm())
}

// answer is what a client gets.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request. Headers are lines "Name: value".
func (d *door) ask(t testing.TB, method, path, body string, header ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, d.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		if r.Header.Add(name, value); name == "Host" {
			r.Host = value
		}
	}
	a, err := d.send(r)
	if err != nil {
		t.Fatalf("%s: %s %s: %v", d.name, method, path, err)
	}
	return a
}

// send sends a request and reads the answer.
func (d *door) send(r *http.Request) (answer, error) {
	resp, err := d.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(b)}, err
}

// uuidForm is what ids look like.
var uuidForm = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)

// String returns the answer as text, without what differs from one request to the next.
func (a answer) String() string {
	var b bytes.Buffer
	fmt.Fprintln(&b, a.status)
	var lines []string
	for name, values := range a.header {
		for _, v := range values {
			if name != "Date" {
				lines = append(lines, name+": "+uuidForm.ReplaceAllString(v, "ID"))
			}
		}
	}
	slices.Sort(lines)
	fmt.Fprintln(&b, strings.Join(lines, "\n"))
	b.WriteString(uuidForm.ReplaceAllString(a.body, "ID"))
	return b.String()
}

// same sends a request to both gateways, and returns the answer, which must be the same to the byte.
func (b *bed) same(t testing.TB, method, path, body string, header ...string) answer {
	t.Helper()
	first := b.both[0].ask(t, method, path, body, header...)
	if second := b.both[1].ask(t, method, path, body, header...); first.String() != second.String() {
		t.Errorf("%s %s differs: in process\n%s\nover NATS\n%s", method, path, first, second)
	}
	return first
}
