package deadline

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"
)

// asked is a context that is asked for a moment.
type asked struct {
	context.Context
	at time.Time
}

// ErrAt notes the moment.
func (a *asked) ErrAt(now time.Time) error {
	a.at = now
	return errors.ErrUnsupported
}

func TestErrAt(t *testing.T) {
	now := time.Now()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	later, stop := context.WithDeadline(t.Context(), now.Add(time.Hour))
	defer stop()
	both, stop := context.WithDeadline(canceled, now.Add(time.Hour))
	defer stop()
	for _, c := range []struct {
		name string
		ctx  context.Context
		at   time.Time
		want error
	}{
		{"one without an end", t.Context(), now, nil},
		{"one that is canceled", canceled, now, context.Canceled},
		{"before the deadline", later, now, nil},
		{"at the deadline, which its timer does not know yet", later, now.Add(time.Hour), context.DeadlineExceeded},
		{"canceled before the deadline", both, now.Add(2 * time.Hour), context.Canceled},
	} {
		if got := ErrAt(c.ctx, c.at); !errors.Is(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	a := &asked{Context: t.Context()}
	if err := ErrAt(a, now); err != errors.ErrUnsupported || a.at != now {
		t.Errorf("its own method was asked for %v, and the error is %v", a.at, err)
	}
}

func TestWait(t *testing.T) {
	begin := time.Now()
	if err := Wait(t.Context(), 2*time.Millisecond); err != nil || time.Since(begin) < 2*time.Millisecond {
		t.Errorf("it waited for %v, and the error is %v", time.Since(begin), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	if err := Wait(ctx, time.Hour); err != context.Canceled {
		t.Errorf("the error is %v", err)
	}
}

func TestAtMost(t *testing.T) {
	passed := time.Duration(0)
	sleep := AtMost(10, func(_ context.Context, d time.Duration) error { passed += d; return nil }, errors.ErrUnsupported)
	for _, c := range []struct {
		d, passed time.Duration
		want      error
	}{{6, 6, nil}, {5, 6, errors.ErrUnsupported}, {math.MaxInt64, 6, errors.ErrUnsupported}, {4, 10, nil}, {1, 10, errors.ErrUnsupported}, {0, 10, nil}} {
		if err := sleep(t.Context(), c.d); err != c.want || passed != c.passed {
			t.Errorf("after %d: %v have passed, and the error is %v", c.d, passed, err)
		}
	}
	if err := AtMost(time.Hour, nil, nil)(t.Context(), time.Nanosecond); err != nil {
		t.Errorf("by itself: %v", err)
	}
}
