package hostiletest

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// starts returns the ways to start a process that are put to the test: all that are possible for one that does nothing
// but to answer.
func starts(t testing.TB) (list []string) {
	r, err := wasi.New(t.Context(), wasi.Config{StartTime: inTime})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(t.Context())
	all := []string{runtimes.StartFresh, runtimes.StartReset, runtimes.StartPrefork, runtimes.StartCheckpoint}
	for _, start := range all {
		_, err := r.Compile(t.Context(), runtimestest.Wasm(), runtimes.Options{Start: start})
		if refused := (*runtimes.ModuleError)(nil); errors.As(err, &refused) {
			t.Logf("not put to the test: %v", err)
		} else if err != nil {
			t.Fatal(err)
		} else {
			list = append(list, start)
		}
	}
	return list
}

// What makes this binary something else than a test.
const (
	compileModule = "compile-module" // a compiler, see wasi.CompileChild
	tryMutants    = "try-mutants"    // see mutants_test.go
)

// cacheDir is a compile cache that all tests share.
var cacheDir string

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case compileModule:
			os.Exit(wasi.CompileChild(context.Background(), os.Args[2:], os.Stdin, os.Stderr))
		case tryMutants:
			os.Exit(mutantsChild(os.Args[2:]))
		}
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "hostile")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		cacheDir = dir
		return m.Run()
	}())
}

// newRuntime returns a runtime that compiles in a child, and is closed when the test ends.
func newRuntime(t testing.TB, c wasi.Config) *wasi.Runtime {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if c.Compiler == nil {
		c.Compiler = []string{exe, compileModule}
	}
	if c.CacheDir == "" {
		c.CacheDir = cacheDir
	}
	if c.StartTime == 0 {
		c.StartTime = 20 * time.Millisecond
	}
	r, err := wasi.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}
