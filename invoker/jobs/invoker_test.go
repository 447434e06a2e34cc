package jobs_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/bodies"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/invoker/jobs"
	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/invoker/later"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// serveJobs runs the jobs of an invoker as the service does, until the test ends.
func serveJobs(t testing.TB, nc *nats.Conn, caller protocol.Caller) *jobs.Front {
	t.Helper()
	js := registrytest.JetStream(t, nc)
	waiting := later.New(js, later.Config{})
	f := jobs.New(jobs.Config{JetStream: js, Caller: caller, Later: waiting, Invoker: "here"})
	mover := later.NewMover(waiting)
	mover.Lost = func(ctx context.Context, d *later.Due, reason string) error {
		return f.Lost(ctx, d.Name, d.ID, d.Msg, reason)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- f.Serve(ctx) }()
	go func() { _ = mover.Move(ctx); done <- nil }()
	t.Cleanup(func() {
		stop()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
	return f
}

// Real functions run as jobs: each exit code, a large body and a large result, a delay, and what has waited until its
// function was gone.
func TestInvoker(t *testing.T) {
	s := invokertest.Start(t)
	v := s.StartInvoker()
	front := serveJobs(t, s.Connect(), v.Invoker)
	st := store.New(registrytest.JetStream(t, s.Conn), store.Config{})
	fn := s.Deploy("probe", runtimestest.Wasm(), func(f *protocol.Function) {
		f.Job = &protocol.Job{Attempts: 2, Timeout: protocol.Duration(time.Minute),
			Backoff: protocol.Backoff{First: protocol.Duration(time.Millisecond), Most: protocol.Duration(time.Millisecond)}}
		f.Limits.Timeout = protocol.Duration(30 * time.Second)
	})
	front.Apply(&fn)
	large := make([]byte, 3<<20)
	for i, c := range []struct {
		about   string
		subject string
		body    []byte
		state   protocol.JobState
		reason  string
		tries   int
		size    int
	}{
		{"a body", "job.probe", []byte("hello"), protocol.StateDone, "", 1, 5},
		{"arguments", "job.probe.args.a.b", nil, protocol.StateDone, "", 1, 15},
		{"exit 65", "job.probe.exit.65", nil, protocol.StateDead, protocol.ReasonVerdict, 1, 0},
		{"exit 3", "job.probe.exit.3", nil, protocol.StateDead, protocol.ReasonAttempts, 2, 0},
		{"a trap", "job.probe.trap", nil, protocol.StateDead, protocol.ReasonAttempts, 2, 0},
		{"its time", "job.probe.loop", nil, protocol.StateDead, protocol.ReasonAttempts, 2, 0},
		{"large", "job.probe", large, protocol.StateDone, "", 1, len(large)},
	} {
		m := &nats.Msg{Subject: c.subject, Data: c.body, Header: nats.Header{protocol.HeaderID: {fmt.Sprint("job-", i)}}}
		if len(c.body) > 1<<20 {
			claim, err := bodies.New(registrytest.JetStream(t, s.Conn), bodies.Config{}).PutBytes(t.Context(), c.body)
			if err != nil {
				t.Fatal(err)
			}
			claim.Put(protocol.Header(m.Header))
			m.Data = nil
		}
		if c.about == "its time" {
			m.Header[protocol.HeaderTimeout] = []string{"100ms"}
		}
		put(t, s, m)
		r := outcome(t, st, "probe", fmt.Sprint("job-", i))
		if r.State != c.state || r.Reason != c.reason || r.Attempts != c.tries {
			t.Errorf("%s: %+v %v", c.about, r, r.Reply.Err)
		}
		size := len(r.Reply.Body)
		if r.Reply.Claim != nil {
			size = int(r.Reply.Claim.Size)
		}
		if c.state == protocol.StateDone && size != c.size {
			t.Errorf("%s: %d bytes, want %d", c.about, size, c.size)
		}
	}
	delayed := func(id, delay string) *nats.Msg {
		return &nats.Msg{Subject: "job.probe", Header: nats.Header{protocol.HeaderID: {id}, protocol.HeaderDelay: {delay}}}
	}
	put(t, s, delayed("late", "1s"))
	if r := outcome(t, st, "probe", "late"); r.State != protocol.StateDone || r.Time.Sub(r.Accepted) < time.Second {
		t.Errorf("a delayed job: %+v at %v", r, r.Time)
	}
	put(t, s, delayed("never", "2s"))
	if _, err := s.Client.Remove(t.Context(), "probe"); err != nil {
		t.Fatal(err)
	}
	front.Synced()
	front.Remove("probe")
	if r := outcome(t, st, "probe", "never"); r.State != protocol.StateDead || r.Reason != protocol.ReasonFunction {
		t.Errorf("a job whose function is gone: %+v", r)
	}
}

// put publishes a job, when there is a queue.
func put(t testing.TB, s *invokertest.Server, m *nats.Msg) {
	t.Helper()
	js := registrytest.JetStream(t, s.Conn)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		_, err := js.PublishMsg(ctx, m)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

// outcome waits for the outcome of a job.
func outcome(t testing.TB, st *store.Store, name, id string) store.Stored {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); <-tick.C {
		if r, ok, err := st.Record(t.Context(), name, id); err == nil && ok && r.State.Decided() {
			return r
		}
	}
	t.Fatalf("%s.%s has no outcome", name, id)
	return store.Stored{}
}
