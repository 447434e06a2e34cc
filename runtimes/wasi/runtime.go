package wasi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/wasi/compiler"
	"github.com/polyvoke/polyvoke/runtimes/wasi/fuel"
	"github.com/polyvoke/polyvoke/runtimes/wasi/idle"
	"github.com/polyvoke/polyvoke/runtimes/wasi/memory"
	"github.com/polyvoke/polyvoke/runtimes/wasi/preview1"
	"github.com/tetratelabs/wazero"
)

// mostMemory is the largest memory limit, in bytes: a page less than the engine's, so that there is room
// for sandbox.resize to ask for one more.
const mostMemory = (compiler.MaxPages - 1) * module.PageSize

// Runtime is a runtimes.Runtime.
type Runtime struct {
	maxMemory uint64
	modules   module.Limits
	engine    wazero.Runtime
	cache     wazero.CompilationCache // nil without a folder
	folder    string                  // of that
	compiler  *compiler.Compiler      // nil if modules are compiled in this process
	trials    chan struct{}           // has one for each program that is being tried
	prepares  chan struct{}           // has one for each module that is being prepared
	alone     sync.Mutex              // of that: the engine hands out a module before it is loaded whole
	regions   *memory.Pool
	start     time.Time // zero of the guests' monotonic clocks
	log       *slog.Logger
	verify    uint64 // one in this many sandboxes that were put back is compared with its image

	startTime    time.Duration // of a process up to its first read, if it is to be parked there
	budget       *idle.Budget  // of idle sandboxes
	starts       chan struct{} // has one for each start that is made in advance
	watchdog     *fuel.Watchdog
	instantiates instantiateGate // for instances of modules that take long
	mu           sync.Mutex
	programs     map[*program]struct{} // guarded by mu

	closed atomic.Bool
}

var _ runtimes.Parter = (*Runtime)(nil)

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
	r := &Runtime{maxMemory: c.maxMemory(), modules: module.Limits{Size: c.MaxModule}, cache: cache, folder: c.CacheDir,
		regions: memory.NewPool(c.idle()), start: time.Now(), log: c.log(), verify: c.verify(),
		prepares: make(chan struct{}, runtime.GOMAXPROCS(0)), trials: make(chan struct{}, runtime.GOMAXPROCS(0)),
		startTime: c.startTime(), budget: idle.NewBudget(c.idleMemory()),
		starts: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)), watchdog: fuel.NewWatchdog(fuel.WatchInterval),
		instantiates: newInstantiateGate(max(1, runtime.GOMAXPROCS(0)/2)), programs: map[*program]struct{}{}}
	r.engine = wazero.NewRuntimeWithConfig(ctx, compiler.EngineConfig(cache))
	if r.compiler, err = c.newCompiler(ctx); err != nil {
		return nil, errors.Join(err, r.Close(ctx))
	}
	if err := errors.Join(exportPreview1(ctx, r.engine), exportPolyvoke(ctx, r.engine)); err != nil {
		return nil, errors.Join(err, r.Close(ctx))
	}
	return r, nil
}

// exportPreview1 offers our functions of WASI preview1 to modules, and that of its threads.
func exportPreview1(ctx context.Context, engine wazero.Runtime) error {
	b := engine.NewHostModuleBuilder(preview1.ModuleName)
	for _, f := range preview1.Functions() {
		b.NewFunctionBuilder().WithGoModuleFunction(f.Call, f.Params, f.Results).Export(f.Name)
	}
	if _, err := b.Instantiate(ctx); err != nil {
		return fmt.Errorf("offering WASI preview1: %w", err)
	}
	spawn := preview1.ThreadSpawn()
	_, err := engine.NewHostModuleBuilder(preview1.ThreadsModule).NewFunctionBuilder().
		WithGoModuleFunction(spawn.Call, spawn.Params, spawn.Results).Export(spawn.Name).Instantiate(ctx)
	return err
}

// Close implements runtimes.Runtime.
func (r *Runtime) Close(ctx context.Context) error {
	if r.closed.Swap(true) {
		return nil
	}
	if r.compiler != nil {
		r.compiler.Close()
	}
	var err error
	for _, g := range r.all() {
		err = errors.Join(err, g.Close(ctx))
	}
	r.budget.Close()
	r.watchdog.Close()
	err = errors.Join(err, r.engine.Close(ctx))
	if r.cache != nil {
		err = errors.Join(err, r.cache.Close(ctx))
	}
	r.regions.Close()
	return err
}

// yield gives back all memory and address space that is kept for runs to come.
func (r *Runtime) yield() {
	r.budget.Empty()
	r.regions.Trim()
}

// keep takes a program on, which is closed with the runtime.
func (r *Runtime) keep(g *program) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.programs[g] = struct{}{}
}

// forget is for a program that is closed.
func (r *Runtime) forget(g *program) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.programs, g)
}

// all returns the programs that are not closed.
func (r *Runtime) all() []*program {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Keys(r.programs))
}
