package wasi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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
	return newRuntimeOf(t, wasi.Config{StartTime: 100 * time.Millisecond, Verify: 10})
}

// newRuntimeOf returns a runtime that is closed when the test ends. The compile cache is that of all tests.
func newRuntimeOf(t testing.TB, c wasi.Config) *wasi.Runtime {
	t.Helper()
	c.CacheDir = cacheDir
	r, err := wasi.New(t.Context(), c)
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

// kinds returns the start kinds that this build can do.
func kinds() []string {
	return wasi.Possible(runtimes.StartFresh, runtimes.StartReset, runtimes.StartPrefork, runtimes.StartCheckpoint)
}

// TestConformance runs the suite that os/exec passes too, on each start kind.
func TestConformance(t *testing.T) {
	for _, kind := range append(kinds(), runtimes.StartAuto) {
		t.Run(kind, func(t *testing.T) {
			runtimestest.Test(t, runtimestest.Harness{
				New:    func(t testing.TB) runtimes.Runtime { return forced{newRuntime(t), kind} },
				Probe:  func(testing.TB) []byte { return runtimestest.Wasm() },
				Memory: true,
				Fuel:   true,
			})
		})
	}
}

// forced is a runtime whose processes come to be in one way, wherever that is possible.
type forced struct {
	*wasi.Runtime
	kind string
}

// Compile implements runtimes.Runtime.
func (f forced) Compile(ctx context.Context, module []byte, o runtimes.Options) (runtimes.Program, error) {
	g, err := f.Runtime.Compile(ctx, module, o)
	if err != nil {
		return nil, err
	}
	return &forcedProgram{Program: g, forced: f, module: bytes.Clone(module), options: o,
		programs: map[string]runtimes.Program{}, refused: map[string]bool{}}, nil
}

// forcedProgram compiles the module anew for each arguments and environment, where sandboxes are started with just
// these.
type forcedProgram struct {
	runtimes.Program // of the kind that the runtime chooses, for processes that end without reading stdin
	forced           forced
	module           []byte
	options          runtimes.Options
	closed           atomic.Bool

	mu       sync.Mutex
	programs map[string]runtimes.Program
	refused  map[string]bool // modes of the probe in which it does not read stdin
}

// Run implements runtimes.Program.
func (g *forcedProgram) Run(ctx context.Context, p *runtimes.Process) error {
	for _, s := range append(p.Args, p.Env...) {
		if strings.IndexByte(s, 0) >= 0 {
			return g.Program.Run(ctx, p)
		}
	}
	if g.closed.Load() {
		return g.Program.Run(ctx, p)
	}
	program, err := g.program(p)
	if err != nil {
		return err
	}
	return program.Run(ctx, p)
}

// program returns the program for processes like p.
func (g *forcedProgram) program(p *runtimes.Process) (runtimes.Program, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	key, mode := fmt.Sprintf("%q %q", p.Args, p.Env), fmt.Sprintf("%q", p.Args[:min(len(p.Args), 2)])
	if g.forced.kind == runtimes.StartFresh || g.forced.kind == runtimes.StartReset {
		key = "" // these are started when they are asked for
	}
	if have := g.programs[key]; have != nil {
		return have, nil
	}
	if len(p.Args) > 1 && g.refused[mode] {
		return g.Program, nil
	}
	o := g.options
	o.Start, o.Args, o.Env = g.forced.kind, slices.Clone(p.Args), slices.Clone(p.Env)
	made, err := g.forced.Runtime.Compile(context.Background(), g.module, o)
	var refused *runtimes.ModuleError
	if errors.As(err, &refused) {
		g.refused[mode], made = true, g.Program
	} else if err != nil {
		return nil, err
	} else if _, why := wasi.KindOf(made); strings.HasPrefix(why, "it ends ") {
		g.refused[mode] = true
	}
	g.programs[key] = made
	return made, nil
}

// Close implements runtimes.Program.
func (g *forcedProgram) Close(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed.Store(true)
	err := g.Program.Close(ctx)
	for _, p := range g.programs {
		err = errors.Join(err, p.Close(ctx))
	}
	return err
}
