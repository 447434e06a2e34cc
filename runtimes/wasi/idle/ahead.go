package idle

import (
	"context"
	"time"
)

const (
	// mostWanted is how many items a pool has made before they are needed.
	mostWanted = 64
	// failedWait is how long none is made after a failure, times the square of how many there were in a row.
	failedWait = 10 * time.Millisecond
	// mostFailedWait is the longest such wait.
	mostFailedWait = time.Minute
)

// ahead is what a pool knows of items that are made before they are needed. The pool's lock guards what changes.
type ahead[T Item] struct {
	make   func(context.Context) (T, error)
	ctx    context.Context // ends with the pool
	cancel context.CancelFunc

	wanted int       // how many are to be idle, by how many were needed at a time
	making bool      // somebody makes them
	failed int       // how many in a row could not be made
	again  time.Time // not before this are more to be made, if some failed
}

// Refill makes more items if fewer are idle than are needed at a time. missed reports whether one was needed that was
// not there. It does not wait.
func (p *Pool[T]) Refill(missed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := &p.ahead
	if a.failed > 0 && time.Now().Before(a.again) {
		return
	}
	if missed || a.wanted == 0 {
		a.wanted = min(a.wanted+1, mostWanted)
	}
	if !a.making && !p.closed {
		a.making = true
		p.work.Go(p.fill)
	}
}

// fill makes items until enough are idle.
func (p *Pool[T]) fill() {
	for p.wanting() {
		item, err := p.ahead.make(p.ahead.ctx)
		if err != nil {
			p.giveUp(time.Now())
			return
		}
		p.Put(item)
	}
}

// wanting reports whether more items are to be made. If it returns false, filling has ended.
func (p *Pool[T]) wanting() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ahead.making = !p.closed && len(p.idle)+p.shedding < p.ahead.wanted
	return p.ahead.making
}

// giveUp ends filling, until the next item is missed. What fails again and again is tried ever less often: to make an
// item can take long, and those of other pools may have to wait for it.
func (p *Pool[T]) giveUp(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := &p.ahead
	a.making, a.wanted = false, 0
	a.failed++
	a.again = now.Add(min(time.Duration(a.failed*a.failed)*failedWait, mostFailedWait))
}
