// Package deadline knows how long a process may live: it reads the context of its run and never waits longer. Its own
// Context costs next to nothing until somebody waits for it.
package deadline

import (
	"context"
	"time"
)

// ErrAt returns why a context has ended at a moment that has just been looked up, or nil. A context can have a method
// of this name, and then need not look it up again.
func ErrAt(ctx context.Context, now time.Time) error {
	if c, ok := ctx.(interface{ ErrAt(time.Time) error }); ok {
		return c.ErrAt(now)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// The context's own timer is late when all processors are busy.
	if deadline, ok := ctx.Deadline(); ok && !now.Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// Wait waits for d to pass, or for ctx to end, and returns ctx's error.
func Wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// AtMost returns a function that lets time pass as sleep does, or as Wait if that is nil, but returns an error at
// once when that would be more than most over all its calls. One goroutine at a time may use it.
func AtMost(most time.Duration, sleep func(context.Context, time.Duration) error, tooMuch error) func(context.Context, time.Duration) error {
	if sleep == nil {
		sleep = Wait
	}
	slept := time.Duration(0)
	return func(ctx context.Context, d time.Duration) error {
		if d > most-slept {
			return tooMuch
		}
		slept += d
		return sleep(ctx, d)
	}
}
