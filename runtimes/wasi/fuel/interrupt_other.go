//go:build !linux

package fuel

// thread returns nothing here.
func thread() int { return 0 }

// interrupt does nothing here.
func interrupt(int) {}
