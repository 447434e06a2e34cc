package invoker

import "sync/atomic"

// tasks counts what a function still has to do: its calls, and the receiver that takes more of them. What has become
// zero stays so.
type tasks struct {
	n    atomic.Int64
	idle chan struct{} // closed when it becomes zero
}

// newTasks returns a count of one.
func newTasks() *tasks {
	t := &tasks{idle: make(chan struct{})}
	t.n.Store(1)
	return t
}

// enter counts one more, unless the count has become zero.
func (t *tasks) enter() bool {
	for {
		n := t.n.Load()
		if n == 0 {
			return false
		}
		if t.n.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// exit counts one less.
func (t *tasks) exit() {
	if t.n.Add(-1) == 0 {
		close(t.idle)
	}
}
