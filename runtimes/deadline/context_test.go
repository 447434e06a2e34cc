package deadline

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

func TestContext(t *testing.T) {
	far := func() time.Time { return time.Now().Add(time.Hour) }
	for _, c := range []struct {
		name     string
		deadline time.Time
		end      func(r *Context, parent context.CancelFunc)
		want     error
	}{
		{"the deadline", time.Now().Add(20 * time.Millisecond),
			func(*Context, context.CancelFunc) {}, context.DeadlineExceeded},
		{"the deadline, before it began", time.Now().Add(-time.Hour),
			func(*Context, context.CancelFunc) {}, context.DeadlineExceeded},
		{"its parent", far(), func(_ *Context, parent context.CancelFunc) { parent() }, context.Canceled},
		{"itself", far(), func(r *Context, _ context.CancelFunc) { r.Cancel() }, context.Canceled},
		{"all of them", time.Now().Add(-time.Hour),
			func(r *Context, parent context.CancelFunc) { _ = r.Err(); parent(); r.Cancel() }, context.DeadlineExceeded},
	} {
		for _, asked := range []bool{false, true} { // for Done, before the end
			parent, cancel := context.WithCancel(t.Context())
			r := New(parent, c.deadline)
			if asked {
				r.Done()
			}
			if d, ok := r.Deadline(); !ok || !d.Equal(c.deadline) {
				t.Errorf("%s: got the deadline %v", c.name, d)
			}
			c.end(r, cancel)
			select {
			case <-r.Done():
			case <-time.After(30 * time.Second):
				t.Fatalf("%s does not end it", c.name)
			}
			if err := r.Err(); !errors.Is(err, c.want) {
				t.Errorf("%s: got the error %v", c.name, err)
			}
			cancel()
		}
	}
}

func TestHammerContext(t *testing.T) {
	for range 2000 {
		parent, cancel := context.WithCancel(t.Context())
		r := New(parent, time.Now().Add(time.Duration(rand.IntN(200))*time.Microsecond))
		var all sync.WaitGroup
		for _, f := range []func(){cancel, r.Cancel, func() { <-r.Done() }, func() { _ = r.Err() }, func() { r.Done() }} {
			all.Go(f)
		}
		all.Wait()
		if r.Err() == nil {
			t.Fatal("it has not ended")
		}
	}
}

// TestAgain checks that a context serves again if nobody has waited for it, as good as new, and never if somebody has.
func TestAgain(t *testing.T) {
	var r *Context
	for i, asked := range []bool{false, false, true, false, true, true} {
		far := time.Now().Add(time.Hour + time.Duration(i))
		parent, cancel := context.WithCancel(t.Context())
		before := r
		r = r.Again(parent, far)
		if again, want := r == before, before != nil && before.done == nil; again != want {
			t.Errorf("%d: it serves again: %t", i, again)
		}
		if d, _ := r.Deadline(); !d.Equal(far) || r.Err() != nil {
			t.Errorf("%d: the deadline is %v, and the error %v", i, d, r.Err())
		}
		if asked {
			r.Done()
		}
		switch i % 3 {
		case 0:
			cancel()
		case 1:
			r.Cancel()
		}
		if ended := r.Err() != nil; ended != (i%3 != 2) {
			t.Errorf("%d: it has ended: %t", i, ended)
		}
		r.Cancel()
		cancel()
	}
}

// TestFor checks that a context ends with its caller, whether somebody waits for it or not, and with what else it
// ended before; and that the next one knows nothing of that caller.
func TestFor(t *testing.T) {
	for _, asked := range []bool{false, true} {
		for name, end := range map[string]func(caller, parent context.CancelFunc, r *Context){
			"its caller": func(caller, _ context.CancelFunc, _ *Context) { caller() },
			"its parent": func(_, parent context.CancelFunc, _ *Context) { parent() },
			"itself":     func(_, _ context.CancelFunc, r *Context) { r.Cancel() },
		} {
			caller, endCaller := context.WithCancel(t.Context())
			parent, endParent := context.WithCancel(t.Context())
			var r *Context
			r = r.For(caller, parent, time.Now().Add(time.Hour))
			if asked {
				r.Done()
			}
			if err := r.Err(); err != nil {
				t.Errorf("%s: %v before its end", name, err)
			}
			end(endCaller, endParent, r)
			select {
			case <-r.Done():
			case <-time.After(30 * time.Second):
				t.Fatalf("%s does not end it", name)
			}
			if !errors.Is(r.Err(), context.Canceled) {
				t.Errorf("%s: %v", name, r.Err())
			}
			if next := r.Again(t.Context(), time.Now().Add(time.Hour)); next.Err() != nil {
				t.Errorf("%s: the next one has ended with %v", name, next.Err())
			}
			endCaller()
			endParent()
		}
	}
}
