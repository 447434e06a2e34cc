package control_test

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

// rank puts a job of hello among those of its priority, as an invoker does.
func (w *world) rank(id string, p protocol.Priority) {
	w.t.Helper()
	m := &nats.Msg{Data: []byte(id), Header: nats.Header{protocol.HeaderID: {id}, protocol.HeaderPriority: {p.String()},
		protocol.HeaderSubject: {"job.hello.x"}, protocol.HeaderAttempt: {"1"}}}
	r := protocol.Ranked{Function: "hello", Priority: p, ID: id}
	for range 2 { // the second time changes nothing
		if err := w.store.Rank(w.t.Context(), r, m, id); err != nil {
			w.t.Fatal(err)
		}
	}
}

// Jobs that have left their queue for their priority are counted, listed, shown, paused, cancelled and purged as others.
func TestRanked(t *testing.T) {
	w := newWorld(t)
	w.open("hello")
	if _, err := w.store.MakeRanks(t.Context(), w.functions["hello"]); err != nil {
		t.Fatal(err)
	}
	w.rank("low1", protocol.PriorityLow)
	w.rank("high1", protocol.PriorityHigh)
	w.rank("normal1", protocol.PriorityNormal)
	w.rank("high2", protocol.PriorityHigh)
	w.publish("job.hello", "x", protocol.HeaderID, "queued", protocol.HeaderPriority, "low")
	c, err := w.js.Consumer(t.Context(), protocol.RankStream("hello"), store.RankConsumer(protocol.PriorityHigh))
	if err != nil {
		t.Fatal(err)
	}
	if m, err := c.Next(jetstream.FetchMaxWait(patience)); err != nil || string(m.Data()) != "high1" {
		t.Fatalf("%v", err)
	}
	if q := w.open("hello"); q.Queued != 4 || q.Running != 1 {
		t.Errorf("the figures are %+v", q)
	}
	for id, want := range map[string]protocol.JobInfo{
		"high1":   {State: protocol.StateRunning, Priority: "high", Attempts: 1},
		"low1":    {State: protocol.StateQueued, Priority: "low", Attempts: 1},
		"normal1": {State: protocol.StateQueued, Attempts: 1},
		"queued":  {State: protocol.StateQueued, Priority: "low"},
	} {
		var j protocol.JobReply
		w.must(protocol.APIJob, job("hello", id), &j)
		if j.State != want.State || j.Priority != want.Priority || j.Attempts != want.Attempts {
			t.Errorf("%s: %+v", id, j)
		}
	}
	var seen []string
	for after, more := "", true; more; more = after != "" {
		var page protocol.JobsReply
		w.must(protocol.APIJobs, protocol.JobsRequest{After: after, Limit: 2}, &page)
		for _, j := range page.Jobs {
			seen = append(seen, j.Job)
		}
		after = page.Next
	}
	if len(seen) != 5 {
		t.Errorf("the list has %v", seen)
	}
	var q protocol.QueueInfo
	w.must(protocol.APIPause, protocol.PauseRequest{Name: "hello"}, &q)
	if info, err := c.Info(t.Context()); err != nil || !info.Paused {
		t.Errorf("it is not paused: %v", err)
	}
	w.must(protocol.APIResume, protocol.NameRequest{Name: "hello"}, &q)
	var j protocol.JobReply
	for range 2 {
		if w.must(protocol.APIJobCancel, job("hello", "low1"), &j); j.State != protocol.StateCancelled {
			t.Errorf("%+v", j)
		}
	}
	var p protocol.PortionReply
	if w.must(protocol.APIJobPurge, protocol.PurgeRequest{Function: "hello"}, &p); p.Done != 3 || p.Next != "" {
		t.Errorf("the purge: %+v", p)
	}
	if n := w.messages(protocol.RankStream("hello")); n != 1 {
		t.Errorf("%d jobs are left, and not the one that runs", n)
	}
}
