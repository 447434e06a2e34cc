package wasi

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/exhausted"
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/atomics"
	"github.com/polyvoke/polyvoke/runtimes/module/edit"
	"github.com/polyvoke/polyvoke/runtimes/module/rewrite"
	"github.com/polyvoke/polyvoke/runtimes/wasi/compiler"
	"github.com/polyvoke/polyvoke/runtimes/wasi/memory"
	"github.com/polyvoke/polyvoke/runtimes/wasi/native"
	"github.com/tetratelabs/wazero"
)

// Compile implements runtimes.Runtime. A module that is neither a WASI preview1 command nor a reactor with an entry
// for requests is refused with a *runtimes.ModuleError that says why and what to do. The context interrupts a
// compiler process, but not a compilation in this one.
func (r *Runtime) Compile(ctx context.Context, b []byte, o runtimes.Options) (runtimes.Program, error) {
	return r.CompilePart(ctx, b, o, runtimes.Part{})
}

// CompilePart implements runtimes.Parter. Of a module with exceptions, or one that was built for threads, there are
// no parts.
func (r *Runtime) CompilePart(
	ctx context.Context, b []byte, o runtimes.Options, part runtimes.Part,
) (runtimes.Program, error) {
	g, err := r.compilePart(ctx, b, o, part)
	if m := (*runtimes.ModuleError)(nil); !errors.As(err, &m) {
		err = exhausted.Of(err)
	}
	return g, err
}

// compilePart is CompilePart, with errors of the system as they are.
func (r *Runtime) compilePart(
	ctx context.Context, b []byte, o runtimes.Options, part runtimes.Part,
) (runtimes.Program, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.closed.Load() {
		return nil, errClosed
	}
	if err := exhausted.Descriptors(); err != nil {
		return nil, err
	}
	if int(o.Optimize) >= len(levels) {
		return nil, fmt.Errorf("there is no level %d of optimization", o.Optimize)
	}
	stack, err := stackLimit(o)
	if err != nil {
		return nil, err
	}
	b, report, err := r.prepare(ctx, b, o, part, stack)
	if err != nil {
		return nil, err
	}
	compiled, err := r.translate(ctx, b)
	if err != nil {
		return nil, err
	}
	native.Strip(compiled)
	return r.finish(ctx, compiled, report, o, stack)
}

// finish makes a program of what was compiled, and tries how its processes start, which can take up to startTime:
// only a few are tried at a time.
func (r *Runtime) finish(
	ctx context.Context, compiled wazero.CompiledModule, report *rewrite.Report, o runtimes.Options, stack int32,
) (runtimes.Program, error) {
	select {
	case r.trials <- struct{}{}:
		defer func() { <-r.trials }()
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), compiled.Close(ctx))
	}
	c, err := r.newCode(compiled, report, stack)
	if err != nil {
		return nil, errors.Join(err, compiled.Close(ctx))
	}
	defer c.release()
	return c.newProgram(ctx, o, report)
}

// levels are the levels of optimization in the words of package rewrite.
var levels = [...]int{
	runtimes.OptimizeAll: rewrite.All, runtimes.OptimizeCheap: rewrite.Cheap, runtimes.OptimizeNone: rewrite.Safe,
}

// prepare checks a module and rewrites it into what is compiled. It takes memory in proportion to the module, so only
// a few modules are prepared at a time.
func (r *Runtime) prepare(
	ctx context.Context, b []byte, o runtimes.Options, part runtimes.Part, stack int32,
) ([]byte, *rewrite.Report, error) {
	select {
	case r.prepares <- struct{}{}:
		defer func() { <-r.prepares }()
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	m, err := r.checkModule(b)
	if err != nil {
		return nil, nil, err
	}
	plan := rewrite.Options{Stack: stack, Entry: "_start", FoldData: true, MemoryMax: compiler.MaxPages, Limits: r.modules}
	plan.Optimize(levels[o.Optimize])
	if !m.Analysis.Exceptions && !atomics.Needed(m) { // lowering them changes which functions there are
		plan.Mark, plan.Without = part.Called, part.Without
	}
	if m.Reactor() {
		plan.Setup, plan.Entry = module.Initialize, module.Handle
	}
	if _, _, err := memoryLimits(m.Memories[0], o, r.maxMemory); err != nil {
		return nil, nil, err
	}
	b, report, err := rewrite.Rewrite(b, plan)
	if err != nil {
		return nil, nil, &runtimes.ModuleError{Reason: err.Error(), Err: err}
	}
	return b, report, nil
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

// checkModule refuses what cannot run as a process.
func (r *Runtime) checkModule(b []byte) (*module.Module, error) {
	m, err := r.modules.Parse(b)
	if err == nil {
		err = m.CheckProcess()
	}
	if err != nil {
		return nil, &runtimes.ModuleError{Reason: err.Error(), Err: err}
	}
	return m, nil
}

// translate compiles a module, here or by a child.
func (r *Runtime) translate(ctx context.Context, b []byte) (wazero.CompiledModule, error) {
	if r.compiler == nil {
		r.alone.Lock()
		defer r.alone.Unlock()
		return compiler.Compile(ctx, r.engine, b)
	}
	return r.compiler.Compile(ctx, r.engine, b)
}

// CompileChild is what the command of Config.Compiler does, in a process of its own that ends right after it. It limits
// this process, reads a module from stdin, compiles it into the folder that args name, and returns the exit code. args
// are those behind the command's own, as they are: they and the exit code are private to CompileChild and a [Runtime]
// of the same binary. ctx stops it.
func CompileChild(ctx context.Context, args []string, stdin io.Reader, stderr io.Writer) int {
	return compiler.Child(ctx, args, stdin, stderr)
}
