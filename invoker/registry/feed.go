package registry

import (
	"context"
	"sync"
)

// feed carries changes to one watcher. It never blocks the goroutine that adds a change, and holds at most one change
// per function: if a function changes faster than the watcher reads, the newest state takes the place of the one that
// waits.
type feed struct {
	mu      sync.Mutex
	waiting []Change
	place   map[string]int // name -> index in waiting
	more    chan struct{}  // holds a token while waiting is not empty
}

func newFeed() *feed {
	return &feed{place: map[string]int{}, more: make(chan struct{}, 1)}
}

// add appends a change, or updates the one of the same name that still waits.
func (f *feed) add(c Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i, ok := f.place[c.Name]; ok {
		f.waiting[i] = c
		return
	}
	f.place[c.Name] = len(f.waiting)
	f.waiting = append(f.waiting, c)
	select {
	case f.more <- struct{}{}:
	default:
	}
}

// take returns what waits and leaves nothing.
func (f *feed) take() []Change {
	f.mu.Lock()
	defer f.mu.Unlock()
	taken := f.waiting
	f.waiting, f.place = nil, map[string]int{}
	return taken
}

// pump sends what is added to out until ctx ends.
func (f *feed) pump(ctx context.Context, out chan<- Change) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.more:
		}
		for _, c := range f.take() {
			select {
			case <-ctx.Done():
				return
			case out <- c:
			}
		}
	}
}
