package websocket

import "sync"

// mostIdle is how many goroutines that have called wait for more at a time.
const mostIdle = 64

// workers are goroutines that call for one connection after the other. A new one for each message would have its stack
// grown for each call, which costs two microseconds. Those that were not needed between two beats end, and all end with
// the last connection.
type workers struct {
	mu   sync.Mutex
	idle []chan *conn // of those that wait, the last one first; nil sent to one ends it
	low  int          // the fewest of them since the last beat
}

// work has a goroutine call for a connection. The caller holds the connection's mutex.
func (h *Hub) work(c *conn) {
	w := &h.workers
	w.mu.Lock()
	last := len(w.idle) - 1
	if last < 0 {
		w.mu.Unlock()
		go h.worker(c)
		return
	}
	next := w.idle[last]
	w.idle = w.idle[:last]
	w.low = min(w.low, last)
	w.mu.Unlock()
	next <- c
}

// worker calls for a connection, and then for others.
func (h *Hub) worker(c *conn) {
	next := make(chan *conn, 1)
	for c != nil {
		c.work()
		if !h.wait(next) {
			return
		}
		c = <-next
	}
}

// wait notes that a worker waits, and reports whether it may.
func (h *Hub) wait(next chan *conn) bool {
	w := &h.workers
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.idle) >= mostIdle || h.count.open.Load() == 0 || h.calls.Err() != nil {
		return false // nobody would end it
	}
	w.idle = append(w.idle, next)
	return true
}

// rest ends the workers that were not needed since the last time, or all that wait.
func (w *workers) rest(all bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if all {
		w.low = len(w.idle)
	}
	for _, next := range w.idle[:w.low] { // the longest time
		next <- nil
	}
	w.idle = append([]chan *conn(nil), w.idle[w.low:]...)
	w.low = len(w.idle)
}
