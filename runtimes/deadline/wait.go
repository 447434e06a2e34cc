package deadline

import (
	"context"
	"time"
)

// Await waits until done is closed, or until ctx ends, and then returns its error. Nil is never closed. A context that
// nobody has to wait for is not asked for its channel.
func Await(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	default:
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// After returns a channel that is closed when d has passed, and a function that gives the timer up. A d of the largest
// value never passes.
func After(d time.Duration) (done <-chan struct{}, stop func()) {
	if d == never {
		return nil, func() {}
	}
	c := make(chan struct{})
	t := time.AfterFunc(d, func() { close(c) })
	return c, func() { t.Stop() }
}

// never is how long what does not come is waited for.
const never = time.Duration(1<<63 - 1)

// AtMost returns a function that adds up times. It returns tooMuch instead of adding one that would make them more than
// most. One goroutine at a time may use it.
func AtMost(most time.Duration, tooMuch error) func(time.Duration) error {
	passed := time.Duration(0)
	return func(d time.Duration) error {
		if d > most-passed {
			return tooMuch
		}
		passed += d
		return nil
	}
}
