// Package wasi runs WebAssembly modules as processes: WASI preview1 commands, each in a sandbox of
// its own, made anew for every run. In go a module and a runtimes.Process; out come its
// output and the way it ended. It is the only package that knows the engine, wazero.
//
// A process sees its arguments, its environment, stdin, stdout and stderr, the clocks, entropy and
// the read-only folder /request, and nothing else: no file, no socket and no process of the host.
package wasi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/rewrite"
	"github.com/polyvoke/polyvoke/runtimes/wasi/memory"
	"github.com/polyvoke/polyvoke/runtimes/wasi/preview1"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// errClosed is what Compile and Run return after Close.
var errClosed = errors.New("the runtime or the program has been closed")

// enginePages is the engine's own memory limit in pages. It is as far from the limits of programs as
// it can be, so that a growth beyond those is refused by our allocator, which takes note; the engine
// itself refuses only what a module rules out by its own maximum, and sums near 4 GiB.
// (With 65,536 pages, the most that WebAssembly allows, the engine computes wrong bounds.)
const enginePages = 65_535

// Runtime is a runtimes.Runtime.
type Runtime struct {
	maxMemory uint64
	engine    wazero.Runtime
	cache     wazero.CompilationCache // nil without a folder
	compiler  *compiler               // nil if modules are compiled in this process
	regions   *memory.Pool
	start     time.Time // zero of the guests' monotonic clocks
	closed    atomic.Bool
}

var _ runtimes.Runtime = (*Runtime)(nil)

// New returns a runtime. It must be closed.
//
// # Errors
//
// A wrong Config gives an error that names the field.
func New(ctx context.Context, c Config) (*Runtime, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	cache, err := c.openCache()
	if err != nil {
		return nil, err
	}
	r := &Runtime{maxMemory: c.maxMemory(), cache: cache, regions: memory.NewPool(c.idle()), start: time.Now()}
	r.engine = wazero.NewRuntimeWithConfig(ctx, engineConfig(cache))
	if r.compiler, err = newCompiler(ctx, c); err != nil {
		return nil, errors.Join(err, r.Close(ctx))
	}
	if err := errors.Join(exportPreview1(ctx, r.engine), exportMeter(ctx, r.engine)); err != nil {
		return nil, errors.Join(err, r.Close(ctx))
	}
	return r, nil
}

// features are those of WebAssembly that modules may use.
const features = api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall |
	experimental.CoreFeaturesExtendedConst | experimental.CoreFeaturesExceptionHandling

// engineConfig returns the configuration of the engine, the same for running modules and for compiling them.
func engineConfig(cache wazero.CompilationCache) wazero.RuntimeConfig {
	ec := wazero.NewRuntimeConfig().
		WithCoreFeatures(features).
		WithMemoryLimitPages(enginePages).
		WithDebugInfoEnabled(false) // symbolising the stack of an exit costs more than the run
	if cache != nil {
		ec = ec.WithCompilationCache(cache)
	}
	return ec
}

// exportPreview1 offers our functions of WASI preview1 to modules.
func exportPreview1(ctx context.Context, engine wazero.Runtime) error {
	b := engine.NewHostModuleBuilder(preview1.ModuleName)
	for _, f := range preview1.Functions() {
		b.NewFunctionBuilder().WithGoModuleFunction(f.Call, f.Params, f.Results).Export(f.Name)
	}
	if _, err := b.Instantiate(ctx); err != nil {
		return fmt.Errorf("offering WASI preview1: %w", err)
	}
	return nil
}

// Compile implements runtimes.Runtime. A module that is not a WASI preview1 command is refused
// with a *runtimes.ModuleError that says why and what to do. The context interrupts a compiler
// process, but not a compilation in this one.
func (r *Runtime) Compile(ctx context.Context, b []byte, o runtimes.Options) (runtimes.Program, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.closed.Load() {
		return nil, errClosed
	}
	limit, err := r.limit(o)
	if err != nil {
		return nil, err
	}
	size, err := checkModule(b, limit)
	if err != nil {
		return nil, err
	}
	b, _, err = rewrite.Rewrite(b, rewrite.Options{Stack: stack})
	if err != nil {
		return nil, &runtimes.ModuleError{Reason: err.Error(), Err: err}
	}
	compiled, err := r.translate(ctx, b)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, errors.Join(err, compiled.Close(context.WithoutCancel(ctx)))
	}
	return newProgram(r, compiled, limit, size), nil
}

// limit returns the memory limit of a program in bytes, in whole pages.
func (r *Runtime) limit(o runtimes.Options) (uint64, error) {
	limit := o.Memory
	if limit == 0 {
		limit = min(runtimes.DefaultMemory, r.maxMemory)
	}
	if limit > r.maxMemory {
		return 0, &runtimes.ModuleError{Reason: fmt.Sprintf("a memory limit of %d MiB is more than the %d MiB that a process may have here", limit>>20, r.maxMemory>>20)}
	}
	return limit / module.PageSize * module.PageSize, nil
}

// checkModule refuses what cannot run as a process within a memory limit. It returns the most memory
// that the module can ever have under that limit.
func checkModule(b []byte, limit uint64) (uint64, error) {
	m, err := module.Parse(b)
	if err == nil {
		err = m.CheckProcess()
	}
	if err != nil {
		return 0, &runtimes.ModuleError{Reason: err.Error(), Err: err}
	}
	memory := m.Memories[0]
	if need := uint64(memory.Min) * module.PageSize; need > limit {
		return 0, &runtimes.ModuleError{Reason: fmt.Sprintf("the module needs %d KiB of memory to begin with, but its limit is %d KiB: "+
			"raise the limit, or link it with less memory or a smaller stack", need>>10, limit>>10)}
	}
	if memory.HasMax {
		limit = min(limit, uint64(memory.Max)*module.PageSize)
	}
	return limit, nil
}

// translate has a module compiled, here or by a child.
func (r *Runtime) translate(ctx context.Context, b []byte) (wazero.CompiledModule, error) {
	if r.compiler == nil {
		return compileModule(ctx, r.engine, b)
	}
	return r.compiler.compile(ctx, b, func() (wazero.CompiledModule, error) { return loadModule(ctx, r.engine, b) })
}

// compileModule has an engine compile a module. Whatever goes wrong in there is the module's fault,
// if it is not the cache's.
func compileModule(ctx context.Context, engine wazero.Runtime, b []byte) (c wazero.CompiledModule, err error) {
	defer func() {
		if p := recover(); p != nil {
			cause, _ := p.(error)
			err = &runtimes.ModuleError{Reason: fmt.Sprintf("the engine cannot compile this module: %v", p), Err: cause}
		}
	}()
	c, err = engine.CompileModule(ctx, b)
	var file *fs.PathError
	var files *os.LinkError
	switch {
	case errors.As(err, &file), errors.As(err, &files):
		return nil, fmt.Errorf("cache of compiled modules: %w", err)
	case err != nil:
		return nil, &runtimes.ModuleError{Reason: "the module is not valid: " + err.Error(), Err: err}
	}
	return c, nil
}

// loadModule has an engine load a module that is in its cache. It never compiles: several workers look at
// the context before each function, one does not, and loading does not look at it at all.
func loadModule(ctx context.Context, engine wazero.Runtime, b []byte) (wazero.CompiledModule, error) {
	ctx, cancel := context.WithCancel(experimental.WithCompilationWorkers(ctx, 2))
	cancel()
	return compileModule(ctx, engine, b)
}

// Close implements runtimes.Runtime.
func (r *Runtime) Close(ctx context.Context) error {
	if r.closed.Swap(true) {
		return nil
	}
	if r.compiler != nil {
		r.compiler.close()
	}
	err := r.engine.Close(ctx)
	if r.cache != nil {
		err = errors.Join(err, r.cache.Close(ctx))
	}
	r.regions.Close()
	return err
}
