// Package births has instances that take long to make be made one after another.
//
// To make an instance cannot be interrupted. It takes microseconds, but 50 ms for a module whose tables hold 100,000
// functions. Of such modules a few are made at a time, so that all processes but those are in time, and none is begun
// that cannot be: it would only make others late.
package births

import (
	"context"
	"sync/atomic"
	"time"
)

// slow is from which time on instances are made a few at a time.
const slow = time.Millisecond

// Gate lets a few instances be made at a time. Any number of goroutines may use one.
type Gate chan struct{}

// NewGate returns a gate for n instances at a time.
func NewGate(n int) Gate { return make(Gate, n) }

// Record is how long it takes to make an instance of one module, at best. Its zero value has seen none made. Any
// number of goroutines may use one.
type Record struct{ best atomic.Int64 }

// Await waits until the next instance may be made. done is to be called when it was.
//
// # Errors
//
// That of until, if it ends before, or is sure to end before an instance is made.
func (r *Record) Await(until context.Context, gate Gate) (done func(), err error) {
	best := time.Duration(r.best.Load())
	if best > 0 && best < slow {
		return func() {}, nil
	}
	select {
	case gate <- struct{}{}:
	case <-until.Done():
		return nil, until.Err()
	}
	if deadline, ok := until.Deadline(); ok && time.Until(deadline) < best {
		<-gate
		return nil, context.DeadlineExceeded
	}
	start := time.Now()
	return func() {
		<-gate
		r.took(time.Since(start))
	}, nil
}

// took takes note of an instance. The shortest time counts: what else it took is the doing of others.
func (r *Record) took(d time.Duration) {
	if best := r.best.Load(); best == 0 || int64(d) < best {
		r.best.Store(int64(max(d, 1)))
	}
}
