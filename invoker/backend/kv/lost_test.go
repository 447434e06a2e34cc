package kv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
)

// wire is how a client connects, with accidents.
type wire struct {
	mu      sync.Mutex
	conns   []net.Conn
	swallow int    // messages with what is in match that go out, of which the last takes the connection with it
	match   string // or nothing
	deaf    bool   // nothing comes in
	down    bool   // there are no new connections
	hit     chan struct{}
}

// Dial implements nats.CustomDialer.
func (w *wire) Dial(network, address string) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down {
		return nil, errors.New("down")
	}
	c, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	w.conns = append(w.conns, c)
	return &wireConn{c, w}, nil
}

// cut ends all connections.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		c.Close()
	}
	w.conns, w.deaf = nil, false
}

// set changes what happens.
func (w *wire) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// wireConn is a connection with accidents.
type wireConn struct {
	net.Conn
	w *wire
}

// Write swallows what it is told to.
func (c *wireConn) Write(b []byte) (int, error) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if c.w.match != "" && bytes.Contains(b, []byte(c.w.match)) {
		c.w.match = ""
		c.Conn.Close()
		close(c.w.hit)
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// Read hears nothing if it is told so.
func (c *wireConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if c.w.deaf && err == nil {
		return 0, nil
	}
	return n, err
}

// lossy returns an environment whose kind connects by a wire, and whose own connection does not.
func lossy(t *testing.T) (*env, *wire) {
	s := registrytest.StartNATS(t, t.TempDir(), 0)
	own := registrytest.Connect(t, s)
	w := &wire{hit: make(chan struct{})}
	nc, err := nats.Connect(s.ClientURL(), nats.SetCustomDialer(w), nats.MaxReconnects(-1), nats.ReconnectJitter(0, 0),
		nats.ReconnectWait(10*time.Millisecond), nats.PingInterval(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return &env{TB: t, js: registrytest.JetStream(t, own), nc: own, kind: &Kind{JetStream: registrytest.JetStream(t, nc),
		Log: slog.New(slog.DiscardHandler)}}, w
}

// TestLostAnswer loses what a commit sends, or what it is answered. It is committed once, whatever happens meanwhile.
func TestLostAnswer(t *testing.T) {
	for _, c := range []struct {
		name    string
		sent    bool // the server has got it
		between bool // somebody else writes the key then
		atomic  bool
		blind   bool
		fails   bool // with a conflict
		want    string
	}{
		{name: "the answer", sent: true, want: "6"},
		{name: "the answer, and another has written", sent: true, between: true, want: "other"},
		{name: "the message", want: "6"},
		{name: "the message, and another has written", between: true, fails: true, want: "other"},
		{name: "the answer to a batch", sent: true, atomic: true, want: "6"},
		{name: "the answer to a batch, and another has written", sent: true, between: true, atomic: true, want: "other"},
		{name: "a batch", atomic: true, want: "6"},
		{name: "a batch, and another has written", between: true, atomic: true, fails: true, want: "other"},
		{name: "the answer to a blind write, and another has written", sent: true, between: true, blind: true, want: "other"},
		{name: "a blind write", blind: true, want: "6"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e, w := lossy(t)
			b := e.bucket(map[string]string{"n": "5"})
			m := e.grant(b, func(g *protocol.Grant) { g.Atomic = c.atomic })
			r := begin(t, m, 0)
			if c.blind {
				r.put("n", "6")
			} else {
				increment(t, r, "n")
			}
			if c.atomic {
				r.put("other", "x")
			}
			changed, err := b.Watch(t.Context(), "n", jetstream.UpdatesOnly())
			e.must(err)
			w.set(func() {
				if w.deaf = c.sent; !c.sent {
					w.match = "$KV." + b.Bucket() + ".n "
				}
			})
			done := make(chan error, 1)
			go func() { done <- r.commit() }()
			if c.sent {
				e.event(changed)
			} else {
				<-w.hit
			}
			if c.between {
				_, err := b.PutString(t.Context(), "n", "other")
				e.must(err)
			}
			w.cut()
			switch err := <-done; {
			case c.fails:
				conflict(t, err, m.path+"/n")
			case err != nil:
				t.Error(err)
			}
			if got := e.value(b, "n"); got != c.want {
				t.Errorf("n is %q, want %q", got, c.want)
			}
			history, err := e.js.Stream(t.Context(), "KV_"+b.Bucket())
			e.must(err)
			writes := uint64(1)
			for _, yes := range []bool{!c.fails, c.between, c.atomic && !c.fails} {
				if yes {
					writes++
				}
			}
			if got := history.CachedInfo().State.LastSeq; got != writes {
				t.Errorf("%d messages were written, want %d", got, writes)
			}
		})
	}
}

// event waits for a change of a key.
func (e *env) event(w jetstream.KeyWatcher) {
	e.Helper()
	select {
	case <-w.Updates():
	case <-time.After(waits):
		e.Fatal("the key is not written")
	}
}

// TestUnknown loses an answer, and NATS with it.
func TestUnknown(t *testing.T) {
	e, w := lossy(t)
	b := e.bucket(map[string]string{"n": "5"})
	m := e.grant(b)
	r := begin(t, m, 0)
	increment(t, r, "n")
	changed, err := b.Watch(t.Context(), "n", jetstream.UpdatesOnly())
	e.must(err)
	w.set(func() { w.deaf = true })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- r.session.Commit(ctx, nil) }()
	e.event(changed)
	w.set(func() { w.down = true })
	w.cut()
	cancel()
	if err := <-done; !errors.Is(err, backend.ErrUnknown) || protocol.CodeOf(err) != protocol.CodeUnavailable {
		t.Errorf("the error is %v", err)
	}
	e.until("the client knows", func() bool { return !e.kind.JetStream.Conn().IsConnected() })
	// NATS is away for those that come now: nothing is written, and that is known.
	next := begin(t, m, 0)
	next.put("x", "y")
	if err := next.commit(); errors.Is(err, backend.ErrUnknown) || protocol.CodeOf(err) != protocol.CodeUnavailable {
		t.Errorf("the error is %v", err)
	}
}

// TestAway reads while NATS is away: an I/O error that the log explains, not later than the deadline.
func TestAway(t *testing.T) {
	e, w := lossy(t)
	b := e.bucket(map[string]string{"n": "5"})
	m := e.grant(b)
	w.set(func() { w.down = true })
	w.cut()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	r := begin(t, m, 1)
	if _, err := r.Tree.Stat(ctx, "n"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error is %v", err)
	}
	if _, err := begin(t, m, 0).Tree.Stat(t.Context(), "n"); err != nil {
		t.Errorf("what is in memory: %v", err)
	}
	w.set(func() { w.down = false })
	after := begin(t, m, 1)
	if _, err := after.Tree.Stat(t.Context(), "n"); err != nil || after.read("n") != "5" {
		t.Errorf("when NATS is back: %v, %q", err, after.log.all)
	}
}

// TestDeleted has a bucket deleted, and made again, under those who use it.
func TestDeleted(t *testing.T) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.kind.most, e.kind.every, e.kind.Log = mode.most, 20*time.Millisecond, slog.New(slog.DiscardHandler)
			b := e.bucket(map[string]string{"n": "5"})
			m := e.grant(b, func(g *protocol.Grant) {
				if mode.change != nil {
					mode.change(g)
				}
			})
			r := begin(t, m, 0)
			increment(t, r, "n")
			e.must(e.js.DeleteKeyValue(t.Context(), b.Bucket()))
			if err := r.commit(); protocol.CodeOf(err) != protocol.CodeUnavailable || errors.Is(err, backend.ErrUnknown) ||
				!strings.Contains(err.Error(), b.Bucket()) {
				t.Errorf("the commit: %v", err)
			}
			e.until("reads fail", func() bool {
				r := begin(t, m, 0)
				_, err := r.Tree.Stat(t.Context(), "n")
				return err != nil && len(r.log.all) == 1
			})
			b, err := e.js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: b.Bucket()})
			e.must(err)
			_, err = b.PutString(t.Context(), "n", "50")
			e.must(err)
			e.until("reads see the new bucket", func() bool {
				r := begin(t, m, 0)
				_, err := r.Tree.Stat(t.Context(), "n")
				return err == nil && r.read("n") == "50"
			})
			after := begin(t, m, 0)
			increment(t, after, "n")
			after.put("two", "x")
			e.must(after.session.Commit(t.Context(), &backend.Mark{ID: "job"})) // which the new bucket is set up for
			if got := e.value(b, "n"); got != "51" {
				t.Errorf("n is %q", got)
			}
		})
	}
}

// until waits until something is so.
func (e *env) until(what string, is func() bool) {
	e.Helper()
	for end := time.Now().Add(waits); !is(); {
		if time.Now().After(end) {
			e.Fatalf("not so: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// TestRestart has the server restart: the cache follows what is written then.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	s := registrytest.StartNATS(t, dir, 0)
	port := s.Addr().(*net.TCPAddr).Port
	nc := registrytest.Connect(t, s)
	e := &env{TB: t, nc: nc, js: registrytest.JetStream(t, nc)}
	e.kind = &Kind{JetStream: e.js, every: 20 * time.Millisecond, Log: slog.New(slog.DiscardHandler)}
	b := e.bucket(map[string]string{"n": "5", "p": "x"})
	m := e.grant(b)
	for i := range 2 {
		s.Shutdown()
		s.WaitForShutdown()
		s = registrytest.StartNATS(t, dir, port)
		e.until("NATS is back", func() bool {
			_, err := b.PutString(t.Context(), "n", fmt.Sprint("new", i))
			return err == nil
		})
		e.until("the cache has it", func() bool {
			v, known := m.bucket.cache.get("n")
			return known && string(v.data) == fmt.Sprint("new", i)
		})
		if v, known := m.bucket.cache.get("p"); !known || string(v.data) != "x" {
			t.Errorf("what did not change is %+v", v)
		}
	}
	stream, err := e.js.Stream(t.Context(), "KV_"+b.Bucket())
	e.must(err)
	e.must(stream.Purge(t.Context()))
	e.until("the cache is purged", func() bool {
		v, known := m.bucket.cache.get("p")
		return known && !v.exists
	})
}
