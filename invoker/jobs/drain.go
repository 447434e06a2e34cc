package jobs

import (
	"time"
)

// drain ends all queues: what has not begun goes back at once, what runs goes on for as long as the configuration says.
func (f *Front) drain() {
	late := time.AfterFunc(f.config.Drain, f.giveUp)
	defer late.Stop()
	for _, q := range f.all() {
		<-q.empty
	}
	f.giveUp()
	for _, sub := range f.subs {
		_ = sub.Unsubscribe() // an error means that the connection is gone
	}
	_ = f.nc.FlushTimeout(roundTrip) // so that JetStream hears the last words
}

// drain ends the queue, and returns when nothing of it is in hand.
func (q *queue) drain() {
	q.mu.Lock()
	q.draining = true
	waiting := q.waiting
	q.waiting = nil
	q.mu.Unlock()
	_ = q.sub.Drain()                  // JetStream sends no more, but what it has sent still comes
	_ = q.f.nc.FlushTimeout(roundTrip) // and now it has
	for _, j := range waiting {
		j.giveBack()
	}
	close(q.stop)
	q.mu.Lock()
	if q.f.nc.IsClosed() { // nobody hears what comes of it any more
		clear(q.hand)
	}
	q.whenEmpty()
	q.mu.Unlock()
	select {
	case <-q.empty:
	case <-q.abandoned():
		q.mu.Lock()
		clear(q.hand)
		q.whenEmpty()
		q.mu.Unlock()
	}
	q.running.Wait()
}

// abandoned is closed some time after the front has given up: what has no outcome by then is delivered again.
func (q *queue) abandoned() <-chan struct{} {
	c := make(chan struct{})
	q.spawn(func() {
		defer close(c)
		select {
		case <-q.empty:
			return
		case <-q.f.working.Done():
		}
		timer := time.NewTimer(roundTrip)
		defer timer.Stop()
		select {
		case <-q.empty:
		case <-timer.C:
		}
	})
	return c
}

// whenEmpty says so when nothing is in hand any more, and nothing comes. The caller holds the mutex.
func (q *queue) whenEmpty() {
	if !q.draining || len(q.hand) > 0 {
		return
	}
	select {
	case <-q.stop:
	default:
		return
	}
	select {
	case <-q.empty:
	default:
		close(q.empty)
	}
}
