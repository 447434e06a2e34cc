package jobs

import (
	"context"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// rate keeps the jobs of a function to job.rate, which all invokers share: each takes moments from the store, as many as
// it has jobs, and begins a job at each. The zero value is no bound. The queue's mutex guards it.
type rate struct {
	gap    time.Duration // between two moments; 0: no bound
	next   time.Time     // the first of the moments that are left
	left   int           // how many
	asking bool          // earn works
}

const (
	reserved  = 250 * time.Millisecond // of moments are taken at a time
	stale     = time.Second            // moments that passed so long ago are lost
	rateAhead = 10 * time.Second       // of jobs lie in hand
	idlePause = 20 * time.Millisecond  // after a moment at which no job could begin
)

// set takes the rate of a manifest, which has passed its check.
func (r *rate) set(text string) {
	per, err := protocol.ParseRate(text)
	if err != nil || per.Count == 0 {
		r.gap = 0
		return
	}
	if gap := per.Gap(); gap != r.gap {
		r.gap, r.left = gap, 0
	}
}

// take takes a moment that has come, and reports whether there was one.
func (r *rate) take() bool {
	if r.gap == 0 {
		return true
	}
	if r.left == 0 {
		return false
	}
	now := time.Now()
	if late := now.Sub(r.next) - stale; late > 0 {
		lost := min(r.left, int(late/r.gap)+1)
		r.left -= lost
		r.next = r.next.Add(time.Duration(lost) * r.gap)
	}
	if r.left == 0 || r.next.After(now) {
		return false
	}
	r.left--
	r.next = r.next.Add(r.gap)
	return true
}

// room returns how many jobs may be in hand where others would allow for n.
func (r *rate) room(n int) int {
	if r.gap == 0 {
		return n
	}
	return min(n, max(1, int(rateAhead/r.gap)))
}

// reserve sees to it that jobs which wait for their moments get them. The caller holds the mutex.
func (q *queue) reserve() {
	if q.rate.gap == 0 || q.rate.asking || q.draining || q.waits() == 0 {
		return
	}
	q.rate.asking = true
	q.running.Go(q.earn)
}

// earn takes moments from the store and begins jobs at them, as long as jobs wait.
func (q *queue) earn() {
	for {
		q.mu.Lock()
		n := min(q.waits(), max(1, int(reserved/max(1, q.rate.gap))))
		gap, left, next := q.rate.gap, q.rate.left, q.rate.next
		if n == 0 || gap == 0 || q.draining {
			q.rate.asking = false
			q.mu.Unlock()
			q.begin() // without a bound, what waits may begin
			return
		}
		q.mu.Unlock()
		pause := max(time.Until(next), idlePause)
		if left == 0 {
			pause = q.moments(n, gap)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-q.f.serving.Done(): // what waits is given back
			timer.Stop()
			return
		}
		q.begin()
	}
}

// moments takes n moments, and returns how long it is until the first one comes, or until it is worth asking again.
func (q *queue) moments(n int, gap time.Duration) time.Duration {
	ctx, cancel := context.WithTimeout(q.f.serving, roundTrip)
	defer cancel()
	first, err := q.f.store.Reserve(ctx, q.name, n, gap)
	if err != nil {
		q.f.log.Debug("jobs wait, since nobody says when they may begin", "function", q.name, "err", err)
		return time.Second
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.rate.gap == gap {
		q.rate.next, q.rate.left = first, n
	}
	return time.Until(first)
}
