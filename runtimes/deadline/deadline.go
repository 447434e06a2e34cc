// Package deadline knows how long a process may live: it reads the context of its run and never waits longer. Its own
// Context costs next to nothing until somebody waits for it.
package deadline

import (
	"context"
	"time"
)

// ErrAt returns why a context has ended by now, a moment that has just been looked up, or nil. A context can have a
// method of this name, which need not look up the time again.
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
