package quarantine

import (
	"bytes"
	"context"
	"errors"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
)

// Guard returns a runtime that does what r does and enters it into the journal. Calls of a module in
// quarantine are answered with a *protocol.Error that says so, with the code 422. Without a journal it is r.
func (j *Journal) Guard(r runtimes.Runtime) runtimes.Runtime {
	if j == nil {
		return r
	}
	return &guard{r, j}
}

// guard is a runtime with a journal.
type guard struct {
	runtimes.Runtime
	journal *Journal
}

// Compile implements runtimes.Runtime. A module in quarantine is compiled when it is called after that has ended.
func (g *guard) Compile(ctx context.Context, module []byte, o runtimes.Options) (runtimes.Program, error) {
	w := g.journal.watch(module)
	p := &program{journal: g.journal, watch: w}
	if w.barred.Load() != nil {
		p.inner = &later{runtime: g.Runtime, module: bytes.Clone(module), options: o}
		return p, nil
	}
	inner, err := g.journal.load(ctx, w, g.Runtime, module, o)
	if err != nil {
		g.journal.release(w)
		return nil, err
	}
	p.inner = inner
	return p, nil
}

// watch is what is known about a module in this process.
type watch struct {
	digest digest
	slot   *slot
	labels context.Context         // has the label of the module's goroutines
	uses   int                     // programs of it; guarded by the journal's mutex
	idle   bool                    // it is in the journal's list of those; guarded by its mutex
	barred atomic.Pointer[suspect] // why it is refused, or nil
}

// enter says that this goroutine works for the module, until leave.
func (w *watch) enter() {
	pprof.SetGoroutineLabels(w.labels)
	w.slot.running.Add(1)
}

// leave says that it does not any more.
func (w *watch) leave() {
	w.slot.running.Add(-1)
	pprof.SetGoroutineLabels(context.Background())
}

// load compiles the module. For a suspect, no other does something meanwhile.
func (j *Journal) load(ctx context.Context, w *watch, r runtimes.Runtime,
	module []byte, o runtimes.Options) (runtimes.Program, error) {
	if w.slot.suspect.Load() != 0 {
		defer j.await(ctx)()
	}
	w.enter()
	defer w.leave()
	return r.Compile(ctx, module, o)
}

// turnTime is how long a suspect waits for others.
const turnTime = time.Second

// await waits for the turn of a suspect, but not for long: others may be slow without having done anything. end must
// be called when the turn is over.
func (j *Journal) await(ctx context.Context) (end func()) {
	late := time.NewTimer(turnTime)
	defer late.Stop()
	select {
	case <-j.turn:
		return func() { j.turn <- struct{}{} }
	case <-late.C:
	case <-ctx.Done():
	}
	return func() {}
}

// program is a program with a journal.
type program struct {
	journal *Journal
	watch   *watch
	inner   runtimes.Program
	closed  atomic.Bool
}

// Run implements runtimes.Program.
func (p *program) Run(ctx context.Context, process *runtimes.Process) error {
	w := p.watch
	if s := w.barred.Load(); s != nil {
		if s.barred(time.Now()) {
			process.Usage = runtimes.Usage{}
			return s.refusal()
		}
		w.barred.Store(nil)
	}
	if w.slot.suspect.Load() != 0 {
		defer p.journal.await(ctx)()
		if err := ctx.Err(); err != nil {
			process.Usage = runtimes.Usage{}
			return err
		}
		defer w.slot.suspect.Store(0) // the process has survived it
	}
	w.enter()
	defer w.leave()
	return p.inner.Run(ctx, process)
}

// Start implements runtimes.Program.
func (p *program) Start() runtimes.Start { return p.inner.Start() }

// Close implements runtimes.Program.
func (p *program) Close(ctx context.Context) error {
	if p.closed.Swap(true) {
		return nil
	}
	p.journal.release(p.watch)
	return p.inner.Close(ctx)
}

// later is a program that is compiled when it is first run.
type later struct {
	runtime runtimes.Runtime
	options runtimes.Options

	compiled atomic.Pointer[runtimes.Program] // nil until it is

	mu     sync.Mutex
	module []byte // until it is compiled
	closed bool
}

// Start implements runtimes.Program. Nothing is known before the first run.
func (l *later) Start() runtimes.Start {
	if p := l.compiled.Load(); p != nil {
		return (*p).Start()
	}
	return runtimes.Start{}
}

// Run implements runtimes.Program.
func (l *later) Run(ctx context.Context, process *runtimes.Process) error {
	p, err := l.get(ctx)
	if err != nil {
		process.Usage = runtimes.Usage{}
		return err
	}
	return p.Run(ctx, process)
}

// get returns the program, compiled.
func (l *later) get(ctx context.Context) (runtimes.Program, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errors.New("the program has been closed")
	}
	if p := l.compiled.Load(); p != nil {
		return *p, nil
	}
	p, err := l.runtime.Compile(ctx, l.module, l.options)
	var refused *runtimes.ModuleError
	if errors.As(err, &refused) {
		return nil, &protocol.Error{Code: protocol.CodeRefused, Msg: refused.Reason, Err: err}
	}
	if err != nil {
		return nil, err
	}
	l.compiled.Store(&p)
	l.module = nil
	return p, nil
}

// Close implements runtimes.Program.
func (l *later) Close(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if p := l.compiled.Load(); p != nil {
		return (*p).Close(ctx)
	}
	return nil
}
