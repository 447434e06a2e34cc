package invoker

import (
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

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

// send publishes an answer without headers, or holds it back if more is to come soon. The call has taken so long; next
// is from when the next call counts if nothing is waited for in between, or zero.
func (r *receiver) send(subject string, body []byte, took time.Duration, next time.Time) error {
	if r.state.Load() == busy && r.out.takes(took, body) {
		r.out.add(subject, body, took)
		r.ended = next
		return nil
	}
	r.flush()
	return r.f.publish(subject, nil, body)
}

// flush publishes what is held back. It does nothing for a nil receiver.
func (r *receiver) flush() {
	if r == nil {
		return
	}
	r.ended = time.Time{}
	r.out.flush(func(subject string, body []byte) {
		if err := r.f.publish(subject, nil, body); err != nil {
			r.f.svc.log.Error("reply not sent", "function", r.f.name, "subject", subject, "err", err)
		}
	})
}

// publish sends an answer to whoever waits for it. The connection copies body.
func (f *function) publish(subject string, h protocol.Header, body []byte) error {
	if h == nil {
		return f.svc.nc.Publish(subject, body)
	}
	return f.svc.nc.PublishMsg(&nats.Msg{Subject: subject, Header: nats.Header(h), Data: body})
}
