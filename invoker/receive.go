package invoker

import (
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/subjects"
	"github.com/polyvoke/polyvoke/protocol"
)

// receive starts a receiver. It is one of the function's tasks.
func (f *function) receive() {
	r := &receiver{f: f}
	go r.loop()
}

// loop takes messages until the function ends or another receiver takes over. A nil message is
// the last: everything that the server had sent before is in front of it.
func (r *receiver) loop() {
	defer r.f.tasks.exit()
	defer r.flush()
	for m := range r.f.inbox {
		if m == nil {
			return
		}
		if err := protocol.CheckReply(m.Reply, r.f.svc.line); err != nil {
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
	c.logger().Warn("call refused, and not answered", "function", f.name, "id", c.id(), "subject",
		protocol.CleanValue(m.Subject, protocol.MaxErrorText), "err", err)
	c.leave()
}
