// Package metering measures what metering costs: guests that compute, each as it is, metered, metered with
// a bound of the stack, and interrupted by the engine's own means instead.
package metering

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/guest"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/measure"
	"github.com/polyvoke/polyvoke/runtimes/module/meter"
	"github.com/polyvoke/polyvoke/runtimes/module/rewrite"
)

// The forms of a guest.
const (
	Plain         = "plain"
	Metered       = "metered"
	Bounded       = "metered, stack limit"
	Interruptible = "CloseOnContextDone"
)

// Forms returns all forms, the plain one first.
func Forms() []string { return []string{Plain, Metered, Bounded, Interruptible} }

// Loads are guests that have been made ready. It is for one goroutine at a time.
type Loads struct {
	programs map[string]*program // by form, of the module that file names
	file     string
}

// program is a module in one form.
type program struct {
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
}

// Run runs a guest once in a form and returns what it took; its instantiation does not count.
func (l *Loads) Run(ctx context.Context, g *guest.Guest, form, cache string) (measure.Sample, error) {
	if g.Wasm != l.file {
		if err := l.Close(); err != nil {
			return measure.Sample{}, err
		}
		l.programs, l.file = map[string]*program{}, g.Wasm
	}
	p := l.programs[form]
	if p == nil {
		var err error
		if p, err = open(ctx, g.Wasm, form, cache); err != nil {
			return measure.Sample{}, err
		}
		l.programs[form] = p
	}
	return p.run(ctx, g)
}

// Close frees the guests.
func (l *Loads) Close() error {
	var err error
	for _, p := range l.programs {
		err = errors.Join(err, p.runtime.Close(context.Background()))
	}
	l.programs = nil
	return err
}

// open rewrites and compiles a module. The plain form is rewritten too, as everything is but for the metering.
func open(ctx context.Context, file, form, cache string) (*program, error) {
	binary, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	o := rewrite.Options{Unmetered: form == Plain || form == Interruptible}
	if form == Bounded {
		o.Stack = 8 << 20
	}
	if binary, _, err = rewrite.Rewrite(binary, o); err != nil {
		return nil, err
	}
	folder, err := wazero.NewCompilationCacheWithDir(filepath.Join(cache, "wazero"))
	if err != nil {
		return nil, err
	}
	config := wazero.NewRuntimeConfig().WithCompilationCache(folder).WithDebugInfoEnabled(false).
		WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall).
		WithCloseOnContextDone(form == Interruptible)
	r := wazero.NewRuntimeWithConfig(ctx, config)
	if _, err = wasi_snapshot_preview1.Instantiate(ctx, r); err == nil {
		err = offer(ctx, r)
	}
	p := &program{runtime: r}
	if err == nil {
		p.compiled, err = r.CompileModule(ctx, binary)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close(ctx))
	}
	return p, nil
}

// run runs the program once.
func (p *program) run(ctx context.Context, g *guest.Guest) (measure.Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	ctx = context.WithValue(ctx, gaugeKey{}, &gauge{})
	var out bytes.Buffer
	c := wazero.NewModuleConfig().WithName("").WithArgs(g.Args...).
		WithStdin(bytes.NewReader(g.Body)).WithStdout(&out).WithStderr(os.Stderr).
		WithSysWalltime().WithSysNanotime().WithStartFunctions()
	for _, e := range g.Env {
		k, v, _ := strings.Cut(e, "=")
		c = c.WithEnv(k, v)
	}
	m, err := p.runtime.InstantiateModule(ctx, p.compiled, c)
	if err != nil {
		return measure.Sample{}, err
	}
	defer m.Close(context.Background())
	runtime.GC() // what is left of other forms
	cpu, begin := measure.CPU(), time.Now()
	_, err = m.ExportedFunction("_start").Call(ctx)
	s := measure.Sample{Calls: 1, CPU: measure.CPU() - cpu, Wall: time.Since(begin)}
	s.Latencies = []time.Duration{s.Wall}
	var exit *sys.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 0) {
		return s, err
	}
	if !bytes.Equal(bytes.TrimSpace(out.Bytes()), g.Want) {
		return s, fmt.Errorf("the result is %.60q, not %q", out.Bytes(), g.Want)
	}
	return s, nil
}

// gauge gives fuel, as the runtime does.
type gauge struct{ sliced time.Time }

// gaugeKey is what it is called in the context of a call.
type gaugeKey struct{}

// How a process gets fuel in the runtime: portions, and a turn for others after a slice of time.
const (
	portion = 1_000_000
	slice   = time.Millisecond
)

// offer offers the function that metered modules call.
func offer(ctx context.Context, r wazero.Runtime) error {
	i64 := []api.ValueType{api.ValueTypeI64}
	refill := func(ctx context.Context, _ api.Module, stack []uint64) {
		g := ctx.Value(gaugeKey{}).(*gauge)
		if err := ctx.Err(); err != nil {
			panic(err)
		}
		if time.Since(g.sliced) >= slice {
			runtime.Gosched()
			g.sliced = time.Now()
		}
		stack[0] += portion
	}
	_, err := r.NewHostModuleBuilder(meter.HookModule).NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(refill), i64, i64).Export(meter.HookName).Instantiate(ctx)
	return err
}
