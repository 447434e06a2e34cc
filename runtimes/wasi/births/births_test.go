package births

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestAwait checks who may make an instance when one is being made: those of modules for which it is known to be
// quick, and nobody whose time is too short.
func TestAwait(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	soon, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for _, c := range []struct {
		name  string
		best  time.Duration
		full  bool
		until context.Context
		want  error
	}{
		{"the first", 0, false, t.Context(), nil},
		{"the first, while another is made", 0, true, ended, context.Canceled},
		{"a quick one, while another is made", slow - 1, true, ended, nil},
		{"a slow one, while another is made", slow, true, ended, context.Canceled},
		{"a slow one", slow, false, t.Context(), nil},
		{"one that cannot be in time", 2 * time.Hour, false, soon, context.DeadlineExceeded},
	} {
		gate, r := NewGate(1), new(Record)
		if c.full {
			gate <- struct{}{}
		}
		if c.best > 0 {
			r.took(c.best)
		}
		done, err := r.Await(c.until, gate)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if err == nil {
			done()
		}
		if held := len(gate) == 1; held != c.full {
			t.Errorf("%s: afterwards the gate is held: %t", c.name, held)
		}
	}
}

// TestShortest checks that the shortest time counts, whatever comes after it, and that no time is none.
func TestShortest(t *testing.T) {
	r := new(Record)
	for _, c := range []struct{ took, want time.Duration }{{5, 5}, {7, 5}, {3, 3}, {0, 1}, {9, 1}} {
		if r.took(c.took); time.Duration(r.best.Load()) != c.want {
			t.Errorf("after %d: %d, want %d", c.took, r.best.Load(), c.want)
		}
	}
}

// TestHammer has many goroutines make instances, of which no more than the gate's number may be made at a time as
// long as none is known to be quick.
func TestHammer(t *testing.T) {
	gate, r := NewGate(2), new(Record)
	var now atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 100 {
				done, err := new(Record).Await(t.Context(), gate)
				if err != nil {
					t.Error(err)
					return
				}
				if n := now.Add(1); n > 2 {
					t.Errorf("%d at a time", n)
				}
				now.Add(-1)
				done()
				r.took(slow)
			}
		})
	}
	all.Wait()
	if len(gate) != 0 || time.Duration(r.best.Load()) != slow {
		t.Errorf("afterwards %d are made, and the shortest took %d", len(gate), r.best.Load())
	}
}
