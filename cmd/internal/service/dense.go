package service

import (
	"runtime/debug"
	"sync"
)

// dense counts what goes on that wants a dense heap.
var dense struct {
	mu    sync.Mutex
	count int
	was   int // the percentage otherwise
}

// DenseCollector has the heap collected when it has doubled, until done is called: what a compilation leaves for good
// lies scattered among its garbage, and Go gives only whole pages back. It may be called again before that, and from
// several goroutines.
func DenseCollector() (done func()) {
	dense.mu.Lock()
	defer dense.mu.Unlock()
	if dense.count++; dense.count == 1 {
		dense.was = debug.SetGCPercent(100)
		if dense.was < 100 { // the user wants less, or no collection
			debug.SetGCPercent(dense.was)
		}
	}
	return sync.OnceFunc(func() {
		dense.mu.Lock()
		defer dense.mu.Unlock()
		if dense.count--; dense.count == 0 {
			debug.SetGCPercent(dense.was)
		}
	})
}
