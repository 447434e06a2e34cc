package invoker

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// handle sees to it that a call is answered: it runs now, or waits in the function's queue, or
// is refused at once. r is the receiver that runs it, or nil. When the call has ended, those
// that wait are worked off.
func (f *function) handle(c *call, r *receiver) {
	started, err := f.admit(c)
	for err == errNoRoomYet {
		r.flush()
		f.awaitRoom()
		started, err = f.admit(c)
	}
	if err != nil {
		f.refuse(c, err)
		return
	}
	if !started {
		return
	}
	for c != nil {
		c.receiver = r
		f.run(c)
		c = f.leave(c)
	}
}

// admit decides about a call: it may start, or it waits, or the error says why not.
func (f *function) admit(c *call) (started bool, err error) {
	if c.err != nil {
		return false, c.err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	s, err := f.resolve(c.request.Function)
	if err != nil {
		return false, err
	}
	if size := bodySize(c); size > int64(s.limits.Input) {
		return false, protocol.Errorf(protocol.CodeTooLarge, "", "the body has %d bytes; %s takes %s (limits.input)", size, f.name, s.limits.Input)
	}
	c.setDeadline(s)
	start := f.mayStart()
	if !start && f.full(c) && !f.giveWay(c) {
		return false, f.tooMany()
	}
	c.version, c.loaded, c.waited = s, s.program != nil, !start
	s.calls++
	if start {
		f.running++
		f.onCPU++
		return true, nil
	}
	f.queue = append(f.queue, c)
	f.tasks++ // until it is taken out again
	c.expiry = time.AfterFunc(time.Until(c.request.Deadline), func() { f.expire(c) })
	return false, nil
}

// bodySize returns the size of a call's body, wherever it is.
func bodySize(c *call) int64 {
	if c.request.Claim != nil {
		return c.request.Claim.Size
	}
	return int64(len(c.request.Body))
}

// mayStart reports whether one more call may run now: a function's calls may use as many
// processors as there are slots, and those that sleep none. It does not ask whether a slot is
// free. A first slice costs nobody much, and if a quick call needed a slot for it, the quick would
// wait for the slow. The caller holds the mutex.
func (f *function) mayStart() bool {
	return f.running < f.latest.limits.Concurrency && f.onCPU < f.v.Slots
}

// burst is how long a queue may be full before calls are refused. Without it a pause of some
// milliseconds, the collector's or the machine's, would cost a function that answers in
// microseconds most calls of a burst.
const burst = 50 * time.Millisecond

// errNoRoomYet says that a call can neither start nor wait, but that this may be about to change.
var errNoRoomYet = errors.New("no room yet")

// full reports whether a call cannot even wait: there are as many as may, or one more would hardly be answered in
// time. That is so if the first of them has waited for a quarter of the time that it has, or if the last, as the
// queue moves, would wait for half of it. The caller holds the mutex.
func (f *function) full(c *call) bool {
	n := len(f.queue)
	return n >= f.latest.limits.Queue || n > 0 &&
		(c.received.Sub(f.queue[0].received) > c.timeout()/4 || time.Duration(n)*f.pace > c.timeout()/2)
}

// giveWay reports whether a call can wait after all, in place of calls that cannot be answered in time any more:
// their callers are gone when their turn comes, and would have kept others out until then. These are refused. The
// caller holds the mutex.
func (f *function) giveWay(c *call) bool {
	for _, hopeless := range f.takeHopeless(time.Now()) {
		f.madeRoom()
		if hopeless.expiry.Stop() { // else its deadline came first; expire answers it
			go f.refuseWaiting(hopeless)
		}
	}
	return !f.full(c)
}

// takeHopeless takes out of the queue whatever will have too little time when its turn comes. As the queue moves,
// each call ahead takes what they have taken in the mean, or what the first has waited now if that is more, and a
// call itself as long. The caller holds the mutex.
func (f *function) takeHopeless(now time.Time) (hopeless []*call) {
	if len(f.queue) == 0 {
		return nil
	}
	since := f.queue[0].received
	if f.taken.After(since) {
		since = f.taken
	}
	pace := max(f.pace, now.Sub(since))
	ahead := 0
	f.queue = slices.DeleteFunc(f.queue, func(c *call) bool {
		if c.request.Deadline.Sub(now) >= time.Duration(ahead+1)*pace {
			ahead++
			return false
		}
		f.done(c.version)
		hopeless = append(hopeless, c)
		return true
	})
	return hopeless
}

// refuseWaiting answers a call that gave way to another.
func (f *function) refuseWaiting(c *call) {
	defer f.exit()
	f.refuse(c, protocol.Errorf(protocol.CodeTooMany, "", "%s could not have answered within %v: too many calls are before this one; try again later", f.name, c.timeout()))
}

// moved takes note that a call need wait no longer. The caller holds the mutex.
func (f *function) moved(c *call) {
	now, since := time.Now(), c.received
	if f.taken.After(since) {
		since = f.taken
	}
	f.taken = now
	f.pace += (now.Sub(since) - f.pace) / 8
}

// tooMany is the error for a call that cannot wait. The caller holds the mutex.
func (f *function) tooMany() error {
	if f.fullSince.IsZero() {
		f.fullSince, f.fullAt = time.Now(), len(f.queue)
	}
	if time.Since(f.fullSince) < burst {
		return errNoRoomYet
	}
	return protocol.Errorf(protocol.CodeTooMany, "", "%s has %d calls running and %d waiting; try again later", f.name, f.running, len(f.queue))
}

// awaitRoom waits until a call was taken from the queue, or calls are refused.
func (f *function) awaitRoom() {
	select {
	case <-f.room:
	case <-time.After(burst):
	}
}

// leave ends a call's stay and returns the next one of the queue that may start now, if
// there is one.
func (f *function) leave(c *call) (next *call) {
	f.mu.Lock()
	f.running--
	f.onCPU--
	f.done(c.version)
	next = f.next()
	f.mu.Unlock()
	c.free()
	return next
}

// next takes the first call of the queue if it may start now. The caller holds the mutex.
func (f *function) next() *call {
	for len(f.queue) > 0 && f.latest != nil && f.mayStart() {
		c := f.queue[0]
		f.queue = slices.Delete(f.queue, 0, 1)
		f.madeRoom()
		if !c.expiry.Stop() {
			f.done(c.version) // its deadline came first; expire answers it
			continue
		}
		f.moved(c)
		f.running++
		f.onCPU++
		f.exitLocked() // whoever takes it is a task already, or becomes one
		return c
	}
	return nil
}

// madeRoom says that the queue has become shorter. Once it is half of what it was it may be full
// for a while again. The caller holds the mutex.
func (f *function) madeRoom() {
	if len(f.queue) <= f.fullAt/2 {
		f.fullSince = time.Time{}
	}
	select {
	case f.room <- struct{}{}:
	default:
	}
}

// expire answers a call whose deadline came while it waited.
func (f *function) expire(c *call) {
	f.mu.Lock()
	if i := slices.Index(f.queue, c); i >= 0 {
		f.queue = slices.Delete(f.queue, i, i+1)
		f.madeRoom()
		f.done(c.version)
	}
	f.mu.Unlock()
	defer f.exit()
	f.refuse(c, protocol.Errorf(protocol.CodeTimeout, "", "the deadline passed while the call waited for %s: %s", f.name, c.timeLimit()))
}

// yield is called when a running call has used a slice. With the first, another receiver takes
// the next message; from then on the call needs a slot, and waits for its turn after each slice.
func (f *function) yield(ctx context.Context, c *call) error {
	c.receiver.handOver()
	if c.slot {
		err := f.v.slots.Turn(ctx)
		c.slot = err == nil
		return err
	}
	return f.takeSlot(ctx, c)
}

// takeSlot waits for a slot.
func (f *function) takeSlot(ctx context.Context, c *call) error {
	err := f.v.slots.Acquire(ctx)
	c.slot = err == nil
	return err
}

// dropSlot gives the call's slot back, if it has one.
func (f *function) dropSlot(c *call) (had bool) {
	had = c.slot
	if had {
		f.v.slots.Release()
		c.slot = false
	}
	return had
}

// rest says that a running call needs no processor for a while, so that others may have it.
func (f *function) rest(c *call) {
	c.receiver.handOver()
	f.mu.Lock()
	f.onCPU--
	next := f.next()
	if next != nil {
		f.tasks++
	}
	f.mu.Unlock()
	if next != nil {
		go f.work(next)
	}
}

// wake says that the call goes on.
func (f *function) wake() {
	f.mu.Lock()
	f.onCPU++
	f.mu.Unlock()
}

// work runs a call of the queue, and those behind it while they may start.
func (f *function) work(c *call) {
	defer f.exit()
	for c != nil {
		f.run(c)
		c = f.leave(c)
	}
}
