package contestant

import (
	"context"
	"errors"
	"testing"
)

func TestAwaitStart(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name   string
		starts []string // of the calls; one more fails
		calls  int
		err    error
	}{
		{"at once", []string{"reset"}, 1, nil},
		{"at the third call", []string{"fresh", "fresh", "reset", "reset"}, 3, nil},
		{"a call fails", []string{"fresh"}, 2, broken},
	} {
		calls := 0
		err := awaitStart(t.Context(), "reset", func(context.Context) (string, error) {
			if calls++; calls > len(c.starts) {
				return "", broken
			}
			return c.starts[calls-1], nil
		})
		if !errors.Is(err, c.err) || calls != c.calls {
			t.Errorf("%s: %d calls and the error %v, want %d and %v", c.name, calls, err, c.calls, c.err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := awaitStart(ctx, "reset", func(context.Context) (string, error) { cancel(); return "fresh", nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the context has ended, and the error is %v", err)
	}
}
