package journal

import (
	"bytes"
	"context"
	"errors"
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
		p.inner = &later{runtime: g.Runtime, watch: w, module: bytes.Clone(module), options: o}
		return p, nil
	}
	inner, err := w.load(ctx, g.Runtime, module, o)
	if err != nil {
		g.journal.release(w)
		return nil, err
	}
	p.inner = inner
	return p, nil
}

// watch is what is known about a module in this process.
type watch struct {
	digest  digest
	slot    *slot
	unseen  bool                    // there was no slot left in the file
	uses    int                     // programs of it; guarded by the journal's mutex
	idle    bool                    // it is in the journal's list of those; guarded by its mutex
	suspect atomic.Bool             // it runs when no other suspect does
	barred  atomic.Pointer[suspect] // why it is refused, or nil
}

// load compiles the module.
func (w *watch) load(ctx context.Context, r runtimes.Runtime, module []byte, o runtimes.Options) (runtimes.Program, error) {
	w.slot.loading.Add(1)
	defer w.slot.loading.Add(-1)
	return r.Compile(ctx, module, o)
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
	if w.suspect.Load() {
		return p.runAlone(ctx, process)
	}
	return p.run(ctx, process)
}

// runAlone runs a suspect when no other does.
func (p *program) runAlone(ctx context.Context, process *runtimes.Process) error {
	select {
	case <-p.journal.turn:
	case <-ctx.Done():
		process.Usage = runtimes.Usage{}
		return ctx.Err()
	}
	defer func() { p.journal.turn <- struct{}{} }()
	defer p.watch.suspect.Store(false) // it has not ended the process
	return p.run(ctx, process)
}

// run runs the program, and says so.
func (p *program) run(ctx context.Context, process *runtimes.Process) error {
	s := p.watch.slot
	s.running.Add(1)
	defer s.end()
	return p.inner.Run(ctx, process)
}

// end says that a call has ended.
func (s *slot) end() {
	if s.worked.Load() == 0 {
		s.worked.Store(1)
	}
	s.running.Add(-1)
}

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
	watch   *watch
	options runtimes.Options

	mu      sync.Mutex
	module  []byte // until it is compiled
	program runtimes.Program
	closed  bool
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
	if l.program != nil {
		return l.program, nil
	}
	p, err := l.watch.load(ctx, l.runtime, l.module, l.options)
	var refused *runtimes.ModuleError
	if errors.As(err, &refused) {
		return nil, &protocol.Error{Code: protocol.CodeRefused, Msg: refused.Reason, Err: err}
	}
	if err == nil {
		l.program, l.module = p, nil
	}
	return p, err
}

// Close implements runtimes.Program.
func (l *later) Close(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.program == nil {
		return nil
	}
	return l.program.Close(ctx)
}
