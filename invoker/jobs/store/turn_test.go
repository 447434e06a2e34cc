package store_test

import (
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

// TestTurns follows the jobs of one key: the first of the line has the turn, whatever is done again or has got lost.
func TestTurns(t *testing.T) {
	s, js := open(t)
	f := &protocol.Function{Name: "f", Job: &protocol.Job{Key: "{1}", Concurrency: 3}}
	for range 2 {
		if _, err := s.MakeTurns(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	line := protocol.JobKey{Arg: 1}.Line(&protocol.Request{Args: []string{"a"}}, "")
	entry := func(id string) store.Entry { return store.Entry{Function: "f", Line: line, ID: id} }
	stand := func(id string) {
		t.Helper()
		m := &nats.Msg{Header: nats.Header{protocol.HeaderID: {id}, protocol.HeaderSubject: {"job.f.a"}}, Data: []byte(id)}
		if err := s.Stand(t.Context(), entry(id), m); err != nil {
			t.Fatal(err)
		}
	}
	turn := func(want string) uint64 {
		t.Helper()
		m, ok, err := s.Turn(t.Context(), "f", line)
		if err != nil || ok != (want != "") || ok && (m.Header.Get(protocol.HeaderID) != want || string(m.Data) != want) {
			t.Fatalf("the turn is %s %v %v, want %q", m.Header.Get(protocol.HeaderID), ok, err, want)
		}
		return m.Sequence
	}
	handOn := func(id string, turn uint64) {
		t.Helper()
		if err := s.HandOn(t.Context(), entry(id), turn); err != nil {
			t.Fatal(err)
		}
	}
	stand("a")
	a := turn("a")
	stand("b")
	stand("c")
	stand("a") // it came again
	if again := turn("a"); again != a {
		t.Errorf("the turn of a was given twice: %d, %d", a, again)
	}
	handOn("a", a)
	b := turn("b")
	handOn("a", a) // as an old turn would
	if again := turn("b"); again != b {
		t.Errorf("the turn of b was given twice: %d, %d", b, again)
	}
	handOn("b", b)
	c := turn("c")
	handOn("c", c)
	turn("c") // it is acknowledged by whoever has it
	stand("d")
	d := turn("d") // but does not keep others back
	if err := s.Delete(t.Context(), protocol.TurnStream("f"), d); err != nil {
		t.Fatal(err)
	}
	turn("")
	stand("e")
	d = turn("d")
	if taken, err := s.Leave(t.Context(), entry("e")); !taken || err != nil {
		t.Error(taken, err)
	}
	handOn("d", d)
	if q, left, ok, err := s.LookAtTurns(t.Context(), "f"); left != 1 || !ok || err != nil || q.Stream != "FN_TURN_f" {
		t.Errorf("left are %d of %v %v %v", left, q, ok, err)
	}
	c2, err := js.Consumer(t.Context(), "FN_TURN_f", store.Consumer)
	if err != nil {
		t.Fatal(err)
	}
	if info := c2.CachedInfo(); info.Config.MaxAckPending != 3 || info.NumPending != 1 {
		t.Errorf("the consumer is %+v", info)
	}
	for range 2 {
		if err := s.RemoveTurns(t.Context(), "f"); err != nil {
			t.Error(err)
		}
	}
	if _, _, ok, err := s.LookAtTurns(t.Context(), "f"); ok || err != nil {
		t.Errorf("no lines: %v %v", ok, err)
	}
}
