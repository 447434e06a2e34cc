package triggers

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/invokertest/await"
	"github.com/polyvoke/polyvoke/protocol"
)

// dies lets a front end as if it were killed when a step is done: its connection is closed, so it says nothing more.
func dies(step string, died chan<- struct{}) func(*Front) {
	return func(f *Front) {
		f.after = func(at string) {
			if at == step && !f.js.Conn().IsClosed() {
				f.js.Conn().Close()
				close(died)
			}
		}
	}
}

// An invoker that ends between publishing a job and acknowledging its event leaves one job.
func TestKilledBetweenPublishAndAck(t *testing.T) {
	for _, trigger := range []protocol.Trigger{
		{Stream: "S"}, {Stream: "S", Ordered: true}, {Stream: "S", Batch: 3, Window: protocol.Duration(200 * time.Millisecond)},
	} {
		for _, step := range []string{"publish", "plan", "answer"} {
			if (step == "plan") != (trigger.Batch > 0) && step != "answer" || trigger.Ordered && step == "answer" {
				continue // it has no such step
			}
			t.Run(fmt.Sprintf("%d %t %s", trigger.Batch, trigger.Ordered, step), func(t *testing.T) {
				w := start(t)
				w.stream(jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}})
				died := make(chan struct{})
				_, stop := w.front(dies(step, died), trigger)
				w.ready(trigger)
				w.publish("s.1", "s.2", "s.3")
				<-died
				stop()
				w.publish("s.4") // what is delivered again comes in other company
				w.front(nil, trigger)
				w.eachOnce(trigger, 4)
			})
		}
	}
}

// eachOnce takes jobs until the trigger has nothing to do, gives each its outcome, and reports events that did not
// become a job, or several.
func (w *world) eachOnce(trigger protocol.Trigger, events int) {
	w.Helper()
	seen := map[uint64]int{}
	for len(seen) < events {
		j, m := w.take()
		for _, sequence := range sequencesOf(w.T, j) {
			seen[sequence]++
		}
		w.decide(j, protocol.StateDone)
		w.must(m.DoubleAck(w.Context()))
	}
	w.nothing(trigger)
	for sequence, n := range seen {
		if n != 1 {
			w.Errorf("event %d became %d jobs", sequence, n)
		}
	}
}

// decide gives a job its outcome.
func (w *world) decide(j protocol.JobMessage, state protocol.JobState) {
	w.Helper()
	r := protocol.Record{State: state}
	_, err := w.store.Decide(w.Context(), w.store.RecordMessage("f", j.Request.ID, &r, 0, time.Minute))
	w.must(err)
}

// sequencesOf returns the sequences of a job's events.
func sequencesOf(t *testing.T, j protocol.JobMessage) (all []uint64) {
	t.Helper()
	if !strings.HasPrefix(j.Request.ID, "_b") && j.Request.Header.Get(protocol.HeaderBatch) == "" {
		var n uint64
		if _, err := fmt.Sscan(j.Request.Header.Get(protocol.HeaderSourceSequence), &n); err != nil {
			t.Fatal(err)
		}
		return []uint64{n}
	}
	for line := range strings.Lines(string(j.Request.Body)) {
		var e protocol.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, e.Sequence)
	}
	if want := fmt.Sprint(len(all)); j.Request.Header.Get(protocol.HeaderBatch) != want {
		t.Errorf("header %s is %q, of %s lines", protocol.HeaderBatch, j.Request.Header.Get(protocol.HeaderBatch), want)
	}
	return all
}

// An event that is delivered again, longer after its job than the queue remembers, is no second job.
func TestRedeliveredAfterOutcome(t *testing.T) {
	for _, trigger := range []protocol.Trigger{{Stream: "S"}, {Stream: "S", Batch: 2}} {
		w := start(t)
		w.stream(jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}})
		died := make(chan struct{})
		_, stop := w.front(dies("answer", died), trigger)
		w.ready(trigger)
		w.publish("s.1")
		<-died
		stop()
		j, m := w.take()
		w.decide(j, protocol.StateDead)
		w.must(m.DoubleAck(t.Context()))
		w.must(w.js.DeleteStream(t.Context(), w.queue.Stream)) // with what it remembers
		var err error
		w.queue, err = w.store.MakeQueue(t.Context(), &protocol.Function{Name: "f"})
		w.must(err)
		w.front(nil, trigger)
		w.nothing(trigger)
	}
}

// Batches have as many lines as there are events in their window, and at most as many as they may.
func TestBatch(t *testing.T) {
	w := start(t)
	w.stream(jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}})
	trigger := protocol.Trigger{Stream: "S", Filter: "s.*", Batch: 50, Window: protocol.Duration(100 * time.Millisecond),
		Start: "all", To: "done"}
	for i := range 120 {
		_, err := w.js.Publish(t.Context(), fmt.Sprint("s.", i), fmt.Appendf(nil, `{"n":%d}`, i))
		w.must(err)
	}
	_, stop := w.front(nil, trigger)
	var all []uint64
	for len(all) < 120 {
		j := w.next()
		some := sequencesOf(t, j)
		if len(some) > 50 || j.To != "done" || len(j.Request.Args) > 0 ||
			!strings.HasPrefix(string(j.Request.Body), fmt.Sprintf(`{"subject":"s.%d","sequence":%d,"time":"2`, some[0]-1,
				some[0])) || !strings.Contains(string(j.Request.Body), fmt.Sprintf(`,"data":{"n":%d}}`+"\n", some[0]-1)) {
			t.Errorf("%d lines to %q: %.200s", len(some), j.To, j.Request.Body)
		}
		all = append(all, some...)
	}
	if !slices.IsSorted(all) || len(all) != 120 {
		t.Errorf("the events are %v", all)
	}
	w.nothing(trigger)
	stop()
	plans := 0
	f := New(Config{JetStream: w.js})
	w.must(f.list(t.Context(), markPlan+".>", func(jetstream.KeyValueEntry) { plans++ }))
	if plans != 0 {
		t.Errorf("%d plans are left", plans)
	}
}

// A batch has room for what a message has room for, and one event in any case.
func TestLargeBatch(t *testing.T) {
	w := start(t)
	w.stream(jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
	trigger := protocol.Trigger{Stream: "S", Batch: 50, Start: "all"}
	largest := int(w.js.Conn().MaxPayload())
	for _, size := range []int{largest / 2, largest / 2, 10, largest, 10, 10} {
		_, err := w.js.Publish(t.Context(), "s", []byte(strings.Repeat("\xff", size)))
		w.must(err)
	}
	f, _ := w.front(nil, trigger)
	seen := map[uint64]bool{}
	for len(seen) < 6 {
		j := w.next()
		if j.Request.Claim != nil {
			var err error
			j.Request.Body, err = f.config.Bodies.Get(t.Context(), j.Request.Claim, 1<<30)
			w.must(err)
		}
		for _, n := range sequencesOf(t, j) {
			seen[n] = true
		}
	}
	w.nothing(trigger)
}

// An ordered trigger goes on when the job of the event before has its outcome, whatever that is and whoever works.
func TestOrdered(t *testing.T) {
	w := start(t)
	w.stream(jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}})
	trigger := protocol.Trigger{Stream: "S", Ordered: true}
	_, stop := w.front(nil, trigger)
	w.front(nil, trigger)
	w.ready(trigger)
	var want []string
	for i := range 12 {
		want = append(want, fmt.Sprint("s.", i))
	}
	w.publish(want...)
	c, err := w.js.Consumer(t.Context(), w.queue.Stream, "run")
	w.must(err)
	states := []protocol.JobState{protocol.StateDone, protocol.StateDead, protocol.StateCancelled}
	for i, subject := range want {
		j, m := w.take()
		if string(j.Request.Body) != subject {
			t.Fatalf("job %d is of %s, want %s", i, j.Request.Body, subject)
		}
		if i == 5 {
			stop() // the other one goes on with it
			w.must(m.Nak())
			if j, m = w.take(); string(j.Request.Body) != subject {
				t.Fatalf("job %d is of %s after an attempt, want %s", i, j.Request.Body, subject)
			}
		}
		info, err := c.Info(t.Context())
		w.must(err)
		if info.NumPending != 0 {
			t.Errorf("job %d: %d jobs are beside it", i, info.NumPending)
		}
		w.decide(j, states[i%len(states)])
		w.must(m.DoubleAck(t.Context()))
	}
	w.nothing(trigger)
}

// A source, or a queue, that is missing or goes is waited for; nothing is lost that JetStream kept.
func TestMissing(t *testing.T) {
	for _, trigger := range []protocol.Trigger{{Stream: "S"}, {Stream: "S", Ordered: true}, {Stream: "S", Batch: 10}} {
		w := start(t)
		w.front(nil, trigger)
		trigger.Start = ""
		for life := range 2 {
			s := w.stream(jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}})
			w.ready(trigger)
			w.publish(fmt.Sprint("s.", life))
			j, m := w.take()
			w.decide(j, protocol.StateDone)
			w.must(m.DoubleAck(t.Context()))
			w.idle(trigger)
			if life == 0 {
				w.must(w.js.DeleteStream(t.Context(), s.CachedInfo().Config.Name))
			}
		}
		w.must(w.js.DeleteStream(t.Context(), w.queue.Stream))
		w.publish("s.9")
		await.Until(w, "the event to wait", func() bool { return Lags(t.Context(), w.js, w.function(trigger))[0].Total() == 1 })
		var err error
		w.queue, err = w.store.MakeQueue(t.Context(), &protocol.Function{Name: "f"})
		w.must(err)
		w.eachOnce(trigger, 1)
	}
}

// A full queue refuses events, which wait, and come when there is room.
func TestFullQueue(t *testing.T) {
	w := start(t)
	var err error
	w.queue, err = w.store.MakeQueue(t.Context(), &protocol.Function{Name: "f", Job: &protocol.Job{Queue: 2}})
	w.must(err)
	w.stream(jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}})
	trigger := protocol.Trigger{Stream: "S"}
	w.front(nil, trigger)
	w.ready(trigger)
	var subjects []string
	for i := range 10 {
		subjects = append(subjects, fmt.Sprint("s.", i))
	}
	w.publish(subjects...)
	w.eachOnce(trigger, 10)
}

func TestCheck(t *testing.T) {
	w := start(t)
	w.stream(jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}})
	w.stream(jetstream.StreamConfig{Name: "W", Subjects: []string{"w"}, Retention: jetstream.WorkQueuePolicy})
	for _, test := range []struct {
		trigger protocol.Trigger
		want    string // of the error; empty: none
	}{
		{protocol.Trigger{Subject: "orders.x"}, ""},
		{protocol.Trigger{Schedule: "@daily"}, ""},
		{protocol.Trigger{Stream: "ORDERS"}, ""},
		{protocol.Trigger{Stream: "ORDERS", Filter: "orders.eu.*"}, ""},
		{protocol.Trigger{Stream: "ORDERS", Filter: "invoices.*"}, "no such subject, but orders.>: change filter"},
		{protocol.Trigger{Stream: "NONE"}, "stream NONE does not exist: make it (nats stream add NONE), or set create = true"},
		{protocol.Trigger{KV: "none.x"}, "does not exist: make it (nats kv add none)"},
		{protocol.Trigger{Object: "none"}, "does not exist: make it (nats object add none)"},
		{protocol.Trigger{Stream: "MADE", Filter: "made.>", Create: true}, ""},
		{protocol.Trigger{KV: "made.x", Create: true}, ""},
		{protocol.Trigger{Object: "made", Create: true}, ""},
		{protocol.Trigger{Stream: "W"}, ""},
		{protocol.Trigger{Stream: "W", Start: "all"}, ""},
		{protocol.Trigger{Stream: "W", Start: "new"}, "work queue"},
	} {
		err := Check(t.Context(), w.js, test.trigger)
		if test.want == "" && err != nil || test.want != "" && (protocol.CodeOf(err) != protocol.CodeRefused ||
			!strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: error %v, want %q", test.trigger, err, test.want)
		}
	}
	for _, subject := range []string{"fn.echo", "job.x.>", "polyvoke.job.f", "dead.*.x", "*.x", ">"} {
		c := jetstream.StreamConfig{Name: "S", Subjects: []string{subject}}
		if err := fits(protocol.Trigger{Stream: "S"}, "", &c); protocol.CodeOf(err) != protocol.CodeRefused {
			t.Errorf("a stream of %s: %v", subject, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Check(ctx, w.js, protocol.Trigger{Stream: "ORDERS"}); protocol.CodeOf(err) != protocol.CodeUnavailable {
		t.Errorf("without an answer: %v", err)
	}
}
