package functions_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/backend/functions"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// TestMain checks that no call is left when all runs have ended.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// callerFunc is a Caller.
type callerFunc func(ctx context.Context, r *protocol.Request) (*protocol.Reply, error)

func (f callerFunc) Call(ctx context.Context, r *protocol.Request) (*protocol.Reply, error) {
	return f(ctx, r)
}

// counted is a Caller that keeps the requests that another one gets.
type counted struct {
	protocol.Caller
	mu   sync.Mutex
	sent []protocol.Request
}

func (c *counted) Call(ctx context.Context, r *protocol.Request) (*protocol.Reply, error) {
	c.mu.Lock()
	c.sent = append(c.sent, *r)
	c.mu.Unlock()
	return c.Caller.Call(ctx, r)
}

// bodies returns the bodies of the requests.
func (c *counted) bodies() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := []string{}
	for _, r := range c.sent {
		all = append(all, string(r.Body))
	}
	return all
}

// serve starts an invoker with functions of the probe: by name, what argv has behind the name.
func serve(t *testing.T, probes map[string][]string) *invokertest.Server {
	t.Helper()
	s := invokertest.Start(t, func(c *invokertest.Config) { c.Memory, c.NATS.JetStream = true, false })
	for name, args := range probes {
		s.Deploy(name, runtimestest.Wasm(), func(f *protocol.Function) { f.Args = args })
	}
	return s
}

// run is /fn as a process sees it.
type run struct {
	*testing.T
	files.Tree
	t   *backend.Transaction
	mu  sync.Mutex
	log []string
}

// grants opens grants of functions, until the end of the test.
func grants(t *testing.T, caller protocol.Caller, f *protocol.Function) *backend.Grants {
	t.Helper()
	b := backend.Backend{Kinds: map[string]backend.Kind{"fn": functions.New(functions.Config{Caller: caller})}}
	g, err := b.Open(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

// start begins a run of a function with grants of others. Its call can be changed.
func start(t *testing.T, caller protocol.Caller, all []protocol.Grant, change ...func(*backend.Call)) *run {
	t.Helper()
	return startAs(t, &protocol.Function{Name: "caller", Version: 1, Grants: all}, caller, change...)
}

// startAs is start for a function with more to it.
func startAs(t *testing.T, f *protocol.Function, caller protocol.Caller, change ...func(*backend.Call)) *run {
	t.Helper()
	r := begin(t, grants(t, caller, f), change...)
	t.Cleanup(r.t.End)
	return r
}

// begin begins a run, which the caller ends.
func begin(t *testing.T, g *backend.Grants, change ...func(*backend.Call)) *run {
	t.Helper()
	r := &run{T: t}
	c := backend.Call{ID: func() string { return "seven" }, Output: 1 << 20, Deadline: time.Now().Add(time.Minute), Log: r.note}
	for _, change := range change {
		change(&c)
	}
	r.t = g.Begin(context.Background(), c)
	m := r.t.Mounts()
	if len(m) != 1 || m[0].Path != "/fn" {
		t.Fatalf("the mounts are %v", m)
	}
	r.Tree = m[0].Tree
	return r
}

// note is the function's log.
func (r *run) note(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, text)
}

// logged checks that exactly one line of the log has all of some words.
func (r *run) logged(words ...string) {
	r.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, line := range r.log {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			n++
		}
	}
	if n != 1 {
		r.Errorf("%d lines of the log have %q: %q", n, words, r.log)
	}
}

// grant returns grants of functions.
func grant(names ...string) (all []protocol.Grant) {
	for _, name := range names {
		all = append(all, protocol.Grant{Fn: name})
	}
	return all
}

// open opens a file.
func (r *run) open(name string, how files.Flags) files.File {
	r.Helper()
	f, err := r.Open(r.Context(), name, how)
	if err != nil {
		r.Fatal(err)
	}
	return f
}

// close closes a file.
func (r *run) close(f files.File) {
	r.Helper()
	if err := f.Close(r.Context()); err != nil {
		r.Error(err)
	}
}

// put writes a file as most languages do.
func (r *run) put(name, text string) {
	r.Helper()
	f := r.open(name, files.Write|files.Create|files.Truncate)
	r.write(f, text, 0)
	r.close(f)
}

// write writes to a position.
func (r *run) write(f files.File, text string, at int64) {
	r.Helper()
	if n, err := f.WriteAt(r.Context(), []byte(text), at); n != len(text) || err != nil {
		r.Errorf("writing %q: %d, %v", text, n, err)
	}
}

// readAll reads from a position to the end.
func readAll(ctx context.Context, f files.File, at int64) (string, error) {
	var all []byte
	b := make([]byte, 7)
	for {
		n, err := f.ReadAt(ctx, b, at)
		all = append(all, b[:n]...)
		at += int64(n)
		if errors.Is(err, io.EOF) {
			return string(all), nil
		} else if err != nil {
			return string(all), err
		}
	}
}

// get reads a file.
func (r *run) get(name string) (string, error) {
	r.Helper()
	f, err := r.Open(r.Context(), name, files.Read)
	if err != nil {
		return "", err
	}
	defer r.close(f)
	return readAll(r.Context(), f, 0)
}

// has checks what is in a file.
func (r *run) has(name, want string) {
	r.Helper()
	if got, err := r.get(name); got != want || err != nil {
		r.Errorf("%s has %q, %v; want %q", name, got, err, want)
	}
}
