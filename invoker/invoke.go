package invoker

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// ErrNotHere is in the chain of the error of a reply if the call has not begun because this invoker cannot run it now:
// it is starting or ending, or does not serve the function yet. Another one may.
var ErrNotHere = errors.New("not served by this invoker")

// notHere returns an error with code 503 that has ErrNotHere in its chain.
func notHere(format string, a ...any) error {
	e := protocol.Errorf(protocol.CodeUnavailable, "", format, a...)
	e.Err = errors.Join(ErrNotHere, e.Err)
	return e
}

// Invoke runs a call that did not come by message, and waits for its reply: what a front in this process uses, such as
// a gateway. It takes its turn like any other call; with r.Patient it also waits for room. Its reply is passed on as
// the trigger r.Trigger says. The call ends with ctx at the latest. It may be called at any time and from several
// goroutines; r is not changed.
//
// The reply is never nil and always has an id if it is an error, which is in it. The code is 404 only if the invoker
// serves and the registry has no such function. An invoker that is not there yet, or that ends, answers 503.
func (v *Invoker) Invoke(ctx context.Context, r *protocol.Request) *protocol.Reply {
	return v.invoke(ctx, r, nil)
}

// invoke is Invoke, or Stream if it is given a stream.
func (v *Invoker) invoke(ctx context.Context, r *protocol.Request, s *stream) *protocol.Reply {
	f, err := v.find(ctx, r.Function.Name)
	if err != nil {
		id := r.ID
		if id == "" {
			id = newID()
		}
		return &protocol.Reply{ID: id, Exit: -1, Err: protocol.ErrorOf(err, id)}
	}
	c := f.newCall(time.Time{})
	c.request = *r
	c.request.Timeout = callerTimeout(ctx, r.Timeout)
	d := direct{caller: ctx, answer: answers.Get().(chan *protocol.Reply), visit: v.visits.Add(1)}
	c.direct = d
	c.source, c.stream = &c.direct, s
	c.begin()
	c.serve()
	reply := d.await(c, f)
	answers.Put(d.answer)
	return reply
}

// answers are the channels of direct calls. One is empty, and nobody sends on it any more, when its reply has come.
var answers = sync.Pool{New: func() any { return make(chan *protocol.Reply, 1) }}

// await returns the reply of a call that this goroutine has served as far as it could. The call may be another one's by
// now.
func (d *direct) await(c *call, f *function) *protocol.Reply {
	select {
	case reply := <-d.answer: // of a call that has not waited: the caller's context need not be looked at
		if reply != nil {
			return reply
		}
		c.serve()
	default:
	}
	gone := d.caller.Done()
	for {
		select {
		case reply := <-d.answer:
			if reply != nil {
				return reply
			}
			c.serve() // its turn has come
		case <-gone: // then it ends soon, if it runs
			gone = nil
			if f.queue.Withdraw(c, d.visit) {
				c.giveUp(d.caller.Err())
			}
		}
	}
}

var _ protocol.Caller = (*Invoker)(nil)

// Call implements protocol.Caller by Invoke. The error is always nil: what has failed is in the reply.
func (v *Invoker) Call(ctx context.Context, r *protocol.Request) (*protocol.Reply, error) {
	return v.Invoke(ctx, r), nil
}

// callerTimeout returns how long a caller waits: as long as its context lets it, and as it says, where 0 is for ever.
func callerTimeout(ctx context.Context, timeout time.Duration) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return timeout
	}
	left := max(time.Until(end), 1)
	if timeout > 0 {
		left = min(left, timeout)
	}
	return left
}

// giveUp answers a call that its caller has taken out of the queue because its context has ended.
func (c *call) giveUp(err error) {
	c.waited = true
	if errors.Is(err, context.DeadlineExceeded) {
		c.err = protocol.Errorf(protocol.CodeTimeout, "", "the deadline passed while the call waited for %s: %s",
			c.f.name, c.timeLimit())
	} else {
		c.err = protocol.Errorf(protocol.CodeUnavailable, "", "the caller went away while the call waited for %s",
			c.f.name)
	}
	c.serve()
}

// find returns the function that is served under a name. It becomes busy with one more task.
func (v *Invoker) find(ctx context.Context, name string) (*function, error) {
	state := v.State()
	if state == Idle {
		return nil, notHere("the invoker does not serve yet; try again")
	}
	if f := v.functions.get(name); f != nil && f.tasks.enter() {
		return f, nil
	}
	switch state {
	case Starting:
		return nil, notHere("the invoker is starting, and does not know %s yet; try again", name)
	case Ending:
		return nil, notHere("the invoker is ending; try again")
	}
	if err := v.functions.misses(name); err != nil {
		return nil, err
	}
	if _, err := v.Registry.Find(ctx, name); err != nil {
		return nil, err
	}
	return nil, notHere("%s is not served here yet; try again", name)
}
