//go:build !race

package protocol

import "testing"

// TestNewIDAllocates checks that an id costs its text and nothing more. The race detector has costs of its own.
func TestNewIDAllocates(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { NewID() }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}
