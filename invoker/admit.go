package invoker

import (
	"context"

	"github.com/polyvoke/polyvoke/invoker/queue"
	"github.com/polyvoke/polyvoke/protocol"
)

// admit decides about a call, and reports whether it waits: then it is the queue's, and not to be touched. Otherwise
// it goes on: it runs, or is answered at once with c.err, which says why it does not. A call that has waited comes
// here once more when that has been decided.
func (c *call) admit() (waits bool) {
	if c.started || c.err != nil {
		return false
	}
	if c.err = c.resolve(); c.err != nil {
		return false
	}
	for {
		switch c.f.queue.Enter(c) {
		case queue.Starts:
			c.started = true
			return false
		case queue.Waits:
			return true
		case queue.Refused:
			running, waiting := c.f.queue.Counts()
			c.err = protocol.Errorf(protocol.CodeTooMany, "",
				"%s has %d calls running and %d waiting; try again later", c.f.name, running, waiting)
			return false
		}
		c.receiver.flush() // it is crowded: what has been answered must not wait for that
		c.f.queue.AwaitRoom()
	}
}

// resolve finds the version that a request means, and checks the request against its limits.
func (c *call) resolve() error {
	var err error
	if c.version, c.share, c.loaded, err = c.f.versions.acquire(&c.request); err != nil {
		return err
	}
	if c.version == nil {
		return c.f.notReady()
	}
	if size, most := c.bodySize(), c.version.limits.Input; size > int64(most) {
		return protocol.Errorf(protocol.CodeTooLarge, "", "the body has %d bytes; %s takes %s (limits.input)",
			size, c.f.name, most)
	}
	c.setDeadline()
	c.place.Received, c.place.Deadline = c.received, c.request.Deadline
	c.place.Patient, c.place.Visit = c.request.Patient, c.direct.visit
	return nil
}

// bodySize returns the size of a call's body, wherever it is.
func (c *call) bodySize() int64 {
	if c.request.Claim != nil {
		return c.request.Claim.Size
	}
	return int64(len(c.request.Body))
}

// dismiss answers a call that has waited in vain.
func (c *call) dismiss(why queue.Reason) {
	c.waited, c.receiver = true, nil
	switch why {
	case queue.Hopeless:
		c.err = protocol.Errorf(protocol.CodeTooMany, "",
			"%s could not have answered within %v: too many calls are before this one; try again later",
			c.f.name, c.timeout())
	default:
		c.err = protocol.Errorf(protocol.CodeTimeout, "", "the deadline passed while the call waited for %s: %s",
			c.f.name, c.timeLimit())
	}
	c.serve()
}

// leave ends a call's stay and returns the next one that starts in its place, if this goroutine is to carry it: a
// receiver's is, and one that was begun for calls that wait; but that of a caller in this process wants its reply.
func (c *call) leave() (next *call) {
	f, r, started, lent := c.f, c.receiver, c.started, c.source == &c.direct
	if c.ctx != nil {
		c.ctx.Cancel()
	}
	if c.version != nil {
		f.versions.release(c.version)
	}
	c.free()
	if started {
		if next, _ = f.queue.Leave(); next != nil {
			next = next.start(r, lent)
		}
	}
	f.tasks.exit()
	return next
}

// start says that a call that has waited may run now, and returns it if the goroutine that says so is to carry it,
// which may be a receiver's. elsewhere says that it cannot.
func (c *call) start(r *receiver, elsewhere bool) *call {
	c.started, c.waited, c.receiver = true, true, nil
	if c.source.resume() {
		return nil
	}
	if elsewhere {
		go c.serve()
		return nil
	}
	c.receiver = r
	return c
}

// yield is called when a running call has used a slice. With the first, another receiver takes the next message; from
// then on the call needs a slot, and waits for its turn after each slice.
func (c *call) yield(ctx context.Context) error {
	c.receiver.handOver()
	if !c.slot {
		return c.takeSlot(ctx)
	}
	err := c.f.svc.slots.Turn(ctx)
	c.slot = err == nil
	return err
}

// takeSlot waits for a slot.
func (c *call) takeSlot(ctx context.Context) error {
	err := c.f.svc.slots.Acquire(ctx)
	c.slot = err == nil
	return err
}

// dropSlot gives the call's slot back, if it has one.
func (c *call) dropSlot() (had bool) {
	had = c.slot
	if had {
		c.f.svc.slots.Release()
		c.slot = false
	}
	return had
}

// rest says that a running call needs no processor for a while, so that others may have it.
func (c *call) rest() {
	c.receiver.handOver()
	if next, _ := c.f.queue.Rest(); next != nil {
		next.start(nil, true)
	}
}
