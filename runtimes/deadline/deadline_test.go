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

func TestAwait(t *testing.T) {
	done := make(chan struct{})
	close(done)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		done <-chan struct{}
		want error
	}{
		{"done", t.Context(), done, nil},
		{"done, and the context has ended", ended, done, nil},
		{"the context has ended", ended, make(chan struct{}), context.Canceled},
		{"never", ended, nil, context.Canceled},
	} {
		if err := Await(c.ctx, c.done); err != c.want {
			t.Errorf("%s: the error is %v", c.name, err)
		}
	}
	cheap := New(t.Context(), time.Now().Add(time.Hour))
	if err := Await(cheap, done); err != nil || cheap.done != nil {
		t.Errorf("the error is %v, and a timer was made: %t", err, cheap.done != nil)
	}
	begin := time.Now()
	passed, stop := After(2 * time.Millisecond)
	defer stop()
	if err := Await(t.Context(), passed); err != nil || time.Since(begin) < 2*time.Millisecond {
		t.Errorf("it waited for %v, and the error is %v", time.Since(begin), err)
	}
	if never, stop := After(math.MaxInt64); never != nil {
		t.Error("what never comes has a timer")
		stop()
	}
}

func TestAtMost(t *testing.T) {
	add := AtMost(10, errors.ErrUnsupported)
	for _, c := range []struct {
		d    time.Duration
		want error
	}{
		{6, nil}, {5, errors.ErrUnsupported}, {math.MaxInt64, errors.ErrUnsupported},
		{4, nil}, {1, errors.ErrUnsupported}, {0, nil},
	} {
		if err := add(c.d); err != c.want {
			t.Errorf("%d more: the error is %v", c.d, err)
		}
	}
}
