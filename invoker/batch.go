package invoker

import "time"

const (
	// mostHeld is how many replies, and heldBytes how many bytes of them, are held back at most.
	mostHeld  = 64
	heldBytes = 16 << 10
	// heldTime is more than the calls take together whose replies are held back.
	heldTime = 200 * time.Microsecond
)

// batch holds replies of quick calls back while more messages lie in the function's inbox. Replies that are published
// one by one reach the network one by one, each with a system call and the wake-up of a goroutine, which for quick
// calls is more work than the calls themselves. Published together they travel together. The zero value is empty. One
// goroutine uses it at a time.
type batch struct {
	held   []heldReply
	bodies []byte        // of all
	took   time.Duration // all calls together
}

// heldReply is a reply without headers.
type heldReply struct {
	subject string
	end     int // of its body
}

// takes reports whether the reply of a call that took so long may be held back.
func (b *batch) takes(took time.Duration, body []byte) bool {
	return b.took+took < heldTime && len(b.held) < mostHeld && len(b.bodies)+len(body) <= heldBytes
}

// add holds a reply back. The body is copied.
func (b *batch) add(subject string, body []byte, took time.Duration) {
	b.bodies = append(b.bodies, body...)
	b.held = append(b.held, heldReply{subject, len(b.bodies)})
	b.took += took
}

// flush publishes what is held back, in its order; publish must not keep the body.
func (b *batch) flush(publish func(subject string, body []byte)) {
	from := 0
	for i, r := range b.held {
		publish(r.subject, b.bodies[from:r.end])
		from = r.end
		b.held[i] = heldReply{}
	}
	b.held, b.bodies, b.took = b.held[:0], b.bodies[:0], 0
}
