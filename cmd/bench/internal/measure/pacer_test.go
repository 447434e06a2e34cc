package measure

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestPacer(t *testing.T) {
	var p Pacer
	for _, d := range []time.Duration{-time.Hour, 0, time.Millisecond, 2 * time.Millisecond} {
		begin := time.Now()
		if err := p.Wait(t.Context(), d); err != nil || time.Since(begin) < d {
			t.Errorf("%v: it took %v, and the error is %v", d, time.Since(begin), err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 { // the timer that was given up is used again
		if err := p.Wait(ended, time.Hour); !errors.Is(err, context.Canceled) {
			t.Errorf("the context has ended, and the error is %v", err)
		}
		if err := p.Wait(t.Context(), time.Millisecond); err != nil {
			t.Error(err)
		}
	}
	if n := testing.AllocsPerRun(10, func() { _ = p.Wait(t.Context(), time.Microsecond) }); n != 0 {
		t.Errorf("a wait makes %v allocations", n)
	}
}

// A slice ends with its context, however long its pauses are.
func TestPauseEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Slice{Calls: 10, Callers: 2, Pause: time.Hour}.Run(ctx, func(context.Context, int) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}
