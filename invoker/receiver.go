package invoker

import (
	"sync/atomic"
	"time"
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
	out   batch
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

// handOver lets another receiver take the function's next message, unless one does already. A nil
// receiver is that of a call that waited, or did not come by message.
func (r *receiver) handOver() {
	if r == nil || !r.state.CompareAndSwap(busy, relieved) {
		return
	}
	r.f.tasks.enter() // the call that hands over is one, so there are some
	r.flush()
	r.f.receive()
}

// send publishes an answer, or holds it back if more is to come soon.
func (r *receiver) send(c *call, body []byte) error {
	took := c.process.Usage.Duration
	if r.state.Load() == busy && r.out.takes(took, body) {
		r.out.add(c.message.Reply, body, took)
		if !c.waited && c.request.Trigger.IsZero() {
			r.ended = c.received.Add(took)
		}
		return nil
	}
	r.flush()
	return r.f.publish(c.message.Reply, nil, body)
}

// flush publishes what is held back. It does nothing for a nil receiver.
func (r *receiver) flush() {
	if r == nil {
		return
	}
	r.ended = time.Time{}
	r.out.flush(func(subject string, body []byte) {
		if err := r.f.publish(subject, nil, body); err != nil {
			r.f.v.Log.Error("reply not sent", "function", r.f.name, "subject", subject, "err", err)
		}
	})
}
