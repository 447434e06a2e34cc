// Package outbox holds replies back that are better published together.
package outbox

import "time"

const (
	// mostHeld is how many replies, and heldBytes how many bytes of them, are held back at most.
	mostHeld  = 64
	heldBytes = 16 << 10
	// heldTime is more than the calls take together whose replies are held back.
	heldTime = 200 * time.Microsecond
)

// Outbox holds replies of quick calls back while more messages lie in the function's inbox. Replies that are
// published one by one reach the network one by one, each with a call of the system and a wake-up of who does it,
// which for quick calls is more work than the calls themselves. Published together they travel together. The zero
// value is empty. One goroutine uses it at a time.
type Outbox struct {
	held   []heldReply
	bodies []byte        // of all
	took   time.Duration // all calls together
}

// heldReply is a reply without headers.
type heldReply struct {
	subject string
	end     int // of its body
}

// Takes tells whether the reply of a call that took so long may be held back.
func (o *Outbox) Takes(took time.Duration, body []byte) bool {
	return o.took+took < heldTime && len(o.held) < mostHeld && len(o.bodies)+len(body) <= heldBytes
}

// Add holds a reply back. The body is copied.
func (o *Outbox) Add(subject string, body []byte, took time.Duration) {
	o.bodies = append(o.bodies, body...)
	o.held = append(o.held, heldReply{subject, len(o.bodies)})
	o.took += took
}

// Flush publishes what is held back, in its order; publish must not keep the body.
func (o *Outbox) Flush(publish func(subject string, body []byte)) {
	from := 0
	for i, r := range o.held {
		publish(r.subject, o.bodies[from:r.end])
		from = r.end
		o.held[i] = heldReply{}
	}
	o.held, o.bodies, o.took = o.held[:0], o.bodies[:0], 0
}
