package invoker

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/subjects"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/deadline"
)

// loop takes messages until the function ends or another receiver takes over. A nil message is
// the last: everything that the server had sent before is in front of it.
func (r *receiver) loop() {
	defer r.f.tasks.exit()
	defer r.flush()
	for m := range r.f.inbox {
		if m == nil {
			return
		}
		if err := protocol.CheckReply(m.Reply, r.f.v.line); err != nil {
			r.flush() // it may be the last message for a while
			r.f.decline(m, err)
			continue
		}
		r.state.Store(busy)
		r.take(m).serve()
		if len(r.f.inbox) == 0 {
			r.flush()
		}
		if !r.state.CompareAndSwap(busy, taking) {
			return
		}
	}
}

// take makes a call of a message. If nothing was waited for since the process of the last call ended, it counts from
// then: the clock need not be looked at again.
func (r *receiver) take(m *nats.Msg) *call {
	at := r.ended
	r.ended = time.Time{}
	c := r.f.read(m, at)
	c.receiver = r
	return c
}

// read makes a call of a message that was received at a moment, or now if that is zero. What is wrong with the
// message is kept for the answer.
func (f *function) read(m *nats.Msg, received time.Time) *call {
	f.tasks.enter() // its receiver is one, so there are some
	c := f.newCall(received)
	c.message = message{m}
	c.source = &c.message
	c.err = subjects.Read(&c.request, f.name, m)
	c.begin()
	return c
}

// decline refuses a message whose reply subject nothing may be published on, so that nobody can be told but the
// operator.
func (f *function) decline(m *nats.Msg, err error) {
	c := f.read(m, time.Time{})
	c.err = err
	c.run()
	c.count()
	f.v.Log.Warn("call refused, and not answered", "function", f.name, "id", c.id(), "subject",
		protocol.CleanValue(m.Subject, protocol.MaxErrorText), "err", err)
	c.leave()
}

// message is the source of a call that came by message.
type message struct{ *nats.Msg }

// context implements source. Whoever sent a message cannot be seen to go away.
func (m *message) context(c *call, giveUp context.Context) deadline.Cancelable {
	c.timed = c.timed.Again(giveUp, c.request.Deadline)
	return c.timed
}

// resume implements source.
func (m *message) resume() bool { return false }
