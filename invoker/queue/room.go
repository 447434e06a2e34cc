package queue

import (
	"slices"
	"time"
)

// burst is how long a line may be full before calls are refused. Without it a pause of some milliseconds, the
// collector's or the machine's, would cost a function that answers in microseconds most calls of a burst.
const burst = 50 * time.Millisecond

// A line that moves slower than brief, and takes longer than covered, covers such a pause by itself: the calls in it
// keep the function busy meanwhile. To wait for room in it would only tell the excess later that there is none.
const (
	covered = 10 * time.Millisecond
	brief   = 100 * time.Microsecond
)

// full reports whether a call cannot even wait: there are as many as may, or one more would hardly be answered in
// time. That is so if the first of them has waited for a quarter of the time that the call has, or if the last, as
// the line moves, would wait for half of it. The caller holds the mutex.
func (q *Queue[C]) full(p *Place) bool {
	n := len(q.line)
	return n >= q.limits.Waiting || n > 0 &&
		(p.Received.Sub(q.line[0].Place().Received) > p.allowed()/4 || time.Duration(n)*q.pace.mean > p.allowed()/2)
}

// makeWay dismisses calls that cannot be answered in time any more, and reports whether there is room then: their
// callers are gone when their turn comes, and would have kept others out until then. The caller holds the mutex.
func (q *Queue[C]) makeWay(p *Place) bool {
	for _, c := range q.takeHopeless(time.Now()) {
		if c.Place().expiry.Stop() { // else its deadline came first; expire dismisses it
			go q.dismiss(c, Hopeless)
		}
	}
	return !q.full(p)
}

// takeHopeless takes out of the line whatever will have too little time when its turn comes. As the line moves, each
// call ahead takes what they have taken in the mean, or what the first has waited now if that is more, and a call
// itself as long. The caller holds the mutex.
func (q *Queue[C]) takeHopeless(now time.Time) (hopeless []C) {
	if len(q.line) == 0 {
		return nil
	}
	each := max(q.pace.mean, q.pace.since(q.line[0].Place().Received, now))
	ahead := 0
	q.line = slices.DeleteFunc(q.line, func(c C) bool {
		if c.Place().Deadline.Sub(now) >= time.Duration(ahead+1)*each {
			ahead++
			return false
		}
		hopeless = append(hopeless, c)
		return true
	})
	if len(hopeless) > 0 {
		q.madeRoom()
	}
	return hopeless
}

// crowded reports whether the line is full, but has not been so for long, and may be because of a pause. The caller
// holds the mutex.
func (q *Queue[C]) crowded() bool {
	if mean := q.pace.mean; mean >= brief && time.Duration(len(q.line))*mean >= covered {
		return false
	}
	if q.fullSince.IsZero() {
		q.fullSince, q.fullAt = time.Now(), len(q.line)
	}
	return time.Since(q.fullSince) < burst
}

// madeRoom says that the line has become shorter. Once it is half of what it was it may be full for a while again.
// The caller holds the mutex.
func (q *Queue[C]) madeRoom() {
	if len(q.line) <= q.fullAt/2 {
		q.fullSince = time.Time{}
	}
	select {
	case q.room <- struct{}{}:
	default:
	}
}

// pace is how fast a line moves.
type pace struct {
	last time.Time     // when its first call could start last
	mean time.Duration // between two such moments, a moving mean
}

// since returns for how long the first call of the line, which came at a moment, has been the first.
func (p *pace) since(received, now time.Time) time.Duration {
	if p.last.After(received) {
		received = p.last
	}
	return now.Sub(received)
}

// moved takes note that the first call of the line need wait no longer.
func (p *pace) moved(received, now time.Time) {
	p.mean += (p.since(received, now) - p.mean) / 8
	p.last = now
}
