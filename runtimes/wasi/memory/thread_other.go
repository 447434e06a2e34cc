//go:build linux && !amd64

package memory

// thread returns a number that no other living thread has, or 0 if it cannot be had cheaply.
func thread() uint64 { return 0 }
