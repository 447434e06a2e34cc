package wasi

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/rewrite"
	"github.com/polyvoke/polyvoke/runtimes/recording"
	"github.com/polyvoke/polyvoke/runtimes/wasi/idle"
	"github.com/polyvoke/polyvoke/runtimes/wasi/memory"
	"github.com/tetratelabs/wazero"
)

// code is a compiled module: what all programs that are derived from one another have in common. It is freed with the
// last of them. After newProgram has made the first, it does not change.
type code struct {
	runtime         *Runtime
	compiled        wazero.CompiledModule
	config          wazero.ModuleConfig // of every instance
	own             module.Memory       // the memory that the module asks for
	stack           int32               // limit of the stack
	obstacles       obstacles           // what keeps its sandboxes from being used again, or parked
	base            *memory.Image       // the memory before the entry runs
	wrapped         bool                // its entry is rewrite.RunName, for there is more to call
	globals         []string            // what else a process can change: the exports' names
	begin           []uint64            // values of the globals before the entry runs; nil: those of a new instance
	setup           *recording.Draws    // what an initialization for all processes drew; nil: nothing
	coverage        *coverage           // of its functions
	instantiateTime instantiateTime     // how long it takes to make an instance
	refs            atomic.Int64
	rest            rest // what it does while nobody needs it
}

// newCode returns the code of a rewritten module, to which the caller has a reference. Its first program is to be made
// with newProgram.
func (r *Runtime) newCode(compiled wazero.CompiledModule, report *rewrite.Report, stack int32) (*code, error) {
	m := report.Module
	base, err := r.imageOf(report.Data, uint64(m.Memories[0].Min)*module.PageSize)
	if err != nil {
		return nil, err
	}
	c := &code{runtime: r, compiled: compiled, config: newModuleConfig(), own: m.Memories[0], stack: stack,
		obstacles: obstaclesOf(report), base: base, coverage: newCoverage(report.Marks, m.Functions),
		wrapped: m.Reactor() || m.Start, globals: append(gauges(report), report.Globals...)}
	c.refs.Store(1)
	c.rest.unwatch = r.budget.Watch(c.tire)
	return c, nil
}

// release drops a reference.
func (c *code) release() error {
	if c.refs.Add(-1) > 0 {
		return nil
	}
	c.rest.stop()
	c.base.Release()
	return c.compiled.Close(context.Background()) // which only frees
}

// newProgram returns a program with the code. report is nil but for the first one.
func (c *code) newProgram(ctx context.Context, o runtimes.Options, report *rewrite.Report) (runtimes.Program, error) {
	most, limit, err := memoryLimits(c.own, o, c.runtime.maxMemory)
	if err != nil {
		return nil, err
	}
	if c.base.Size() > limit { // an initialization has made it larger
		return nil, refused("the module needs %d KiB of memory to begin with, but its limit is %d KiB: raise the limit",
			c.base.Size()>>10, limit>>10)
	}
	mounts, err := checkMounts(o.Mounts)
	if err != nil {
		return nil, err
	}
	c.refs.Add(1)
	g := &program{code: c, memory: linear{most: most, limit: limit}, fuelLimit: int64(o.Fuel), mounts: mounts,
		args: slices.Clone(o.Args), env: slices.Clone(o.Env), varies: o.Varies, renews: o.Renews, created: time.Now()}
	g.clean, g.parked = idle.New[*sandbox](c.runtime.budget, nil), idle.New(c.runtime.budget, g.newParked)
	_, _ = rand.Read(g.secret[:]) // never fails
	c.runtime.keep(g)
	if report != nil {
		err = g.initialize(ctx, report, o.Setup)
	}
	if err == nil {
		err = g.choose(ctx, o.Start)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, errors.Join(err, g.Close(context.WithoutCancel(ctx)))
	}
	return g, nil
}

// Derive implements runtimes.Deriver.
func (g *program) Derive(ctx context.Context, o runtimes.Options) (runtimes.Program, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if g.closed.Load() || g.runtime.closed.Load() {
		return nil, errClosed
	}
	stack, err := stackLimit(o)
	if err != nil {
		return nil, err
	}
	if o.Stack != 0 && stack != g.stack {
		return nil, fmt.Errorf("a stack limit of %d bytes is not that of the program, %d: compile the module anew",
			stack, g.stack)
	}
	return g.newProgram(ctx, o, nil)
}
