package invoker

import (
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/outbox"
	"github.com/polyvoke/polyvoke/invoker/subjects"
	"github.com/polyvoke/polyvoke/protocol"
)

// inboxSize is how many messages of a function can lie between the connection and its
// receiver. The client library drops what does not fit, and an answer is owed to each; so it is
// much more than arrives while a receiver is away for a slice, and costs 24 KiB a function.
const inboxSize = 3000

// receiver is the one goroutine that takes a function's messages, and runs their calls
// itself: a hand-over to another goroutine would cost as much as a quick call does. When a
// call outlives its first slice (see runtimes.Process.Yield), or sleeps, or has to load something,
// receiving is handed over to a new receiver, and this one only finishes what it has begun. So
// nothing that a function does keeps its next message waiting for longer than a slice, and
// nothing needs to guess how long a function takes.
type receiver struct {
	f     *function
	state atomic.Int32
	out   outbox.Outbox
	ended time.Time // when the process of the last call did, if nothing was waited for since; else zero
}

// The states of a receiver.
const (
	taking   int32 = iota // it waits for messages
	busy                  // it runs a call
	relieved              // another receiver has taken over
)

// receive starts a receiver. It is one of the function's tasks.
func (f *function) receive() {
	r := &receiver{f: f}
	go r.loop()
}

// loop takes messages until the function ends or another receiver takes over. A nil message is
// the last: everything that the server had sent before is in front of it.
func (r *receiver) loop() {
	defer r.f.exit()
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
		r.f.handle(r.take(m), r)
		if len(r.f.inbox) == 0 {
			r.flush()
		}
		if !r.state.CompareAndSwap(busy, taking) {
			return
		}
	}
}

// decline refuses a message whose reply subject nothing may be published on, so that nobody can be told but the
// operator.
func (f *function) decline(m *nats.Msg, err error) {
	c := f.newCall(m, time.Time{})
	f.count(c, &protocol.Reply{Err: protocol.ErrorOf(err, c.id())})
	f.v.Log.Warn("call refused, and not answered", "function", f.name, "id", c.id(), "subject",
		protocol.CleanValue(m.Subject, protocol.MaxErrorText), "err", err)
	c.free()
}

// take makes a call of a message. If nothing was waited for since the process of the last call ended, it counts from
// then: the clock need not be looked at again.
func (r *receiver) take(m *nats.Msg) *call {
	at := r.ended
	r.ended = time.Time{}
	return r.f.newCall(m, at)
}

// handOver lets another receiver take the function's next message, unless one does already. A nil
// receiver is that of a call that waited, or did not come by message.
func (r *receiver) handOver() {
	if r == nil {
		return
	}
	r.f.mu.Lock()
	relieve := r.state.CompareAndSwap(busy, relieved)
	if relieve {
		r.f.tasks++
	}
	r.f.mu.Unlock()
	if relieve {
		r.flush()
		r.f.receive()
	}
}

// send publishes an answer, or holds it back if more is to come soon.
func (r *receiver) send(c *call, h protocol.Header, body []byte) error {
	took := c.process.Usage.Duration
	if h == nil && r.state.Load() == busy && r.out.Takes(took, body) {
		r.out.Add(c.msg.Reply, body, took)
		if !c.waited && !c.triggered {
			r.ended = c.received.Add(took)
		}
		return nil
	}
	r.flush()
	return r.f.publish(c.msg.Reply, h, body)
}

// flush publishes what is held back. It does nothing for a nil receiver.
func (r *receiver) flush() {
	if r == nil {
		return
	}
	r.ended = time.Time{}
	r.out.Flush(func(subject string, body []byte) {
		if err := r.f.publish(subject, nil, body); err != nil {
			r.f.v.Log.Error("reply not sent", "function", r.f.name, "subject", subject, "err", err)
		}
	})
}

// newCall makes a call of a message that was received at a moment, or now if that is zero. What is wrong with the
// message is kept for the answer.
func (f *function) newCall(m *nats.Msg, received time.Time) *call {
	c := newCall(received)
	c.msg = m
	c.triggered, c.err = subjects.Read(&c.request, f.name, m)
	c.endpoint = f.calls
	if c.triggered {
		c.endpoint = f.endpoint(m.Sub.Subject)
	}
	return c
}
