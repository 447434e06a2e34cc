package invokertest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/backend/standard"
	"github.com/polyvoke/polyvoke/invoker/backend/web"
	"github.com/polyvoke/polyvoke/invoker/registry"
)

// Invoker is an invoker that serves. Stop and Wait may be called from several goroutines.
type Invoker struct {
	*invoker.Invoker
	// Conn is its connection.
	Conn *nats.Conn

	owner owner
	stop  context.CancelFunc
	kept  *output       // what it has logged
	ready chan struct{} // closed when it serves
	done  chan struct{} // closed when Serve has returned
	err   error         // what Serve returned
	seen  atomic.Bool   // the test knows
}

// StartInvoker starts another invoker, on a connection of its own, and returns when it serves. It ends with the test,
// or when it is stopped. The functions change it before it serves.
func (s *Server) StartInvoker(change ...func(*invoker.Invoker)) *Invoker {
	s.owner.Helper()
	s.openRuntime()
	v := &invoker.Invoker{Runtime: s.config.Runtime, Drain: s.config.Drain}
	if s.config.Memory || !s.config.NATS.JetStream {
		v.Registry = &s.memory
	}
	if s.config.Invoker != nil {
		s.config.Invoker(v)
	}
	for _, c := range change {
		c(v)
	}
	nc := s.Connect()
	if v.Backend == nil {
		v.Backend = s.openBackend(nc, v)
	}
	var d *durable
	if s.config.Jobs {
		if v.Registry == nil {
			v.Registry = open(s.owner, nc, registry.Config{})
		}
		d = newDurable(s.owner, nc, v, logTo(s.out))
	}
	out := serve(s.owner, nc, v, s.out)
	s.later(out.finish)
	out.await()
	if d != nil {
		s.later(d.end)
		d.start()
	}
	return out
}

// openBackend returns a back end with what there is on a connection, for an invoker.
func (s *Server) openBackend(nc *nats.Conn, v *invoker.Invoker) *backend.Backend {
	s.owner.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		s.owner.Fatalf("JetStream: %v", err)
	}
	b, end := standard.New(standard.Config{JetStream: js, Conn: nc, Caller: v, Secrets: s.config.Secrets,
		Guard: web.Guard{Allow: s.config.Private}, Log: logTo(s.out)})
	s.later(end)
	return b
}

// Serve starts an invoker on a connection, and returns when it serves. It ends with the test, or when it is stopped. A
// Registry that is nil becomes that of the connection's JetStream, and a Log that is nil the test's output. Runtime
// must be set.
func Serve(t testing.TB, nc *nats.Conn, v *invoker.Invoker) *Invoker {
	t.Helper()
	out := newOutput(t)
	s := serve(t, nc, v, out)
	t.Cleanup(func() {
		s.finish()
		out.close()
	})
	s.await()
	return s
}

// serve begins to serve.
func serve(o owner, nc *nats.Conn, v *invoker.Invoker, out *output) *Invoker {
	o.Helper()
	if v.Registry == nil {
		v.Registry = open(o, nc, registry.Config{})
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Invoker{Invoker: v, Conn: nc, owner: o, stop: stop, kept: &output{}}
	s.ready, s.done = make(chan struct{}), make(chan struct{})
	if v.Log == nil {
		v.Log = logTo(out, s.kept)
	}
	before := v.Ready
	v.Ready = func() {
		if before != nil {
			before()
		}
		close(s.ready)
	}
	go func() {
		defer close(s.done)
		s.err = v.Serve(ctx, nc)
	}()
	return s
}

// open opens a registry on the JetStream of a connection.
func open(o owner, nc *nats.Conn, c registry.Config) registry.Registry {
	o.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	js, err := jetstream.New(nc)
	if err != nil {
		o.Fatalf("JetStream: %v", err)
	}
	r, err := registry.Open(ctx, js, c)
	if err != nil {
		o.Fatalf("functions on JetStream: %v", err)
	}
	return r
}

// await returns when the invoker serves.
func (v *Invoker) await() {
	v.owner.Helper()
	select {
	case <-v.ready:
	case <-v.done:
		v.owner.Fatalf("the invoker does not serve: %v", v.err)
	case <-time.After(patience):
		v.owner.Fatalf("the invoker did not serve within %s\n%s", patience, v.Logged())
	}
}

// Stop tells the invoker to end, waits for it, and returns what Serve returned: nil if every accepted call was
// answered.
func (v *Invoker) Stop() error {
	v.stop()
	return v.Wait()
}

// Wait waits until the invoker has ended, and returns what Serve returned. An invoker ends by itself only when its
// connection is closed for good. The end of the test reports only errors that Stop and Wait have not returned.
func (v *Invoker) Wait() error {
	select {
	case <-v.done:
		v.seen.Store(true)
		return v.err
	case <-time.After(v.Drain + patience):
		return fmt.Errorf("the invoker has not ended\n%s", v.Logged())
	}
}

// Logged returns what the invoker has logged so far, unless it has a Log of the test's own.
func (v *Invoker) Logged() string { return v.kept.String() }

// finish ends the invoker at the end of the test.
func (v *Invoker) finish() {
	if v.seen.Load() {
		return
	}
	if err := v.Stop(); err != nil {
		v.owner.Errorf("Serve: %v", err)
	}
}
