package control_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/protocol"
)

// state returns the state that the record of a job has, or "".
func (w *world) state(function, id string) protocol.JobState {
	w.t.Helper()
	r, _, err := w.store.Record(w.t.Context(), function, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return r.State
}

func TestCancel(t *testing.T) {
	w := newWorld(t)
	w.open("hello")
	running := w.publish("job.hello", "x")
	taken := w.take("hello")
	queued := w.publish("job.hello", "x")
	named := w.publish("job.hello", "x", protocol.HeaderID, "mine")
	stays := w.publish("job.hello", "x")
	w.wait("hello", "w1")
	for range 2 { // the second time changes nothing
		for _, id := range []string{running, queued, named, "w1"} {
			var j protocol.JobReply
			if w.must(protocol.APIJobCancel, job("hello", id), &j); j.State != protocol.StateCancelled {
				t.Errorf("%s: %+v", id, j)
			}
			if state := w.state("hello", id); state != protocol.StateCancelled {
				t.Errorf("%s: the record says %q", id, state)
			}
			raw, err := w.ask(protocol.APIJobResult, nil, job("hello", id), nil)
			if err != nil || raw.Header.Get(protocol.HeaderErrorCode) != "409" ||
				raw.Header.Get(protocol.HeaderState) != "cancelled" {
				t.Errorf("result of %s: %v, %v", id, raw, err)
			}
		}
	}
	if err := taken.DoubleAck(t.Context()); err != nil {
		t.Errorf("the job that ran: %v", err)
	}
	if n := w.messages(protocol.StreamLater); n != 0 {
		t.Errorf("%d messages still wait", n)
	}
	if m := w.take("hello"); w.messages(protocol.QueueStream("hello")) != 1 {
		t.Errorf("more than %s is in the queue, such as %s", stays, m.Subject())
	}
	kv, err := w.js.KeyValue(t.Context(), protocol.BucketMarks)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Get(t.Context(), "cancel.hello."+running); err != nil {
		t.Errorf("the invoker that runs it is not told: %v", err)
	}
	w.decide("hello", "d1", protocol.Record{State: protocol.StateDone})
	w.die("hello", "x1")
	for id, want := range map[string]string{"d1": "is done already", "x1": "polyvoke dead drop"} {
		if text := w.fails(protocol.CodeConflict, protocol.APIJobCancel, job("hello", id)); !strings.Contains(text, want) {
			t.Errorf("%s: %q", id, text)
		}
	}
}

// A job that gets its outcome while it is cancelled has one of both.
func TestHammerCancel(t *testing.T) {
	w := newWorld(t)
	w.open("hello")
	var all sync.WaitGroup
	for i := range 50 {
		id := w.publish("job.hello", "x")
		all.Go(func() {
			m := w.store.RecordMessage("hello", id, &protocol.Record{State: protocol.StateDone}, 0, time.Hour)
			if _, err := w.store.Decide(context.Background(), m); err != nil && i < 0 {
				t.Error(err)
			}
		})
		all.Go(func() {
			_, err := w.ask(protocol.APIJobCancel, nil, job("hello", id), new(protocol.JobReply))
			want := protocol.StateCancelled
			if err != nil {
				want = protocol.StateDone
			}
			if code := protocol.CodeOf(err); code != 0 && code != protocol.CodeConflict {
				t.Error(err)
			}
			if r, _, err := w.store.Record(context.Background(), "hello", id); err != nil || r.State != want {
				t.Errorf("the record says %s (%v), want %s", r.State, err, want)
			}
		})
	}
	all.Wait()
}

func TestPurge(t *testing.T) {
	w := newWorld(t)
	w.fails(protocol.CodeNotFound, protocol.APIJobPurge, protocol.PurgeRequest{Function: "nobody"})
	w.fails(protocol.CodeBadRequest, protocol.APIJobPurge, `{"function":"a b"}`)
	w.fails(protocol.CodeBadRequest, protocol.APIJobPurge, `{"function":"hello","after":"1:2:x:4"}`)
	w.must(protocol.APIJobPurge, protocol.PurgeRequest{Function: "hello"}, new(protocol.PortionReply)) // of nothing
	w.open("hello")
	running := w.publish("job.hello", "x")
	w.take("hello")
	const jobs = protocol.MaxPortion + 50
	var ids []string
	for i := range jobs {
		ids = append(ids, w.publish("job.hello", "x", protocol.HeaderID, fmt.Sprintf("q%d", i)))
	}
	w.decide("hello", "q7", protocol.Record{State: protocol.StateDone}) // its second message is only in the way
	w.wait("hello", "w1")
	w.wait("other", "w1")
	done, portions := 0, 0
	for q := (protocol.PurgeRequest{Function: "hello"}); ; {
		var out protocol.PortionReply
		w.must(protocol.APIJobPurge, q, &out)
		if portions == 0 {
			w.publish("job.hello", "x", protocol.HeaderID, "late")
			w.wait("hello", "late")
		}
		done, portions = done+out.Done, portions+1
		if q.After = out.Next; q.After == "" {
			break
		}
	}
	if done != jobs-1+1 || portions < 2 {
		t.Errorf("purged %d jobs in %d portions", done, portions)
	}
	for _, id := range append(ids, "w1") {
		want := protocol.StateCancelled
		if id == "q7" {
			want = protocol.StateDone
		}
		if state := w.state("hello", id); state != want {
			t.Fatalf("%s: the record says %q, want %q", id, state, want)
		}
	}
	if n := w.messages(protocol.QueueStream("hello")); n != 2 { // what runs and what came later
		t.Errorf("%d messages are in the queue", n)
	}
	if n := w.messages(protocol.StreamLater); n != 2 {
		t.Errorf("%d messages wait", n)
	}
	if state := w.state("hello", running); state != "" {
		t.Errorf("the job that runs is %s", state)
	}
}

func TestResult(t *testing.T) {
	w := newWorld(t)
	w.open("hello")
	id := w.publish("job.hello", "x")
	raw, err := w.ask(protocol.APIJobResult, nil, job("hello", id), nil)
	if err != nil || raw.Header.Get(protocol.HeaderErrorCode) != "504" || raw.Header.Get(protocol.HeaderState) != "queued" {
		t.Errorf("at once: %v, %v", raw, err)
	}
	raw, err = w.ask(protocol.APIJobResult, protocol.Header{protocol.HeaderTimeout: {"50ms"}}, job("hello", id), nil)
	if err != nil || raw.Header.Get(protocol.HeaderErrorCode) != "504" {
		t.Errorf("after a while: %v, %v", raw, err)
	}
	for _, bad := range []string{"soon", "-1s", "5"} {
		_, err := w.ask(protocol.APIJobResult, protocol.Header{protocol.HeaderTimeout: {bad}}, job("hello", id), nil)
		if protocol.CodeOf(err) != protocol.CodeBadRequest {
			t.Errorf("%s %q: %v", protocol.HeaderTimeout, bad, err)
		}
	}
	w.decide("hello", id, protocol.Record{State: protocol.StateDone, Attempts: 1, Reply: protocol.Reply{Body: []byte("out")}})
	raw, err = w.ask(protocol.APIJobResult, nil, job("hello", id), nil)
	want := protocol.Header{protocol.HeaderID: {id}, protocol.HeaderState: {"done"}, protocol.HeaderAttempt: {"1"},
		protocol.HeaderExit: {"0"}}
	if err != nil || string(raw.Body) != "out" || fmt.Sprint(raw.Header) != fmt.Sprint(want) {
		t.Errorf("got %v %q (%v), want %v", raw.Header, raw.Body, err, want)
	}
	w.die("hello", "x1")
	raw, err = w.ask(protocol.APIJobResult, nil, job("hello", "x1"), nil)
	reply, _ := protocol.ParseReply(raw.Header, raw.Body)
	if err != nil || reply.Err == nil || reply.Err.Code != 500 || reply.Exit != 1 ||
		raw.Header.Get(protocol.HeaderReason) != protocol.ReasonAttempts {
		t.Errorf("of a dead job: %v, %v", raw, err)
	}
}

// Many wait for outcomes, and each gets its own when it is there.
func TestHammerResult(t *testing.T) {
	w := newWorld(t)
	w.open("hello")
	if err := w.store.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 60 {
		id := w.publish("job.hello", "x")
		for range 3 {
			all.Go(func() {
				began := time.Now()
				raw, err := w.ask(protocol.APIJobResult, protocol.Header{protocol.HeaderTimeout: {patience.String()}},
					job("hello", id), nil)
				if err != nil || string(raw.Body) != id {
					t.Errorf("after %v: %v, %v", time.Since(began), raw, err)
				}
			})
		}
		all.Go(func() {
			r := protocol.Record{State: protocol.StateDone, Reply: protocol.Reply{Body: []byte(id)}}
			if _, err := w.store.Decide(context.Background(), w.store.RecordMessage("hello", id, &r, 0, time.Hour)); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	all.Wait()
}

// Whoever waits and goes away leaves nothing behind.
func TestResultGivenUp(t *testing.T) {
	w := newWorld(t)
	w.open("hello")
	id := w.publish("job.hello", "x")
	before := w.js.Conn().NumSubscriptions()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := w.verbs[protocol.APIJobResult].Answer(ctx, &protocol.APIRequest{Body: []byte(`{"job":"hello.` + id + `"}`),
			Header: protocol.Header{protocol.HeaderTimeout: {"1h"}}, Room: w.room})
		ended <- err
	}()
	cancel()
	if err := <-ended; err == nil {
		t.Error("it was answered")
	}
	if n := w.js.Conn().NumSubscriptions(); n > before {
		t.Errorf("%d subscriptions, before %d", n, before)
	}
}

func TestShowDead(t *testing.T) {
	w := newWorld(t)
	w.fails(protocol.CodeNotFound, protocol.APIDeadShow, job("hello", "x1"))
	w.die("hello", "x1")
	var l protocol.LetterReply
	w.must(protocol.APIDeadShow, job("hello", "x1"), &l)
	if string(l.Body) != "body of x1" || l.Cut || l.State != protocol.StateDead || l.Reason != protocol.ReasonAttempts ||
		len(l.Story) != 1 || l.Story[0].Stderr != "no luck" || l.Subject != "job.hello.arg" ||
		fmt.Sprint(l.Header) != "map[Colour:[blue]]" {
		t.Errorf("got %+v", l)
	}
	w.publish(protocol.DeadSubject("hello", "big"), strings.Repeat("x", 200_000))
	w.room = 100_000
	if w.must(protocol.APIDeadShow, job("hello", "big"), &l); !l.Cut || len(l.Body) < 20_000 {
		t.Errorf("of a large one come %d bytes, cut %v", len(l.Body), l.Cut)
	}
}

func TestRedrive(t *testing.T) {
	w := newWorld(t)
	w.fails(protocol.CodeNotFound, protocol.APIDeadRedrive, protocol.DeadRequest{Job: "hello.x1"})
	w.die("hello", "x1", "Fn-Delay", "1h")
	w.die("nobody", "x1")
	w.fails(protocol.CodeNotFound, protocol.APIDeadRedrive, protocol.DeadRequest{Job: "nobody.x1"})
	var out protocol.PortionReply
	w.must(protocol.APIDeadRedrive, protocol.DeadRequest{Job: "hello.x1", Version: "2"}, &out)
	if out.Done != 1 || w.state("hello", "x1") != protocol.StateRedriven {
		t.Errorf("%+v; the record says %q", out, w.state("hello", "x1"))
	}
	m := w.take("hello")
	j, err := protocol.ParseJob(m.Subject(), protocol.Header(m.Headers()), m.Data())
	if err != nil || m.Subject() != "polyvoke.job.hello.arg" || j.Request.ID != "x1" || j.Revision == 0 || j.Before != 0 ||
		j.Delay != 0 || !j.Accepted.IsZero() || len(j.Story) != 1 || string(m.Data()) != "body of x1" ||
		j.Request.Function.Version != "2" || j.Request.Header.Get("Colour") != "blue" ||
		j.Request.Header.Get(protocol.HeaderError) != "" {
		t.Errorf("got %s %+v, %v", m.Subject(), j, err)
	}
	w.fails(protocol.CodeNotFound, protocol.APIDeadRedrive, protocol.DeadRequest{Job: "hello.x1"})
	// Its next outcome replaces the record, and another life's does not.
	again := w.store.RecordMessage("hello", "x1", &protocol.Record{State: protocol.StateDone}, j.Revision, time.Hour)
	if _, err := w.store.Decide(t.Context(), again); err != nil {
		t.Error(err)
	}
	if text := w.fails(protocol.CodeNotFound, protocol.APIDeadShow, job("hello", "x1")); text == "" {
		t.Error("it says nothing")
	}
}

// A redrive that was cut short after any of its steps is done again without a second job.
func TestRedriveAgain(t *testing.T) {
	for cut := range 3 {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			w := newWorld(t)
			w.open("hello")
			w.die("hello", "x1")
			letter, ok, err := w.store.Last(t.Context(), protocol.StreamDead, protocol.DeadSubject("hello", "x1"))
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			request := protocol.DeadRequest{Job: "hello.x1"}
			if cut > 0 { // it was done, and the letter comes back as if it had not been deleted
				w.must(protocol.APIDeadRedrive, request, new(protocol.PortionReply))
				w.publish(letter.Subject, string(letter.Data), headers(letter.Header)...)
			}
			if cut == 2 { // and it has been done since
				revision := w.take("hello").Headers().Get(protocol.HeaderRevision)
				r, _, err := w.store.Record(t.Context(), "hello", "x1")
				if err != nil || fmt.Sprint(r.Revision) != revision {
					t.Fatal(r.Revision, revision, err)
				}
				done := w.store.RecordMessage("hello", "x1", &protocol.Record{State: protocol.StateDone}, r.Revision, time.Hour)
				if _, err := w.store.Decide(t.Context(), done); err != nil {
					t.Fatal(err)
				}
				w.fails(protocol.CodeConflict, protocol.APIDeadRedrive, request)
				w.must(protocol.APIDeadDrop, request, new(protocol.PortionReply))
			} else {
				w.must(protocol.APIDeadRedrive, request, new(protocol.PortionReply))
			}
			if n := w.messages(protocol.QueueStream("hello")); n != 1 {
				t.Errorf("%d messages are in the queue", n)
			}
			if n := w.messages(protocol.StreamDead); n != 0 {
				t.Errorf("%d dead letters", n)
			}
		})
	}
}

// headers returns headers as publish takes them.
func headers(h protocol.Header) (list []string) {
	for name, values := range h {
		if name != jetstream.MsgIDHeader {
			list = append(list, name, values[0])
		}
	}
	return list
}

// All dead letters, or those of one function, go in portions, and what cannot go back stays and is said.
func TestPortions(t *testing.T) {
	w := newWorld(t)
	w.must(protocol.APIDeadRedrive, protocol.DeadRequest{All: true}, new(protocol.PortionReply)) // of nothing
	const letters = protocol.MaxPortion + 20
	for i := range letters {
		w.die("hello", fmt.Sprintf("x%d", i))
	}
	w.die("nobody", "y")
	w.die("other", "z")
	w.publish(protocol.DeadSubject("hello", "_9-m"), "x", protocol.HeaderReason, protocol.ReasonMalformed,
		protocol.HeaderSubject, "job.hello", protocol.HeaderError, "header Fn-At is wrong")
	all := func(verb protocol.APIVerb, q protocol.DeadRequest) (done int, failed []string) {
		for {
			var out protocol.PortionReply
			w.must(verb, q, &out)
			done += out.Done
			for _, f := range out.Failed {
				failed = append(failed, fmt.Sprint(f.Job, " ", f.Code))
			}
			if q.After = out.Next; q.After == "" {
				return done, failed
			}
		}
	}
	w.room = 100 << 10
	done, failed := all(protocol.APIDeadRedrive, protocol.DeadRequest{Function: "hello"})
	if done != letters || !slices.Equal(failed, []string{"hello._9-m 409"}) {
		t.Errorf("of hello: %d, %v", done, failed)
	}
	done, failed = all(protocol.APIDeadRedrive, protocol.DeadRequest{All: true})
	if done != 1 || !slices.Equal(failed, []string{"nobody.y 404", "hello._9-m 409"}) {
		t.Errorf("all: %d, %v", done, failed)
	}
	if done, failed = all(protocol.APIDeadDrop, protocol.DeadRequest{All: true}); done != 2 || failed != nil {
		t.Errorf("dropped: %d, %v", done, failed)
	}
	for _, bad := range []string{"", "{}", `{"all":true,"function":"hello"}`, `{"job":"hello"}`, `{"function":"*"}`,
		`{"all":true,"after":"x"}`, `{"all":true,"after":"1"}`, `{"job":"hello.x","version":"a b"}`} {
		w.fails(protocol.CodeBadRequest, protocol.APIDeadRedrive, bad)
		w.fails(protocol.CodeBadRequest, protocol.APIDeadDrop, bad)
	}
}

// A queue that is full keeps the letter where it is.
func TestRedriveFull(t *testing.T) {
	w := newWorld(t)
	w.functions["hello"].Job = &protocol.Job{Queue: 1}
	w.open("hello")
	w.publish("job.hello", "x")
	w.die("hello", "x1")
	text := w.fails(protocol.CodeTooMany, protocol.APIDeadRedrive, protocol.DeadRequest{Job: "hello.x1"})
	if !strings.Contains(text, "is full") || w.messages(protocol.StreamDead) != 1 {
		t.Errorf("got %q, and %d letters", text, w.messages(protocol.StreamDead))
	}
	if err := w.take("hello").DoubleAck(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.must(protocol.APIDeadRedrive, protocol.DeadRequest{Job: "hello.x1"}, new(protocol.PortionReply))
}

// FuzzRequests makes sure that any body gets an answer or a coded error.
func FuzzRequests(f *testing.F) {
	for _, seed := range []any{job("hello", "x"), protocol.JobsRequest{Function: "hello", After: "queue:a:3", Limit: 5},
		protocol.DeadRequest{All: true, After: "3:5", Version: "2"}, protocol.PurgeRequest{Function: "hello", After: "1:2:3:4"},
		protocol.PauseRequest{Name: "hello", For: 5}} {
		b, err := json.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"name":"hello","for":"1h","job":"a.b","after":"::"}`))
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		w := *w
		w.t = t
		for verb := range w.verbs {
			_, err := w.ask(verb, nil, string(body), new(any))
			if code := protocol.CodeOf(err); err != nil && (code < 400 || code >= 500 && code != 504) {
				t.Errorf("%s %q: %v (%d)", verb, body, err, code)
			}
		}
	})
}
