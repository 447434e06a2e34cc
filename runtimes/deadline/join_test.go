package deadline

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestJoin(t *testing.T) {
	type key struct{}
	for _, c := range []struct {
		name string
		in   time.Duration
		end  func(r Cancelable, ctx, other context.CancelFunc)
		want error
	}{
		{"the deadline", time.Millisecond,
			func(Cancelable, context.CancelFunc, context.CancelFunc) {}, context.DeadlineExceeded},
		{"one", time.Hour, func(_ Cancelable, one, _ context.CancelFunc) { one() }, context.Canceled},
		{"the other", time.Hour, func(_ Cancelable, _, other context.CancelFunc) { other() }, context.Canceled},
		{"itself", time.Hour, func(r Cancelable, _, _ context.CancelFunc) { r.Cancel() }, context.Canceled},
	} {
		one, endOne := context.WithCancel(context.WithValue(t.Context(), key{}, "one"))
		other, endOther := context.WithCancel(t.Context())
		r := Join(one, other, time.Now().Add(c.in))
		c.end(r, endOne, endOther)
		<-r.Done()
		if err := r.Err(); !errors.Is(err, c.want) || r.Value(key{}) != "one" {
			t.Errorf("%s ends it with %v, and its value is %v", c.name, err, r.Value(key{}))
		}
		r.Cancel()
		endOne()
		endOther()
	}
}
