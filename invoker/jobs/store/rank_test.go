package store_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

// A queue whose jobs are moved gives away more of them at a time than may run, once all invokers know that.
func TestRankingLimit(t *testing.T) {
	_, js := open(t)
	f := &protocol.Function{Name: "f", Job: &protocol.Job{Concurrency: 3}}
	limit := func(s *store.Store) int {
		t.Helper()
		q, err := s.MakeQueue(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		c, err := js.Consumer(t.Context(), q.Stream, store.Consumer)
		if err != nil {
			t.Fatal(err)
		}
		return c.CachedInfo().Config.MaxAckPending
	}
	early, late := store.New(js, store.Config{}), store.New(js, store.Config{Known: time.Nanosecond})
	if n := limit(late); n != 3 {
		t.Errorf("without priorities: %d", n)
	}
	for _, s := range []*store.Store{early, late} {
		if _, err := s.MakeRanks(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	if n := limit(early); n != 3 {
		t.Errorf("at first: %d", n)
	}
	if n := limit(late); n <= 3 {
		t.Errorf("later: %d", n)
	}
	if n := limit(store.New(js, store.Config{Known: time.Nanosecond})); n <= 3 { // one that has not seen a priority
		t.Errorf("later, of another invoker: %d", n)
	}
	for _, p := range protocol.Priorities() {
		c, err := js.Consumer(t.Context(), protocol.RankStream("f"), store.RankConsumer(p))
		if err != nil || c.CachedInfo().Config.MaxAckPending != 6 {
			t.Errorf("%s: %v", p, err)
		}
	}
	f.Job.Key = "{1}"
	if n := limit(late); n != 1 {
		t.Errorf("with a key: %d", n)
	}
}

// A job with its turn that was moved to those of its priority leaves its line as any other, whether what is left of its
// turn is still there or not.
func TestRankedTurn(t *testing.T) {
	for _, left := range []bool{false, true} {
		s, js := open(t)
		f := &protocol.Function{Name: "f", Job: &protocol.Job{Key: "{1}"}}
		if _, err := s.MakeTurns(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		if _, err := s.MakeRanks(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		line := protocol.JobKey{Arg: 1}.Line(&protocol.Request{Args: []string{"a"}}, "")
		message := func(id string) *nats.Msg {
			return &nats.Msg{Header: nats.Header{protocol.HeaderID: {id}, protocol.HeaderSubject: {"job.f.a"}}}
		}
		stand := func(id string) {
			t.Helper()
			if err := s.Stand(t.Context(), store.Entry{Function: "f", Line: line, ID: id}, message(id)); err != nil {
				t.Fatal(err)
			}
		}
		stand("one")
		stand("two")
		m := message("one")
		s.RankMessage(protocol.Ranked{Function: "f", Priority: protocol.PriorityHigh, ID: "one", Line: line}, m, "one")
		if err := s.Rank(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if !left {
			c, err := js.Consumer(t.Context(), protocol.TurnStream("f"), store.Consumer)
			if err != nil {
				t.Fatal(err)
			}
			turn, err := c.Next(jetstream.FetchMaxWait(time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			if err := turn.DoubleAck(t.Context()); err != nil {
				t.Fatal(err)
			}
			stand("three") // whoever comes gives nobody else the turn
			if _, ok, err := s.Turn(t.Context(), "f", line); ok || err != nil {
				t.Fatalf("somebody has the turn of the job that is among those of its priority: %v", err)
			}
		}
		for range 2 { // the second time changes nothing
			if err := s.HandOn(t.Context(), store.Entry{Function: "f", Line: line, ID: "one"}, 0); err != nil {
				t.Fatal(err)
			}
			turn, ok, err := s.Turn(t.Context(), "f", line)
			if err != nil || !ok || turn.Header.Get(protocol.HeaderID) != "two" {
				t.Errorf("the turn is that of %s %v %v", turn.Header.Get(protocol.HeaderID), ok, err)
			}
		}
	}
}
