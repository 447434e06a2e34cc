package wasi

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/wasi/preview1"
	"github.com/tetratelabs/wazero"
)

// program is a compiled module.
type program struct {
	runtime  *Runtime
	compiled wazero.CompiledModule
	config   wazero.ModuleConfig // of every instance
	limit    uint64              // memory limit in bytes
	size     uint64              // address space to reserve for a memory, in bytes
	hosts    sync.Pool           // of *host, between runs
	closed   atomic.Bool
}

var _ runtimes.Program = (*program)(nil)

// newProgram returns a program whose processes have at most limit bytes of memory, and never need more than size.
func newProgram(r *Runtime, compiled wazero.CompiledModule, limit, size uint64) *program {
	g := &program{runtime: r, compiled: compiled, limit: limit, size: size}
	// Several instances cannot have the same name, but all can have none. The entry is called by Run.
	// Nobody asks the engine for entropy or the time, but without these it makes sources for each instance.
	g.config = wazero.NewModuleConfig().WithName("").WithStartFunctions().
		WithRandSource(rand.Reader).WithSysWalltime().WithSysNanotime()
	g.hosts.New = func() any { return newHost(r.start) }
	return g
}

// Close implements runtimes.Program.
func (g *program) Close(ctx context.Context) error {
	if g.closed.Swap(true) {
		return nil
	}
	return g.compiled.Close(ctx)
}

// Run implements runtimes.Program.
func (g *program) Run(ctx context.Context, p *runtimes.Process) error {
	p.Usage = runtimes.Usage{Start: "fresh"}
	if g.closed.Load() || g.runtime.closed.Load() {
		return errClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkStrings(p); err != nil {
		return err
	}
	region, err := g.runtime.regions.Get(g.size)
	if err != nil {
		return fmt.Errorf("reserving memory for a process: %w", err)
	}
	h := g.hosts.Get().(*host)
	run := h.begin(ctx, p, region, g.limit)
	defer func() { // also if a Writer ends the goroutine
		p.Usage.Memory, p.Usage.Fuel = h.memory.size, h.used
		h.end()
		g.runtime.regions.Put(region, h.memory.size)
		h.memory = linear{}
		g.hosts.Put(h)
	}()
	start := time.Now()
	err = g.call(run, h)
	p.Usage.Duration = time.Since(start)
	return h.outcome(ctx, err)
}

// call makes an instance, calls its entry and closes it. A panic becomes an error.
func (g *program) call(ctx *preview1.Context, h *host) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the engine failed: %v", p)
		}
	}()
	instance, err := g.runtime.engine.InstantiateModule(ctx, g.compiled, g.config)
	if err != nil {
		return err
	}
	defer instance.Close(context.Background())
	defer func() { h.read(instance) }()
	return instance.ExportedFunction("_start").CallWithStack(ctx, nil)
}

// checkStrings refuses arguments and an environment that cannot be passed to a process.
func checkStrings(p *runtimes.Process) error {
	for i, a := range p.Args {
		if strings.IndexByte(a, 0) >= 0 {
			return fmt.Errorf("argument %d contains a NUL byte", i)
		}
	}
	for _, e := range p.Env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" || strings.IndexByte(e, 0) >= 0 {
			return fmt.Errorf("%q is not a NAME=value entry of an environment", e)
		}
	}
	return nil
}
