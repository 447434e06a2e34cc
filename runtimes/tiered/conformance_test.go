package tiered_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/runtimes/tiered"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// cacheDir is a compile cache that all tests share.
var cacheDir string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "edits")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		cacheDir = dir
		return m.Run()
	}())
}

// newSandbox returns what runtimes compile with.
func newSandbox(t testing.TB) *wasi.Runtime {
	t.Helper()
	r, err := wasi.New(t.Context(), wasi.Config{CacheDir: cacheDir, StartTime: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// train compiles the probe for a line and runs it, so that the next of the line has a draft for what it has done.
func train(r runtimes.Runtime, line string, mode ...string) error {
	g, err := r.Compile(context.Background(), runtimestest.Wasm(), runtimes.Options{Line: line})
	if err != nil {
		return err
	}
	p := process(mode...)
	p.Stdin = strings.NewReader("body")
	return errors.Join(g.Run(context.Background(), p), g.Close(context.Background()))
}

// process returns a process of the probe.
func process(mode ...string) *runtimes.Process {
	return &runtimes.Process{Args: append([]string{"fn"}, mode...)}
}

// TestConformance runs the suite on drafts that can do hardly anything: each process has one of its own.
func TestConformance(t *testing.T) {
	runtimestest.Test(t, runtimestest.Harness{
		New: func(t testing.TB) runtimes.Runtime {
			return &drafting{tiered.New(newSandbox(t), slog.Default()).Eager(), new(atomic.Int64)}
		},
		Probe:  func(testing.TB) []byte { return runtimestest.Wasm() },
		Memory: true,
		Fuel:   true,
	})
}

// drafting is a runtime each of whose processes has a draft of its own.
type drafting struct {
	*tiered.Runtime
	lines *atomic.Int64
}

// Compile implements runtimes.Runtime.
func (d *drafting) Compile(ctx context.Context, module []byte, o runtimes.Options) (runtimes.Program, error) {
	g, err := d.Runtime.Compile(ctx, module, o)
	if err != nil {
		return nil, err
	}
	return &draftingProgram{Program: g, drafting: d, module: bytes.Clone(module), options: o}, nil
}

// draftingProgram compiles its module anew for each process.
type draftingProgram struct {
	runtimes.Program
	drafting *drafting
	module   []byte
	options  runtimes.Options
	closed   atomic.Bool
}

// Run implements runtimes.Program.
func (g *draftingProgram) Run(ctx context.Context, p *runtimes.Process) error {
	if g.closed.Load() {
		return g.Program.Run(ctx, p)
	}
	d, o := g.drafting, g.options
	o.Line = fmt.Sprint(d.lines.Add(1))
	if err := train(d.Runtime, o.Line, "hush"); err != nil {
		return err
	}
	draft, err := d.Runtime.Compile(context.Background(), g.module, o)
	if err != nil {
		return err
	}
	defer draft.Close(context.Background())
	return draft.Run(ctx, p)
}

// Close implements runtimes.Program.
func (g *draftingProgram) Close(ctx context.Context) error {
	g.closed.Store(true)
	return g.Program.Close(ctx)
}
