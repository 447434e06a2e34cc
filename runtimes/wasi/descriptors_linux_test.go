package wasi

import (
	"testing"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest/level"
)

// TestDescriptors counts what an idle program takes of the descriptors of the process, of which there may be few.
func TestDescriptors(t *testing.T) {
	for kind, most := range map[string]int{runtimes.StartFresh: 1, runtimes.StartReset: 1, runtimes.StartPrefork: 1, runtimes.StartCheckpoint: 2} {
		r := newTestRuntime(t, Config{})
		first := newTestProgram(t, r, kind)
		echoes(t, first)
		waitReady(t, first)
		before := level.Files(t)
		const n = 20
		for range n {
			g := newTestProgram(t, r, kind)
			echoes(t, g)
			waitReady(t, g)
		}
		if got := level.Files(t) - before; got > n*most {
			t.Errorf("%s: %d programs have %d descriptors, more than %d each", kind, n, got, most)
		}
	}
}
