package compiler

import (
	"context"
	"os"
	"runtime"
	"sync"
)

// lanes keep modules that take long from holding up those that do not. A module that has a usual price (see package
// price) is compiled beside a few others. One that turns out to take longer goes on when no other such module does;
// and one that has an unusual price, which is likely to be a bomb, is compiled when no other such module is.
type lanes struct {
	quick, slow, dense chan struct{} // hold one for each child
}

// newLanes returns lanes that are free.
func newLanes() lanes {
	return lanes{
		quick: make(chan struct{}, max(2, runtime.GOMAXPROCS(0))),
		slow:  make(chan struct{}, 1),
		dense: make(chan struct{}, 1),
	}
}

// turn is a child's place in a lane.
type turn struct {
	lanes *lanes
	over  chan struct{}  // closed when the child has ended
	move  sync.WaitGroup // into the slow lane

	mu    sync.Mutex
	ended bool
	lane  chan struct{} // in which it has a place; nil while it waits for one
}

// enter waits for a place. end must be called.
func (l *lanes) enter(ctx context.Context, usual bool) (*turn, error) {
	t := &turn{lanes: l, over: make(chan struct{}), lane: l.dense}
	if usual {
		t.lane = l.quick
	}
	select {
	case t.lane <- struct{}{}:
		return t, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// slowDown moves a child into the slow lane, if it is in the quick one. It stands still while it waits for a place
// there. rest and wake are called when it does and when it goes on. slowDown does not wait.
func (t *turn) slowDown(child *os.Process, rest, wake func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended || t.lane != t.lanes.quick {
		return
	}
	pauseChild(child)
	rest()
	<-t.lane
	t.lane = nil
	t.move.Go(func() {
		select {
		case t.lanes.slow <- struct{}{}:
		case <-t.over:
			return
		}
		t.mu.Lock()
		t.lane = t.lanes.slow
		t.mu.Unlock()
		wake()
		resumeChild(child)
	})
}

// end gives the place back when the child has ended.
func (t *turn) end() {
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
	close(t.over)
	t.move.Wait()
	if t.lane != nil {
		<-t.lane
	}
}
