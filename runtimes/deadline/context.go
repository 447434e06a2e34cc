package deadline

import (
	"context"
	"sync"
	"time"
)

// Cancelable is a context that whoever has it can end.
type Cancelable interface {
	context.Context

	// Cancel ends it, if nothing else has. It must be called in the end.
	Cancel()
}

// Context is the context of a run: it ends with its parent, at a deadline, or when it is ended. It makes a timer only
// when somebody waits for it, which most runs are too short for: a context of package context costs each call a
// microsecond and four allocations, nearly all of it for the timer. Any number of goroutines may use it.
type Context struct {
	context.Context                 // the parent, which has no deadline
	caller          context.Context // nil, or ends it too
	deadline        time.Time

	mu    sync.Mutex
	err   error         // why it has ended
	done  chan struct{} // nil: nobody has asked for it
	timer *time.Timer   // nil, or ends it
	leave func()        // nil, or has the parent and the caller forget it
}

// New returns a context that ends with parent, which must have no deadline, and at the deadline. Like one of package
// context it must be canceled at the end.
func New(parent context.Context, deadline time.Time) *Context {
	return &Context{Context: parent, deadline: deadline}
}

// Again returns a context as New does, when nobody uses r any more: r itself, unless somebody has waited for it. r
// may be nil.
func (r *Context) Again(parent context.Context, deadline time.Time) *Context {
	if r == nil || r.done != nil {
		return New(parent, deadline)
	}
	r.Context, r.caller, r.deadline, r.err = parent, nil, deadline, nil
	return r
}

// For is Again for a context that ends with caller too, which may have a deadline. Its values are those of parent.
func (r *Context) For(caller, parent context.Context, deadline time.Time) *Context {
	r = r.Again(parent, deadline)
	r.caller = caller
	return r
}

// Deadline implements context.Context.
func (r *Context) Deadline() (time.Time, bool) { return r.deadline, true }

// Err implements context.Context.
func (r *Context) Err() error { return r.ErrAt(time.Now()) }

// ErrAt is Err at a moment that has just been looked up.
func (r *Context) ErrAt(now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		if err := r.above(); err != nil {
			r.end(err)
		} else if !now.Before(r.deadline) {
			r.end(context.DeadlineExceeded)
		}
	}
	return r.err
}

// above returns why a context that this one ends with has ended.
func (r *Context) above() error {
	if r.caller != nil {
		if err := r.caller.Err(); err != nil {
			return err
		}
	}
	return r.Context.Err()
}

// Done implements context.Context.
func (r *Context) Done() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done != nil {
		return r.done
	}
	r.done = make(chan struct{})
	if r.err != nil {
		close(r.done)
		return r.done
	}
	r.timer = time.AfterFunc(time.Until(r.deadline), func() { _ = r.Err() })
	look := func() { _ = r.Err() }
	leaveParent, leaveCaller := context.AfterFunc(r.Context, look), func() bool { return true }
	if r.caller != nil {
		leaveCaller = context.AfterFunc(r.caller, look)
	}
	r.leave = func() { leaveParent(); leaveCaller() }
	return r.done
}

// Cancel ends it, if nothing else has.
func (r *Context) Cancel() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.end(context.Canceled)
	}
}

// end ends it. The caller holds the mutex.
func (r *Context) end(err error) {
	r.err = err
	if r.done != nil {
		close(r.done)
		r.timer.Stop()
		r.leave()
	}
}
