package wasi

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/edit"
	"github.com/polyvoke/polyvoke/runtimes/module/rewrite"
	"github.com/polyvoke/polyvoke/runtimes/wasi/compiler"
	"github.com/polyvoke/polyvoke/runtimes/wasi/memory"
	"github.com/tetratelabs/wazero"
)

// Compile implements runtimes.Runtime. A module that is neither a WASI preview1 command nor a reactor with an entry for requests is refused
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
	stack, err := stackLimit(o)
	if err != nil {
		return nil, err
	}
	most, reactor, err := r.checkModule(b, limit)
	if err != nil {
		return nil, err
	}
	plan := rewrite.Options{Stack: stack, Entry: "_start", FoldData: true, MemoryMax: compiler.MaxPages, Limits: r.modules}
	if reactor {
		plan.Setup, plan.Entry = module.Initialize, module.Handle
	}
	b, report, err := rewrite.Rewrite(b, plan)
	if err != nil {
		return nil, &runtimes.ModuleError{Reason: err.Error(), Err: err}
	}
	compiled, err := r.translate(ctx, b)
	if err != nil {
		return nil, err
	}
	g := &program{runtime: r, compiled: compiled, config: newModuleConfig(), memory: linear{most: most, limit: limit},
		globals: append(gauges(report), report.Globals...), fuelLimit: o.Fuel, reactor: reactor, args: slices.Clone(o.Args), env: slices.Clone(o.Env), varies: o.Varies, created: time.Now()}
	if err = g.prepare(ctx, report, o.Start); err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, errors.Join(err, g.Close(context.WithoutCancel(ctx)))
	}
	return g, nil
}

// prepare makes all that the first run needs.
func (g *program) prepare(ctx context.Context, report *rewrite.Report, start string) (err error) {
	g.pool.init(g.runtime)
	_, _ = rand.Read(g.secret[:]) // never fails
	if g.base, err = g.runtime.imageOf(report.Data, uint64(report.Module.Memories[0].Min)*module.PageSize); err != nil {
		return err
	}
	g.runtime.keep(g)
	if err := g.initialize(ctx, report); err != nil {
		return err
	}
	return g.choose(ctx, report, start)
}

// imageOf returns the image of a memory with data in it.
func (r *Runtime) imageOf(data []edit.Segment, size uint64) (*memory.Image, error) {
	region, err := r.regions.Get(size)
	if err != nil {
		return nil, fmt.Errorf("reserving memory for an image: %w", err)
	}
	defer r.regions.Put(region, size)
	b := region.Bytes(size)
	for _, s := range data {
		copy(b[s.Offset:], s.Bytes)
	}
	return r.regions.NewImage(b)
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
// that the module can ever have under that limit, and whether it is a reactor.
func (r *Runtime) checkModule(b []byte, limit uint64) (most uint64, reactor bool, err error) {
	m, err := r.modules.Parse(b)
	if err == nil {
		err = m.CheckProcess()
	}
	if err != nil {
		return 0, false, &runtimes.ModuleError{Reason: err.Error(), Err: err}
	}
	of := m.Memories[0]
	if need := uint64(of.Min) * module.PageSize; need > limit {
		return 0, false, &runtimes.ModuleError{Reason: fmt.Sprintf("the module needs %d KiB of memory to begin with, but its limit is %d KiB: "+
			"raise the limit, or link it with less memory or a smaller stack", need>>10, limit>>10)}
	}
	if of.HasMax {
		limit = min(limit, uint64(of.Max)*module.PageSize)
	}
	return limit, m.Reactor(), nil
}

// translate has a module compiled, here or by a child.
func (r *Runtime) translate(ctx context.Context, b []byte) (wazero.CompiledModule, error) {
	if r.compiler == nil {
		return compiler.Compile(ctx, r.engine, b)
	}
	return r.compiler.Compile(ctx, r.engine, b)
}

// CompileChild is what the command of Config.Compiler does, in a process of its own that ends
// right after it: it limits this process, reads a module from stdin, compiles it into the folder that args name,
// and returns the exit code. args are those behind the command's own, as they are: they and the exit code are
// between CompileChild and a [Runtime] of the same binary. It is stopped by ctx.
func CompileChild(ctx context.Context, args []string, stdin io.Reader, stderr io.Writer) int {
	return compiler.Child(ctx, args, stdin, stderr)
}
