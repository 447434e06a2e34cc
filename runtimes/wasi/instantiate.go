package wasi

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero/api"
)

// Making an instance cannot be interrupted. It takes microseconds, but 50 ms for a module whose tables hold 100,000
// functions. Of such modules a few instances are made at a time, so that all other processes are in time; and none is
// begun that cannot be in time itself, since it would only make others late.

// instantiate makes the instance, in which nothing runs: a start function is called with the entry. until bounds how
// long it may have to wait.
func (s *sandbox) instantiate(until context.Context) (err error) {
	defer recovered(&err)
	done, err := s.program.instantiateTime.await(until, s.program.runtime.instantiates)
	if err != nil {
		return err
	}
	defer done()
	if s.program.begin != nil {
		s.memory.exact = s.program.base.Size() // which may be more than the module asks for
	}
	s.instance, err = s.program.runtime.engine.InstantiateModule(s.values, s.program.compiled, s.program.config)
	s.memory.exact = 0
	if err != nil {
		return err
	}
	s.program.rest.know(s.instance)
	for _, name := range s.program.globals {
		s.globals = append(s.globals, s.instance.ExportedGlobal(name).(api.MutableGlobal))
	}
	if s.program.begin != nil {
		s.setGlobals(s.program.begin)
	}
	return nil
}

// openKept returns a sandbox with an instance that serves many runs. until bounds how long making it may have to wait.
func (g *program) openKept(until context.Context) (*sandbox, error) {
	s, err := g.open()
	if err != nil {
		return nil, err
	}
	if err := s.instantiate(until); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// slowInstantiate is from which time on instances are made a few at a time.
const slowInstantiate = time.Millisecond

// instantiateGate lets a few instances be made at a time. Any number of goroutines may use one.
type instantiateGate chan struct{}

// newInstantiateGate returns a gate for n instances at a time.
func newInstantiateGate(n int) instantiateGate { return make(instantiateGate, n) }

// instantiateTime is how long it takes to make an instance of one module, at best. Its zero value has seen none made.
// Any number of goroutines may use one.
type instantiateTime struct{ best atomic.Int64 }

// await waits until the next instance may be made. done is to be called when it was.
//
// # Errors
//
// That of until, if it ends before, or is sure to end before an instance is made.
func (t *instantiateTime) await(until context.Context, gate instantiateGate) (done func(), err error) {
	best := time.Duration(t.best.Load())
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
		t.took(time.Since(start))
	}, nil
}

// took takes note of an instance. The shortest time counts: what else it took is the doing of others.
func (t *instantiateTime) took(d time.Duration) {
	if best := t.best.Load(); best == 0 || int64(d) < best {
		t.best.Store(int64(max(d, 1)))
	}
}
