package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/invokertest/await"
	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
)

// A job that always fails has exactly the attempts that it may have, and its letter tells of each.
func TestPoison(t *testing.T) {
	b := newBench(t)
	var runs atomic.Int32
	f := b.start(callerFunc(func(context.Context, *protocol.Request) *protocol.Reply {
		runs.Add(1)
		return failure(1)
	}))
	events := make(chan *nats.Msg, 10)
	for _, subject := range []string{eventDead, "orders.failed"} {
		if _, err := b.nc.ChanSubscribe(subject, events); err != nil {
			t.Fatal(err)
		}
	}
	f.Apply(function("f", func(j *protocol.Job) { j.Attempts, j.OnFailure = 4, "orders.failed" }))
	id := b.publish("job.f.a", "body", "Mine", "1")
	r := b.outcome("f", id)
	if r.State != protocol.StateDead || r.Reason != protocol.ReasonAttempts || r.Attempts != 4 || runs.Load() != 4 {
		t.Errorf("%d runs, %+v", runs.Load(), r)
	}
	b.empty("f")
	l, ok, err := b.st.Letter(t.Context(), "f", id)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if string(l.Body) != "body" || l.Header.Get("Mine") != "1" || len(l.Story) != 4 || l.Subject != "polyvoke.job.f.a" ||
		l.Reason != protocol.ReasonAttempts || l.Err == nil || l.Err.Code != 500 || l.Revision != r.Revision {
		t.Errorf("the letter is %+v", l)
	}
	for i, a := range l.Story {
		if a.Number != i+1 || a.Exit != 1 || a.Invoker != "here" || a.Version != "1" || a.Stderr != "oops\n" || a.Fuel != 7 {
			t.Errorf("attempt %d is %+v", i+1, a)
		}
	}
	failed := <-events
	if failed.Subject != "orders.failed" || string(failed.Data) != "body" || failed.Header.Get(protocol.HeaderID) != id {
		t.Errorf("on_failure gets %+v", failed)
	}
	var event map[string]any
	if m := <-events; json.Unmarshal(m.Data, &event) != nil || event["id"] != id || event["reason"] != "attempts" {
		t.Errorf("the event is %s", m.Data)
	}
}

// What becomes of jobs that are not run to their end: a table of messages and outcomes.
func TestOutcomes(t *testing.T) {
	b := newBench(t)
	var runs sync.Map // bodies, and how often
	f := b.start(callerFunc(func(_ context.Context, r *protocol.Request) *protocol.Reply {
		n, _ := runs.LoadOrStore(string(r.Body), new(atomic.Int32))
		n.(*atomic.Int32).Add(1)
		switch string(r.Body) {
		case "no version":
			return &protocol.Reply{Exit: -1, Err: protocol.Errorf(404, "", "no version %s", r.Function.Version)}
		case "twice":
			if n.(*atomic.Int32).Load() < 3 {
				return failure(75)
			}
		case "bad":
			return failure(65)
		}
		return success(string(r.Body) + " " + r.Limit.String() + " " + r.Timeout.String())
	}))
	f.Apply(function("f", func(j *protocol.Job) { j.Timeout = protocol.Duration(time.Minute) }))
	const h = "Fn-"
	for _, c := range []struct {
		body    string
		headers []string
		state   protocol.JobState
		reason  string
		result  string
		runs    int32
		code    int
	}{
		{"plain", nil, protocol.StateDone, "", "plain 1m0s 0s", 1, 0},
		{"short", []string{h + "Timeout", "5s"}, protocol.StateDone, "", "short 1m0s 5s", 1, 0},
		{"twice", nil, protocol.StateDone, "", "twice 1m0s 0s", 3, 0},
		{"bad", nil, protocol.StateDead, protocol.ReasonVerdict, "", 1, 400},
		{"no version", []string{h + "Version", "77"}, protocol.StateDead, protocol.ReasonFunction, "", 1, 404},
		{"delayed", []string{h + "Delay", "30ms"}, protocol.StateDone, "", "delayed 1m0s 0s", 1, 0},
		{"at", []string{h + "At", time.Now().Add(50 * time.Millisecond).Format(time.RFC3339Nano)}, protocol.StateDone, "",
			"at 1m0s 0s", 1, 0},
		{"bad delay", []string{h + "Delay", "soon"}, protocol.StateDead, protocol.ReasonMalformed, "", 0, 400},
		{"bad timeout", []string{h + "Timeout", "x"}, protocol.StateDead, protocol.ReasonMalformed, "", 0, 400},
		{"bad at", []string{h + "At", "2999-01-01T00:00:00Z"}, protocol.StateDead, protocol.ReasonMalformed, "", 0, 400},
		{"bad attempts", []string{h + "Attempts", "0"}, protocol.StateDead, protocol.ReasonMalformed, "", 0, 400},
		{"long header", []string{"X", strings.Repeat("x", 50<<10)}, protocol.StateDone, "", "long header 1m0s 0s", 1, 0},
		{"many headers", many(300), protocol.StateDead, protocol.ReasonMalformed, "", 0, 431},
		{"forged", []string{h + "Attempt", "99", h + "Story", "x", h + "Revision", "7"}, protocol.StateDone, "",
			"forged 1m0s 0s", 1, 0},
	} {
		id := b.publish("job.f", c.body, c.headers...)
		r := b.outcome("f", id)
		n, ok := runs.Load(c.body)
		got := int32(0)
		if ok {
			got = n.(*atomic.Int32).Load()
		}
		if r.State != c.state || r.Reason != c.reason || got != c.runs || r.State == protocol.StateDone &&
			string(r.Reply.Body) != c.result || protocol.CodeOf(errorOf(r.Reply.Err)) != c.code {
			t.Errorf("%s: %d runs, %+v %v", c.body, got, r, r.Reply.Err)
		}
	}
	b.empty("f")
	for body, headers := range map[string][]string{
		"bad id":                {h + "Id", "x y"},
		"bad id, and more":      {h + "Id", "x.>", h + "Timeout", "soon"},
		"bad id of a dry run":   {h + "Id", "x.>", h + "Dry-Run", "1"},
		"bad id, bad arguments": {h + "Id", "*", h + "Args", "{"},
	} {
		b.publish("job.f", body, headers...)
		await.Until(b.t, "the letter of a job with a "+body, func() bool {
			s, err := b.js.Stream(t.Context(), protocol.StreamDead)
			if err != nil {
				return false
			}
			m, err := s.GetMsg(t.Context(), s.CachedInfo().State.LastSeq)
			return err == nil && string(m.Data) == body && m.Header.Get(protocol.HeaderReason) == protocol.ReasonMalformed
		})
	}
}

// many returns headers of different names.
func many(n int) (headers []string) {
	for i := range n {
		headers = append(headers, fmt.Sprint("X-", i), "x")
	}
	return headers
}

// Two messages with the same id are one job, whichever comes first, and however often.
func TestOneID(t *testing.T) {
	b := newBench(t)
	var runs atomic.Int32
	go1 := make(chan struct{})
	f := b.start(callerFunc(func(context.Context, *protocol.Request) *protocol.Reply {
		runs.Add(1)
		<-go1
		return success("x")
	}))
	f.Apply(function("f"))
	for range 5 {
		b.publish("job.f", "x", protocol.HeaderID, "mine")
	}
	await.Until(b.t, "one message in the queue", func() bool {
		s, err := b.js.Stream(t.Context(), protocol.QueueStream("f"))
		return err == nil && s.CachedInfo().State.Msgs == 1
	})
	close(go1)
	b.outcome("f", "mine")
	b.empty("f")
	b.publish("job.f", "x", protocol.HeaderID, "mine")
	b.empty("f")
	if runs.Load() != 1 {
		t.Errorf("%d runs", runs.Load())
	}
}

// A job that is cancelled ends, and its outcome is that.
func TestCancelled(t *testing.T) {
	b := newBench(t)
	begun := make(chan struct{}, 10)
	f := b.start(callerFunc(func(ctx context.Context, _ *protocol.Request) *protocol.Reply {
		begun <- struct{}{}
		<-ctx.Done()
		return &protocol.Reply{Exit: -1, Err: protocol.Errorf(503, "", "stopped"), Report: ran("1")}
	}))
	f.Apply(function("f"))
	id := b.publish("job.f", "x")
	<-begun
	m := b.st.RecordMessage("f", id, &protocol.Record{State: protocol.StateCancelled}, 0, time.Hour)
	if _, err := b.st.Decide(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if err := b.st.MarkCancelled(t.Context(), "f", id); err != nil {
		t.Fatal(err)
	}
	b.empty("f")
	if r := b.outcome("f", id); r.State != protocol.StateCancelled {
		t.Errorf("the outcome is %+v", r)
	}
	if len(begun) > 0 {
		t.Error("it was begun again")
	}
}

// A job that was dead runs again with its id, and has one outcome again. What is left of its earlier life decides
// nothing.
func TestRedriven(t *testing.T) {
	b := newBench(t)
	var good atomic.Bool
	f := b.start(callerFunc(func(context.Context, *protocol.Request) *protocol.Reply {
		if good.Load() {
			return success("x")
		}
		return failure(65)
	}))
	f.Apply(function("f"))
	id := b.publish("job.f", "x")
	dead := b.outcome("f", id)
	b.empty("f")
	redrive := func() uint64 {
		m := b.st.RecordMessage("f", id, &protocol.Record{State: protocol.StateRedriven}, dead.Revision, time.Hour)
		revision, err := b.st.Decide(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		b.publish("polyvoke.job.f", "x", protocol.HeaderID, id, protocol.HeaderRevision, strconv.FormatUint(revision, 10))
		return revision
	}
	first := redrive()
	dead = b.outcome("f", id)
	b.empty("f")
	if l, ok, err := b.st.Letter(t.Context(), "f", id); err != nil || !ok || l.Revision != dead.Revision {
		t.Errorf("the letter of the second life is %v %+v %v", ok, l, err)
	}
	good.Store(true)
	redrive()
	if r := b.outcome("f", id); r.State != protocol.StateDone {
		t.Errorf("the outcome is %+v", r)
	}
	b.empty("f")
	b.publish("polyvoke.job.f", "x", protocol.HeaderID, id, protocol.HeaderRevision, strconv.FormatUint(first, 10))
	b.empty("f")
	if r := b.outcome("f", id); r.State != protocol.StateDone {
		t.Errorf("an earlier life has decided: %+v", r)
	}
}

// Jobs of a function that is removed are dead letters, and then its queue is gone.
func TestRemoved(t *testing.T) {
	b := newBench(t)
	var gone atomic.Bool
	f := b.start(callerFunc(func(_ context.Context, r *protocol.Request) *protocol.Reply {
		if gone.Load() {
			return &protocol.Reply{Exit: -1, Err: protocol.Errorf(404, "", "no such function")}
		}
		return &protocol.Reply{Exit: -1, Err: protocol.Errorf(503, "", "the invoker is starting")}
	}))
	f.Apply(function("f"))
	f.Synced()
	var ids []string
	for range 5 {
		ids = append(ids, b.publish("job.f", "x"))
	}
	gone.Store(true)
	f.Remove("f")
	for _, id := range ids {
		if r := b.outcome("f", id); r.State != protocol.StateDead || r.Reason != protocol.ReasonFunction {
			t.Errorf("the outcome is %+v", r)
		}
	}
	await.Until(b.t, "the end of the queue", func() bool {
		_, err := b.js.Stream(t.Context(), protocol.QueueStream("f"))
		return err != nil
	})
	gone.Store(false)
	f.Apply(function("f"))
	await.Until(b.t, "a new queue", func() bool {
		_, err := b.js.Stream(t.Context(), protocol.QueueStream("f"))
		return err == nil
	})
}

// A good job begins while a hundred others wait for their next attempt, though no more may run.
func TestBehindRetries(t *testing.T) {
	b := newBench(t)
	var failures atomic.Int32
	var failed sync.Map // by id: a job that a busy machine delivers again has its first attempt again
	f := b.start(callerFunc(func(_ context.Context, r *protocol.Request) *protocol.Reply {
		if string(r.Body) == "bad" {
			if _, again := failed.LoadOrStore(r.ID, true); !again {
				failures.Add(1)
			} else {
				t.Logf("job %s is tried again", r.ID)
			}
			return failure(1)
		}
		return success("x")
	}))
	f.Apply(function("f", func(j *protocol.Job) {
		j.Concurrency = 10
		j.Backoff = protocol.Backoff{First: protocol.Duration(time.Hour), Most: protocol.Duration(time.Hour)}
	}))
	for range 100 {
		b.publish("job.f", "bad")
	}
	defer func() { t.Logf("%d jobs have failed once", failures.Load()) }()
	await.Until(b.t, "the first attempts", func() bool { return failures.Load() == 100 })
	b.outcome("f", b.publish("job.f", "good"))
	b.empty("f") // all others wait
}

// What is deleted while jobs run is made again, and nothing that is still there is lost.
func TestDeleted(t *testing.T) {
	for _, stream := range []string{"KV_fn_results", "FN_DEAD", "KV_fn_marks", "FN_JOB_f"} {
		t.Run(stream, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			inside, goOn := make(chan struct{}), make(chan struct{})
			f := b.start(callerFunc(func(_ context.Context, r *protocol.Request) *protocol.Reply {
				if string(r.Body) == "wait" {
					inside <- struct{}{}
					<-goOn
				}
				if string(r.Body) == "bad" {
					return failure(65)
				}
				return success("x")
			}))
			f.Apply(function("f"))
			waiting := b.publish("job.f", "wait")
			<-inside
			if err := b.js.DeleteStream(t.Context(), stream); err != nil {
				t.Fatal(err)
			}
			close(goOn)
			b.outcome("f", waiting)
			b.outcome("f", b.publish("job.f", "x"))
			b.outcome("f", b.publish("job.f", "x", protocol.HeaderID, fmt.Sprint("mine", rand.Uint32())))
			bad := b.publish("job.f", "bad")
			b.outcome("f", bad)
			b.empty("f")
			if _, ok, err := b.st.Letter(t.Context(), "f", bad); !ok {
				t.Error("no letter", err)
			}
		})
	}
}

// A server that goes away and comes back, with all that it has kept, loses no job, and needs no new front.
func TestServerAway(t *testing.T) {
	dir := t.TempDir()
	s := registrytest.StartNATS(t, dir, 0)
	port := s.Addr().(*net.TCPAddr).Port
	nc := registrytest.Connect(t, s)
	js := registrytest.JetStream(t, nc)
	b := &bench{t, s, nc, js, store.New(js, store.Config{})}
	inside, goOn := make(chan struct{}, 1), make(chan struct{})
	f := b.start(callerFunc(func(_ context.Context, r *protocol.Request) *protocol.Reply {
		if string(r.Body) == "wait" {
			select {
			case inside <- struct{}{}:
			default:
			}
			<-goOn
		}
		return success("x")
	}))
	f.Apply(function("f"))
	var ids []string
	for range 20 {
		ids = append(ids, b.publish("job.f", "wait"))
	}
	<-inside
	s.Shutdown()
	s.WaitForShutdown()
	close(goOn)
	registrytest.StartNATS(t, dir, port)
	for _, id := range ids {
		if r := b.outcome("f", id); r.State != protocol.StateDone {
			t.Errorf("the outcome is %+v", r)
		}
	}
	b.outcome("f", b.publish("job.f", "x"))
	b.empty("f")
}
