//go:build !linux

package preempt

// thread returns nothing here.
func thread() int { return 0 }

// nudge does nothing here.
func nudge(int) {}
