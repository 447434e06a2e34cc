// Package queue decides when each call of one function runs.
//
// In goes a call: it starts, it waits for its turn, or there is no room for it. A call that ends, or that needs no
// processor for a while, gives way to the next. The package knows neither messages nor processes, and never waits
// itself, except in AwaitRoom.
package queue

import (
	"slices"
	"sync"
	"time"
)

// Limits bound how many calls of a function do what at a time.
type Limits struct {
	Running    int // calls that have started and not left
	Processing int // running calls that do not rest
	Waiting    int // calls that wait and may be refused; those that are patient are not counted
}

// Outcome is what becomes of a call that enters.
type Outcome int

const (
	// Starts: the call may run now. It must leave in the end.
	Starts Outcome = iota
	// Waits: another call's Leave or Rest returns it later, or it is dismissed.
	Waits
	// Crowded: it can neither start nor wait, but this may change any moment. Wait with AwaitRoom and try again.
	Crowded
	// Refused: it can neither start nor wait.
	Refused
)

// Reason says why a waiting call was dismissed.
type Reason int

const (
	// Late: its deadline has passed.
	Late Reason = iota
	// Hopeless: its deadline would have passed when its turn came, and another call needed the room.
	Hopeless
)

// Call is what enters a queue: a pointer to something that has a Place for it.
type Call interface {
	comparable
	// Place returns where the queue keeps what it knows of the call. It is the same for the life of the call.
	Place() *Place
}

// Place is a call's place in a queue. The zero value is that of a call that has not entered.
type Place struct {
	// Received is when the call came, and Deadline when it must have ended. Both are set before Enter.
	Received, Deadline time.Time
	// Patient is set before Enter by a call that rather waits until its deadline than be refused. Patient calls and
	// others take turns.
	Patient bool
	// Visit is set before Enter by a call that may be withdrawn, to what no other call has, and not this one at another
	// time.
	Visit uint64

	expiry *time.Timer // calls queue.expire(call) when the deadline comes while it waits; nil before it has ever waited
	queue  interface{ expire(call any) }
	call   any // the C whose place it is
}

// Again returns a zero Place that keeps, for another visit, what this one has allocated. The call must not wait.
func (p *Place) Again() Place { return Place{expiry: p.expiry, call: p.call} }

// await sees to it that a call is dismissed when its deadline comes.
func (p *Place) await() {
	left := time.Until(p.Deadline)
	if p.expiry != nil {
		p.expiry.Reset(left)
		return
	}
	p.expiry = time.AfterFunc(left, func() { p.queue.expire(p.call) })
}

// allowed returns how much time the call has in all.
func (p *Place) allowed() time.Duration { return p.Deadline.Sub(p.Received) }

// Queue has the calls of one function. New makes one. All methods may be called from several goroutines.
type Queue[C Call] struct {
	dismiss func(C, Reason)
	room    chan struct{} // gets a token when the line has become shorter

	mu         sync.Mutex
	limits     Limits
	running    int
	processing int
	line       []C  // the calls that wait, in the order in which they came
	patient    []C  // those of them that cannot be refused
	favor      bool // a patient call is next
	pace       pace
	fullSince  time.Time // when the line became full; zero if it has been half empty since
	fullAt     int       // how many waited then
}

// New returns an empty queue without limits, so that nothing starts: see SetLimits. dismiss is called, on a goroutine
// of its own, with each call that has waited in vain.
func New[C Call](dismiss func(C, Reason)) *Queue[C] {
	return &Queue[C]{dismiss: dismiss, room: make(chan struct{}, 1)}
}

// SetLimits sets what holds from now on. Calls that have started go on.
func (q *Queue[C]) SetLimits(l Limits) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.limits = l
}

// Counts returns how many calls run and how many wait.
func (q *Queue[C]) Counts() (running, waiting int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.running, len(q.line) + len(q.patient)
}

// Enter decides about a call.
func (q *Queue[C]) Enter(c C) Outcome {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mayStart() {
		q.running++
		q.processing++
		return Starts
	}
	p := c.Place()
	switch {
	case p.Patient:
		q.patient = append(q.patient, c)
	case !q.full(p) || q.makeWay(p):
		q.line = append(q.line, c)
	case q.crowded():
		return Crowded
	default:
		return Refused
	}
	p.queue, p.call = q, c
	p.await()
	return Waits
}

// Leave ends the stay of a call that has started, and returns the next one that starts in its place, if there is one.
func (q *Queue[C]) Leave() (next C, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running--
	q.processing--
	return q.next()
}

// Rest says that a call that has started needs no processor for a while. It returns the call that starts meanwhile, if
// there is one. Wake ends that.
func (q *Queue[C]) Rest() (next C, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.processing--
	return q.next()
}

// Wake says that a call that rests goes on. It does not wait for others to leave: for a moment more calls may process
// than the limit says.
func (q *Queue[C]) Wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.processing++
}

// Withdraw takes a call out that waits, on this visit. It returns false if the call does not wait any more: then it was
// started or dismissed, and may have been used for another visit.
func (q *Queue[C]) Withdraw(c C, visit uint64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !slices.Contains(q.line, c) && !slices.Contains(q.patient, c) || c.Place().Visit != visit {
		return false
	}
	q.remove(c)
	return c.Place().expiry.Stop()
}

// AwaitRoom waits until the line has become shorter, or until so much time has passed that calls are refused.
func (q *Queue[C]) AwaitRoom() {
	select {
	case <-q.room:
	case <-time.After(burst):
	}
}

// mayStart reports whether one more call may run now. It does not ask whether a processor is free: a first slice
// costs nobody much, and if a quick call needed a processor of its own for it, the quick would wait for the slow. The
// caller holds the mutex.
func (q *Queue[C]) mayStart() bool {
	return q.running < q.limits.Running && q.processing < q.limits.Processing
}

// next takes the first call that waits if it may start now. The caller holds the mutex.
func (q *Queue[C]) next() (c C, ok bool) {
	for q.mayStart() && len(q.line)+len(q.patient) > 0 {
		c = q.first()
		if !c.Place().expiry.Stop() {
			continue // its deadline came first; expire dismisses it
		}
		if p := c.Place(); !p.Patient {
			q.pace.moved(p.Received, time.Now())
		}
		q.running++
		q.processing++
		return c, true
	}
	var none C
	return none, false
}

// first takes the first call out of the line, or of the patient ones. The caller holds the mutex, and something waits.
func (q *Queue[C]) first() (c C) {
	if len(q.line) == 0 || q.favor && len(q.patient) > 0 {
		q.favor = false
		c = q.patient[0]
		q.patient = slices.Delete(q.patient, 0, 1)
		return c
	}
	q.favor = true
	c = q.line[0]
	q.line = slices.Delete(q.line, 0, 1)
	q.madeRoom()
	return c
}

// remove takes a call out of where it waits, and reports whether it waited. The caller holds the mutex.
func (q *Queue[C]) remove(c C) bool {
	if i := slices.Index(q.line, c); i >= 0 {
		q.line = slices.Delete(q.line, i, i+1)
		q.madeRoom()
		return true
	}
	if i := slices.Index(q.patient, c); i >= 0 {
		q.patient = slices.Delete(q.patient, i, i+1)
		return true
	}
	return false
}

// expire dismisses a call whose deadline has come while it waited.
func (q *Queue[C]) expire(call any) {
	c := call.(C)
	q.mu.Lock()
	q.remove(c)
	q.mu.Unlock()
	q.dismiss(c, Late)
}
