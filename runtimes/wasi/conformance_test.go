package wasi_test

import (
	"context"
	"os"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// cacheDir is a compile cache that all tests of the package share.
var cacheDir string

// compileModule is the argument that makes this binary a compiler.
const compileModule = "compile-module"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == compileModule {
		os.Exit(wasi.CompileChild(context.Background(), os.Args[2:], os.Stdin, os.Stderr))
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "wasi")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		cacheDir = dir
		return m.Run()
	}())
}

// newRuntime returns a runtime that is closed when the test ends.
func newRuntime(t testing.TB) *wasi.Runtime {
	t.Helper()
	r, err := wasi.New(t.Context(), wasi.Config{CacheDir: cacheDir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return r
}

// TestConformance runs the suite that os/exec passes too.
func TestConformance(t *testing.T) {
	runtimestest.Test(t, runtimestest.Harness{
		New:    func(t testing.TB) runtimes.Runtime { return newRuntime(t) },
		Probe:  func(testing.TB) []byte { return runtimestest.Wasm() },
		Memory: true,
		Fuel:   true,
	})
}
