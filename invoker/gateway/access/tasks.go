package access

import (
	"context"
	"sync"
)

// tasks are what a guard does beside the requests that wait for it.
type tasks struct {
	ctx    context.Context // ends with the guard
	cancel context.CancelFunc

	mu      sync.Mutex
	ended   bool
	running sync.WaitGroup
}

func (t *tasks) init() { t.ctx, t.cancel = context.WithCancel(context.Background()) }

// begin does something in a goroutine, and reports whether it does: not after the end.
func (t *tasks) begin(do func(context.Context)) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended {
		t.running.Go(func() { do(t.ctx) })
	}
	return !t.ended
}

// end ends all that was begun, and waits for it.
func (t *tasks) end() {
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
	t.cancel()
	t.running.Wait()
}
