package slots

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestSlotsInTurn(t *testing.T) {
	s := New(1)
	ctx := t.Context()
	if err := s.Acquire(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Turn(ctx); err != nil { // nobody waits
		t.Fatal(err)
	}
	order := make(chan int, 3)
	for i := range 2 { // they queue up one after the other
		go func() {
			if err := s.Acquire(ctx); err != nil {
				t.Error(err)
			}
			order <- i
			s.Release()
		}()
		for waiting := 0; waiting <= i; {
			s.mu.Lock()
			waiting = len(s.waiting)
			s.mu.Unlock()
		}
	}
	if err := s.Turn(ctx); err != nil {
		t.Fatal(err)
	}
	order <- 2
	for want := range 3 {
		if got := <-order; got != want {
			t.Errorf("turn %d was %d's", want, got)
		}
	}
	s.Release()
	if s.free != 1 || len(s.waiting) != 0 {
		t.Errorf("in the end %d are free and %d wait", s.free, len(s.waiting))
	}
}

func TestHammerSlots(t *testing.T) {
	const n = 3
	s := New(n)
	var using, rounds atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 300 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(200))*time.Microsecond)
				held := s.Acquire(ctx) == nil
				for i := 0; held && i < 3; i++ {
					if using.Add(1) > n {
						t.Error("more calls than slots")
					}
					rounds.Add(1)
					using.Add(-1)
					held = s.Turn(ctx) == nil
				}
				if held {
					s.Release()
				}
				cancel()
			}
		})
	}
	all.Wait()
	if s.free != n || len(s.waiting) != 0 {
		t.Errorf("in the end %d of %d are free and %d wait", s.free, n, len(s.waiting))
	}
	if rounds.Load() == 0 {
		t.Error("nobody ever had a slot")
	}
}
