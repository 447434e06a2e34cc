package wasi

import (
	"context"
	"sync/atomic"
	"time"
)

// slowInstantiate is from which time on instances are made a few at a time.
const slowInstantiate = time.Millisecond

// instantiateGate lets a few instances be made at a time. Any number of goroutines may use one.
type instantiateGate chan struct{}

// newInstantiateGate returns a gate for n instances at a time.
func newInstantiateGate(n int) instantiateGate { return make(instantiateGate, n) }

// instantiateTime is how long it takes to make an instance of one module, at best. Its zero value has seen none made. Any
// number of goroutines may use one.
type instantiateTime struct{ best atomic.Int64 }

// await waits until the next instance may be made. done is to be called when it was.
//
// # Errors
//
// That of until, if it ends before, or is sure to end before an instance is made.
func (r *instantiateTime) await(until context.Context, gate instantiateGate) (done func(), err error) {
	best := time.Duration(r.best.Load())
	if best > 0 && best < slowInstantiate {
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
func (r *instantiateTime) took(d time.Duration) {
	if best := r.best.Load(); best == 0 || int64(d) < best {
		r.best.Store(int64(max(d, 1)))
	}
}
