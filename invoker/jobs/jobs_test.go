package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/polyvoke/polyvoke/invoker/invokertest/await"
	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
)

func TestMain(m *testing.M) {
	if served() {
		return
	}
	goleak.VerifyTestMain(m)
}

// patiently is how long what must happen is waited for.
const waits = time.Minute

// bench is a server, and what a test does there.
type bench struct {
	t  testing.TB
	s  *server.Server
	nc *nats.Conn
	js jetstream.JetStream
	st *store.Store
}

func newBench(t testing.TB) *bench {
	t.Helper()
	s := registrytest.StartNATS(t, t.TempDir(), 0)
	nc := registrytest.Connect(t, s)
	js := registrytest.JetStream(t, nc)
	return &bench{t, s, nc, js, store.New(js, store.Config{})}
}

// ackWait is that of tests, in which processes end.
const ackWait = time.Second

// callerFunc is a Caller made of a function.
type callerFunc func(context.Context, *protocol.Request) *protocol.Reply

func (f callerFunc) Call(ctx context.Context, r *protocol.Request) (*protocol.Reply, error) {
	return f(ctx, r), nil
}

// success is the reply of a process that wrote a body and ended.
func success(body string) *protocol.Reply {
	return &protocol.Reply{ID: "x", Body: []byte(body), Report: ran("1")}
}

// failure is the reply of a process that ended with an exit code.
func failure(exit int) *protocol.Reply {
	o := protocol.FromExit(uint32(exit))
	return &protocol.Reply{ID: "x", Body: []byte("oops\n"), Exit: exit, Report: ran("1"),
		Err: protocol.Errorf(o.Code, "", "f@1 ended with exit code %d (%s)", exit, o.Text)}
}

func ran(version string) *protocol.Report {
	return &protocol.Report{Function: protocol.Ref{Name: "f", Version: version}, Duration: time.Millisecond, Fuel: 7}
}

// soon is a Later that keeps messages in this process, and makes them due as soon as they are.
type soon struct {
	nc     *nats.Conn
	own    *nats.Conn // of who puts: nothing comes from a process that has ended
	mu     sync.Mutex
	timers map[string]*time.Timer
}

func (l *soon) Make(context.Context) error { return nil }

func (l *soon) Put(_ context.Context, name, id string, at time.Time, m *nats.Msg) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.own.IsClosed() {
		return nats.ErrConnectionClosed
	}
	if l.timers == nil {
		l.timers = map[string]*time.Timer{}
	}
	if t := l.timers[name+"."+id]; t != nil {
		t.Stop()
	}
	l.timers[name+"."+id] = time.AfterFunc(time.Until(at), func() { _ = l.nc.PublishMsg(m) })
	return nil
}

func (l *soon) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.timers {
		t.Stop()
	}
}

// front is a front that serves.
type front struct {
	*Front
	t    testing.TB
	nc   *nats.Conn
	stop context.CancelFunc
	done chan struct{}
}

// start starts a front with a connection of its own.
func (b *bench) start(c protocol.Caller, change ...func(*Front)) *front {
	b.t.Helper()
	nc := registrytest.Connect(b.t, b.s)
	later := &soon{nc: b.nc, own: nc}
	f := New(Config{JetStream: registrytest.JetStream(b.t, nc), Caller: c, Later: later, Invoker: "here",
		Drain: 5 * time.Second, Log: slog.New(slog.NewTextHandler(testWriter{b.t}, nil))})
	for _, ch := range change {
		ch(f)
	}
	ctx, stop := context.WithCancel(context.Background())
	one := &front{Front: f, t: b.t, nc: nc, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(one.done)
		if err := f.Serve(ctx); err != nil {
			b.t.Error(err)
		}
	}()
	b.t.Cleanup(func() { one.end(); later.end() })
	return one
}

func (f *front) end() {
	f.t.Helper()
	f.stop()
	select {
	case <-f.done:
	case <-time.After(waits):
		f.t.Fatal("the front does not end")
	}
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Logf("%s", p)
	return len(p), nil
}

// function returns a manifest with jobs.
func function(name string, change ...func(*protocol.Job)) *protocol.Function {
	f := &protocol.Function{Name: name, Version: 1, Job: &protocol.Job{AckWait: protocol.Duration(ackWait),
		Backoff: protocol.Backoff{First: protocol.Duration(time.Millisecond), Most: protocol.Duration(5 * time.Millisecond)}}}
	for _, c := range change {
		c(f.Job)
	}
	return f
}

// publish publishes a job, and returns its id.
func (b *bench) publish(subject, body string, headers ...string) string {
	b.t.Helper()
	m := &nats.Msg{Subject: subject, Data: []byte(body), Header: nats.Header{}}
	for i := 0; i < len(headers); i += 2 {
		m.Header[headers[i]] = []string{headers[i+1]}
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), waits)
	defer cancel()
	var ack *jetstream.PubAck
	var err error
	for ctx.Err() == nil {
		if ack, err = b.js.PublishMsg(ctx, m); err == nil {
			break
		}
	}
	if err != nil {
		b.t.Fatalf("publish on %s: %v", subject, err)
	}
	if id := m.Header[protocol.HeaderID]; id != nil {
		return id[0]
	}
	stream, err := b.js.Stream(ctx, ack.Stream)
	if err != nil {
		b.t.Fatal(err)
	}
	return protocol.NewJobID(ack.Sequence, stream.CachedInfo().Created)
}

// outcome waits for the outcome of a job.
func (b *bench) outcome(name, id string) store.Stored {
	b.t.Helper()
	var got store.Stored
	await.Until(b.t, fmt.Sprintf("the outcome of %s.%s", name, id), func() bool {
		r, ok, err := b.st.Record(b.t.Context(), name, id)
		got = r
		return err == nil && ok && r.State.Decided()
	})
	return got
}

// empty waits until a queue is.
func (b *bench) empty(name string) {
	b.t.Helper()
	await.Until(b.t, "the end of all jobs of "+name, func() bool {
		s, err := b.js.Stream(b.t.Context(), protocol.QueueStream(name))
		return err == nil && s.CachedInfo().State.Msgs == 0
	})
}

// listener is a log, and reports whether a word has been in it.
type listener struct {
	testWriter
	word  string
	heard atomic.Bool
}

func (l *listener) Write(p []byte) (int, error) {
	if strings.Contains(string(p), l.word) {
		l.heard.Store(true)
	}
	return l.testWriter.Write(p)
}

// A front ends whose connection was closed before it could receive the jobs of a function. The queue of that one is
// there for a moment only: the front takes it away, and tries again later.
func TestClosedConnection(t *testing.T) {
	b := newBench(t)
	log := &listener{testWriter: testWriter{t}, word: "cannot be received\" function=g"}
	f := b.start(callerFunc(func(context.Context, *protocol.Request) *protocol.Reply { return success("") }),
		func(f *Front) { f.log = slog.New(slog.NewTextHandler(log, nil)) })
	f.Apply(function("f"))
	await.Until(t, "a function is served", func() bool { return len(f.all()) == 1 })
	f.nc.Close()
	f.Apply(function("g"))
	await.Until(t, "another one cannot be", log.heard.Load)
	f.end()
}

// A job runs, its outcome is stored, and it leaves the queue.
func TestGood(t *testing.T) {
	b := newBench(t)
	f := b.start(callerFunc(func(_ context.Context, r *protocol.Request) *protocol.Reply {
		return success(r.Function.Name + " " + strings.Join(r.Args, ",") + " " + string(r.Body))
	}))
	f.Apply(function("f"))
	f.Synced()
	id := b.publish("job.f.a.b", "hello")
	r := b.outcome("f", id)
	if r.State != protocol.StateDone || string(r.Reply.Body) != "f a,b hello" || r.Attempts != 1 {
		t.Errorf("the outcome is %+v", r)
	}
	b.empty("f")
	mine := b.publish("job.f", "again", protocol.HeaderID, "mine")
	if r := b.outcome("f", mine); string(r.Reply.Body) != "f  again" {
		t.Errorf("the outcome is %+v", r)
	}
	b.empty("f")
}
