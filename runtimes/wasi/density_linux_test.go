//go:build linux && !race

package wasi

import (
	"runtime"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest/level"
)

// TestDensity counts what programs take that nobody calls, without the race detector, which takes more: each has code
// of its own, since it has a stack limit of its own.
func TestDensity(t *testing.T) {
	r := newTestRuntime(t, Config{CacheDir: t.TempDir()})
	make := func(i int) *program {
		g, err := r.Compile(t.Context(), runtimestest.Wasm(),
			runtimes.Options{Stack: uint64(8<<20 - 64*i), Args: echo().Args})
		if err != nil {
			t.Fatal(err)
		}
		return g.(*program)
	}
	rest := func(g *program) {
		Sweep(g, time.Now().Add(time.Hour))
		for range tiresAfter + 1 {
			g.tire()
		}
	}
	first := make(0)
	needCode(t, first)
	rest(first)
	before := level.Measure(t)
	const n = 100
	var all []*program
	for i := range n {
		all = append(all, make(i+1))
	}
	for _, g := range all {
		rest(g)
	}
	after := level.Measure(t)
	runtime.KeepAlive(all)
	heap, rss := (after.Heap-before.Heap)/n>>10, (after.RSS-before.RSS)/n
	t.Logf("%d KiB of heap, %d KiB of memory each", heap, rss)
	if heap > 25 || rss > 70 || after.Files > before.Files {
		t.Errorf("an idle program takes %d KiB of heap, %d KiB of memory and %d descriptors for all",
			heap, rss, after.Files-before.Files)
	}
}
