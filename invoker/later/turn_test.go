package later_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

// A job that has its turn in a line gets it there when it is due, and goes to its queue if the lines are gone.
func TestTurnMoved(t *testing.T) {
	w := start(t)
	jobs := w.queue("f", 10)
	st := store.New(w.js, store.Config{})
	if _, err := st.MakeTurns(t.Context(), &protocol.Function{Name: "f", Job: &protocol.Job{Key: "{1}"}}); err != nil {
		t.Fatal(err)
	}
	w.move(nil)
	line := protocol.JobKey{Arg: 1}.Line(&protocol.Request{}, "x")
	put := func(id string) {
		t.Helper()
		m := &nats.Msg{Subject: protocol.TurnSubject("f", line), Header: nats.Header{protocol.HeaderID: {id},
			protocol.HeaderSubject: {"job.f"}, protocol.HeaderAttempt: {"2"}}}
		if err := w.later.Put(t.Context(), "f", id, time.Now(), m); err != nil {
			t.Fatal(err)
		}
	}
	put("x")
	for {
		m, ok, err := st.Turn(t.Context(), "f", line)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			if m.Header.Get(protocol.HeaderID) != "x" || m.Header.Get(protocol.HeaderAttempt) != "2" {
				t.Errorf("the turn is %v", m.Header)
			}
			break
		}
	}
	if err := st.RemoveTurns(t.Context(), "f"); err != nil {
		t.Fatal(err)
	}
	put("y")
	m := next(t, "the job", jobs)
	if m.Subject != "polyvoke.job.f" || m.Header.Get(protocol.HeaderID) != "y" ||
		m.Header.Get(protocol.HeaderAttempt) != "2" {
		t.Errorf("the job is %s %v", m.Subject, m.Header)
	}
}
