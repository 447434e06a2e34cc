package tiered

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/deadline"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// errClosed is what Run returns after Close.
var errClosed = errors.New("the runtime or the program has been closed")

// program is a module that is there in part, and then as a whole.
type program struct {
	stop   context.CancelFunc // ends the compilation of the whole; nil if there was no draft
	served atomic.Bool        // a run of the whole has ended
	wanted chan struct{}      // closed when a process needs the whole
	want   sync.Once          // closes it
	ready  chan struct{}      // closed when whole or err is set
	whole  runtimes.Program
	err    error // why there will be no whole

	mu     sync.Mutex
	draft  runtimes.Program // nil: there is none, or none any more
	runs   int              // of the draft
	closed bool
}

var (
	_ runtimes.Program = (*program)(nil)
)

// complete sets the whole, or why there is none.
func (g *program) complete(whole runtimes.Program, err error) {
	g.whole, g.err = whole, err
	close(g.ready)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.drop()
}

// drop closes the draft if nothing needs it any more. The caller holds the mutex.
func (g *program) drop() {
	if g.draft != nil && g.runs == 0 && (g.closed || g.isWhole()) {
		_ = g.draft.Close(context.Background()) // nothing of it runs; there is nobody to tell
		g.draft = nil
	}
}

// isWhole reports whether the whole is there.
func (g *program) isWhole() bool {
	select {
	case <-g.ready:
		return g.err == nil
	default:
		return false
	}
}

// isWanted reports whether a process needs the whole.
func (g *program) isWanted() bool {
	select {
	case <-g.wanted:
		return true
	default:
		return false
	}
}

// Close implements runtimes.Program.
func (g *program) Close(ctx context.Context) error {
	g.mu.Lock()
	again := g.closed
	g.closed = true
	g.drop()
	g.mu.Unlock()
	if again {
		return nil
	}
	if g.stop != nil {
		g.stop()
	}
	<-g.ready
	if g.err == nil {
		return g.whole.Close(ctx)
	}
	return nil
}

// Start implements runtimes.Program.
func (g *program) Start() runtimes.Start {
	draft := g.borrow()
	if draft == nil {
		return g.whole.Start()
	}
	defer g.giveBack()
	s := draft.Start()
	s.Reason += "; the functions that calls have used before are compiled, the others are being compiled"
	return s
}

// called returns which functions calls of the whole have used, or nil if that is not known.
func (g *program) called() []bool {
	if !g.isWhole() || !g.served.Load() {
		return nil
	}
	if c, ok := g.whole.(runtimes.Caller); ok {
		return c.Called()
	}
	return nil
}

// borrow returns the draft for a run, after which it must be given back. It is nil if the whole is there.
func (g *program) borrow() runtimes.Program {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.draft == nil || g.closed || g.isWhole() {
		return nil
	}
	g.runs++
	return g.draft
}

// giveBack ends a run of the draft.
func (g *program) giveBack() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.runs--
	g.drop()
}

// Run implements runtimes.Program.
func (g *program) Run(ctx context.Context, p *runtimes.Process) error {
	if g.isWhole() {
		return g.run(ctx, p)
	}
	draft := g.borrow()
	if draft == nil {
		return g.runWhole(ctx, p)
	}
	if writes(p) { // which cannot be made as if it had not been
		g.giveBack()
		if err := g.await(ctx, p); err != nil {
			return err
		}
		return g.runWhole(ctx, p)
	}
	t := newTrial(p)
	err := g.try(ctx, draft, &t.process)
	p.Usage = t.process.Usage
	if !inVain(err) {
		return t.finish(p, err)
	}
	if err := g.await(ctx, p); err != nil {
		return err
	}
	again := t.again(p)
	err = g.runWhole(ctx, again)
	p.Usage = again.Usage
	return err
}

// writes reports whether a process may leave more behind than its output.
func writes(p *runtimes.Process) bool {
	writable := func(m runtimes.Mount) bool { return !files.IsReadOnly(m.Tree) }
	return !files.IsReadOnly(p.Files) || slices.ContainsFunc(p.Mounts, writable)
}

// try runs a process in the draft.
func (g *program) try(ctx context.Context, draft runtimes.Program, p *runtimes.Process) error {
	defer g.giveBack() // also if a Wait or Yield ends the goroutine
	return draft.Run(ctx, p)
}

// runWhole runs a process in the whole, if there is one.
func (g *program) runWhole(ctx context.Context, p *runtimes.Process) error {
	if !g.isWhole() {
		p.Usage = runtimes.Usage{}
		if g.isClosed() {
			return errClosed
		}
		return g.err
	}
	return g.run(ctx, p)
}

// run runs a process in the whole.
func (g *program) run(ctx context.Context, p *runtimes.Process) error {
	defer g.served.Store(true)
	return g.whole.Run(ctx, p)
}

// isClosed reports whether Close was called.
func (g *program) isClosed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

// await waits until the whole is there, or will never be. Meanwhile the process needs no processor. The error is that
// of the context, or of Process.Wait.
func (g *program) await(ctx context.Context, p *runtimes.Process) error {
	g.want.Do(func() { close(g.wanted) })
	if p.Wait == nil {
		return deadline.Await(ctx, g.ready)
	}
	return p.Wait(ctx, g.ready)
}
