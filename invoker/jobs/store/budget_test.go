package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

// Invokers share what may run: as equally as it goes, in steps, and no more than there is.
func TestBudget(t *testing.T) {
	s, _ := open(t)
	a, b, c := budget("a"), budget("b"), budget("c")
	for i, step := range []struct {
		of                 *store.Budget
		running, want, all int
		may                int
	}{
		{a, 0, 64, 10, 0}, // the first time only what runs
		{a, 0, 64, 10, 10},
		{b, 2, 64, 10, 2}, // which is more than there is, for a moment
		{b, 2, 64, 10, 2}, // nothing is left
		{a, 9, 64, 10, 9}, // it gives back what does not run
		{b, 2, 64, 10, 2},
		{a, 5, 64, 10, 5},
		{b, 2, 64, 10, 5},
		{c, 0, 1, 10, 0},
		{c, 0, 1, 10, 0},
		{a, 0, 64, 10, 5}, // c wants one only
		{b, 0, 64, 10, 4},
		{c, 0, 1, 10, 1},
		{a, 0, 64, 2, 0}, // there are fewer than before, and the others have more than that
		{b, 0, 64, 2, 1},
		{a, 0, 64, 2, 0}, // who has a part keeps it
		{c, 0, 1, 2, 1},
	} {
		may, err := s.Renew(t.Context(), step.of, step.running, step.want, step.all)
		if err != nil || may != step.may {
			t.Errorf("step %d: %s may run %d, want %d (%v)", i, step.of.Invoker, may, step.may, err)
		}
	}
	for _, gone := range []*store.Budget{a, c} {
		if err := s.Release(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
	}
	if may, err := s.Renew(t.Context(), b, 0, 64, 10); may != 10 || err != nil {
		t.Errorf("b may run %d (%v)", may, err)
	}
}

func budget(invoker string) *store.Budget {
	return &store.Budget{Function: "f", Invoker: invoker, Silence: time.Hour}
}

// An invoker that is silent loses its part, and what others than invokers have written there harms nobody.
func TestBudgetSilence(t *testing.T) {
	s, js := open(t)
	dead, b := budget("dead"), budget("b")
	b.Silence = time.Millisecond
	for range 2 {
		if _, err := s.Renew(t.Context(), dead, 0, 64, 4); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(time.Minute); ; {
		may, err := s.Renew(t.Context(), b, 0, 64, 4)
		if err != nil || time.Now().After(end) {
			t.Fatalf("b may run %d (%v)", may, err)
		}
		if may == 4 {
			break
		}
	}
	for _, text := range []string{"", "no JSON", `{"x":{"has":-5,"beat":1}}`, `{"x":{"want":1,"has":9000000}}`, `[]`} {
		m := &nats.Msg{Subject: "$KV." + protocol.BucketMarks + ".budget.f", Data: []byte(text)}
		if _, err := js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if may, err := s.Renew(t.Context(), b, 0, 64, 4); err != nil || may != 4 {
			t.Errorf("%s: b may run %d (%v)", text, may, err)
		}
	}
}

// Any number of invokers that renew their parts at the same time never have more than there is.
func TestHammerBudget(t *testing.T) {
	s, _ := open(t)
	const all, invokers = 7, 5
	var mu sync.Mutex
	has := map[string]int{}
	var running sync.WaitGroup
	for i := range invokers {
		running.Go(func() {
			b := budget(fmt.Sprint("i", i))
			for range 20 {
				mu.Lock()
				own := has[b.Invoker]
				mu.Unlock()
				may, err := s.Renew(t.Context(), b, own/2, 3+i, all)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				has[b.Invoker] = may
				mu.Unlock()
			}
		})
	}
	running.Wait()
	sum := 0
	for _, n := range has {
		sum += n
	}
	if sum > all {
		t.Errorf("%d of %d may run: %v", sum, all, has)
	}
}
