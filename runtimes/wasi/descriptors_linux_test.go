package wasi

import (
	"testing"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest/level"
)

// TestDescriptors checks that an idle program takes none of the descriptors of the process, of which there may be few.
func TestDescriptors(t *testing.T) {
	all := Possible(runtimes.StartFresh, runtimes.StartReset, runtimes.StartPrefork, runtimes.StartCheckpoint)
	for _, kind := range all {
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
		if got := level.Files(t) - before; got > 0 {
			t.Errorf("%s: %d programs have %d descriptors", kind, n, got)
		}
	}
}
