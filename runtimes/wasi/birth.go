package wasi

import (
	"context"
	"time"
)

// To make an instance cannot be interrupted. It takes microseconds, but 50 ms for a module whose tables hold 100,000 functions.
// Instances of such modules are made one after another, a few at a time, so that all processes but those are in
// time, and none is begun that cannot be: it would only make others late.

// slowBirth is from which time on instances are made a few at a time.
const slowBirth = time.Millisecond

// awaitBirth waits until the program's next instance may be made. done is to be called when it was.
//
// # Errors
//
// That of until, if it ends before, or is sure to end before an instance is made.
func (g *program) awaitBirth(until context.Context) (done func(), err error) {
	took := time.Duration(g.birth.Load())
	if took > 0 && took < slowBirth {
		return func() {}, nil
	}
	select {
	case g.runtime.births <- struct{}{}:
	case <-until.Done():
		return nil, until.Err()
	}
	if deadline, ok := until.Deadline(); ok && time.Until(deadline) < took {
		<-g.runtime.births
		return nil, context.DeadlineExceeded
	}
	start := time.Now()
	return func() {
		<-g.runtime.births
		// The shortest counts: what else it took is the doing of others.
		if took := time.Since(start); g.birth.Load() == 0 || took < time.Duration(g.birth.Load()) {
			g.birth.Store(int64(max(took, 1)))
		}
	}, nil
}
