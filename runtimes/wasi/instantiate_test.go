package wasi

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestInstantiateGate checks who may make an instance when one is being made: those of modules for which it is known
// to be quick, and nobody whose time is too short.
func TestInstantiateGate(t *testing.T) {
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
		{"a quick one, while another is made", slowInstantiate - 1, true, ended, nil},
		{"a slow one, while another is made", slowInstantiate, true, ended, context.Canceled},
		{"a slow one", slowInstantiate, false, t.Context(), nil},
		{"one that cannot be in time", 2 * time.Hour, false, soon, context.DeadlineExceeded},
	} {
		gate, r := newInstantiateGate(1), new(instantiateTime)
		if c.full {
			gate <- struct{}{}
		}
		if c.best > 0 {
			r.took(c.best)
		}
		done, err := r.await(c.until, gate)
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

// TestInstantiateTime checks that the shortest time counts, whatever comes after it, and that no time is none.
func TestInstantiateTime(t *testing.T) {
	r := new(instantiateTime)
	for _, c := range []struct{ took, want time.Duration }{{5, 5}, {7, 5}, {3, 3}, {0, 1}, {9, 1}} {
		if r.took(c.took); time.Duration(r.best.Load()) != c.want {
			t.Errorf("after %d: %d, want %d", c.took, r.best.Load(), c.want)
		}
	}
}

// TestHammerInstantiateGate makes instances from many goroutines, of which no more than the gate's number may be made
// at a time as long as none is known to be quick.
func TestHammerInstantiateGate(t *testing.T) {
	gate, r := newInstantiateGate(2), new(instantiateTime)
	var now atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 100 {
				done, err := new(instantiateTime).await(t.Context(), gate)
				if err != nil {
					t.Error(err)
					return
				}
				if n := now.Add(1); n > 2 {
					t.Errorf("%d at a time", n)
				}
				now.Add(-1)
				done()
				r.took(slowInstantiate)
			}
		})
	}
	all.Wait()
	if len(gate) != 0 || time.Duration(r.best.Load()) != slowInstantiate {
		t.Errorf("afterwards %d are made, and the shortest took %d", len(gate), r.best.Load())
	}
}
