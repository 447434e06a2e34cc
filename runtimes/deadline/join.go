package deadline

import (
	"context"
	"time"
)

// Cancelable is a context that is to be canceled at the end.
type Cancelable interface {
	context.Context
	Cancel()
}

// Join returns a context that has the values of one, and ends with it, with the other, or at the deadline.
func Join(ctx, other context.Context, deadline time.Time) Cancelable {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	stop := context.AfterFunc(other, cancel)
	return &joined{ctx, func() { stop(); cancel() }}
}

// joined is a Cancelable of package context.
type joined struct {
	context.Context
	cancel func()
}

// Cancel implements Cancelable.
func (j *joined) Cancel() { j.cancel() }
