package jobs

import (
	"context"
	"sync"
)

// gate lets jobs run side by side, or one alone. The zero value is open.
type gate struct {
	mu      sync.Mutex
	inside  int
	closed  bool          // one wants to be alone, or is
	cleared chan struct{} // closed when nobody is inside any more
}

// enter lets a job in that may run beside others, and reports whether that is possible now.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.inside++
	return true
}

// leave says that a job has left that was let in.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	if g.inside == 0 && g.cleared != nil {
		close(g.cleared)
		g.cleared = nil
	}
}

// alone waits until nobody is inside, while nobody is let in, and reports whether that came before ctx ended. Then
// open must be called. One at a time may call it.
func (g *gate) alone(ctx context.Context) bool {
	g.mu.Lock()
	g.closed = true
	if g.inside == 0 {
		g.mu.Unlock()
		return true
	}
	cleared := make(chan struct{})
	g.cleared = cleared
	g.mu.Unlock()
	select {
	case <-cleared:
		return true
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cleared == nil { // it came at the same time
		return true
	}
	g.closed, g.cleared = false, nil
	return false
}

// open lets jobs in again.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = false
}
