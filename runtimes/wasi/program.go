package wasi

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/deadline"
	"github.com/polyvoke/polyvoke/runtimes/exhausted"
	"github.com/polyvoke/polyvoke/runtimes/wasi/idle"
	"github.com/polyvoke/polyvoke/runtimes/wasi/memory"
	"github.com/polyvoke/polyvoke/runtimes/wasi/preview1"
	"github.com/tetratelabs/wazero"
)

// program is a compiled module with limits and choices for its processes.
type program struct {
	*code
	memory    linear   // of a sandbox, but for its region
	initial   []uint64 // values of the globals before the entry runs; nil for StartFresh
	fuelLimit int64    // of every run; 0: none
	mounts    []preview1.Mount
	args      []string // with which processes are started before they are asked for
	env       []string
	varies    bool // env differs from process to process
	renews    bool // processes renew what they have drawn of time and entropy
	created   time.Time
	secret    [32]byte // seeds the entropy up to a checkpoint

	// These are set by choose, before the first run.
	kind      string
	why       string
	reusable  bool          // sandboxes can be put back
	seen      preview1.Seen // by a process before it reads stdin
	startFuel uint64        // that it uses until then

	freezing sync.Mutex
	shared   *memory.Image // what most parked memories are put back to; nil without one; guarded by freezing
	sharing  int           // how many sandboxes have it; guarded by freezing

	clean  *idle.Pool[*sandbox] // before the entry runs
	parked *idle.Pool[*sandbox] // where stdin is read first
	opened atomic.Uint64        // sandboxes
	doubt  atomic.Bool          // one was not put back: each process gets a new one
	closed atomic.Bool
}

var (
	_ runtimes.Program = (*program)(nil)
	_ runtimes.Deriver = (*program)(nil)
	_ runtimes.Caller  = (*program)(nil)
)

// newModuleConfig returns the configuration of instances. Several cannot have the same name, but all can have
// none. The entry is called by Run. Nobody asks the engine for entropy or the time, but without
// these it makes sources for each instance.
func newModuleConfig() wazero.ModuleConfig {
	return wazero.NewModuleConfig().WithName("").WithStartFunctions().
		WithRandSource(rand.Reader).WithSysWalltime().WithSysNanotime()
}

// Close implements runtimes.Program.
func (g *program) Close(context.Context) error {
	if g.closed.Swap(true) {
		return nil
	}
	g.runtime.forget(g)
	g.parked.Close() // first: what is being parked comes from the other pool
	g.clean.Close()
	return g.code.release()
}

// Run implements runtimes.Program.
func (g *program) Run(ctx context.Context, p *runtimes.Process) error {
	p.Usage = runtimes.Usage{Start: g.kind}
	if g.closed.Load() || g.runtime.closed.Load() {
		return errClosed
	}
	now := p.Begin
	if now.IsZero() {
		now = time.Now()
	}
	if err := deadline.ErrAt(ctx, now); err != nil {
		return err
	}
	if err := checkStrings(p); err != nil {
		return err
	}
	if err := g.checkMounts(p); err != nil {
		return err
	}
	s, err := g.take(ctx, p)
	if err != nil {
		return exhausted.Of(err)
	}
	defer g.giveBack(s) // also if a Writer ends the goroutine
	return s.serve(ctx, p, now)
}

// Start implements runtimes.Program.
func (g *program) Start() runtimes.Start {
	if g.doubt.Load() {
		return runtimes.Start{Kind: runtimes.StartFresh, Reason: "a sandbox was not put back to its beginning"}
	}
	return runtimes.Start{Kind: g.kind, Reason: g.why}
}

// Called implements runtimes.Caller.
func (g *program) Called() []bool { return g.coverage.called() }

// take returns a sandbox for a run, and notes how the process comes to be.
func (g *program) take(ctx context.Context, p *runtimes.Process) (*sandbox, error) {
	if p.Replay != nil {
		p.Usage.Start = runtimes.StartFresh
		return g.openKept(ctx)
	}
	if g.kind == runtimes.StartPrefork || g.kind == runtimes.StartCheckpoint {
		if s, err := g.takeParked(ctx, p); s != nil || err != nil {
			return s, err
		}
	}
	s := takeFrom(g.clean)
	if s != nil && g.doubt.Load() {
		s.Close()
		s = nil
	}
	p.Usage.Start = runtimes.StartFresh
	switch {
	case g.kind == runtimes.StartFresh && s != nil:
		return s, nil
	case g.kind == runtimes.StartFresh, g.doubt.Load():
		return g.open()
	case s == nil:
		return g.openKept(ctx)
	}
	p.Usage.Start = runtimes.StartReset
	return s, nil
}

// takeParked returns a parked sandbox that can go on as p. It is nil if there is none and none is
// to be waited for.
func (g *program) takeParked(ctx context.Context, p *runtimes.Process) (*sandbox, error) {
	if g.doubt.Load() || !g.suits(p) {
		return nil, nil
	}
	s := takeFrom(g.parked)
	switch {
	case g.kind == runtimes.StartPrefork:
		if s == nil {
			g.parked.Refill(true)
			break
		}
		s.owed = true
	case s == nil:
		var err error
		if s, err = g.newCheckpoint(ctx, p); err != nil {
			return nil, err
		}
	}
	if s != nil {
		p.Usage.Start = g.kind
	}
	return s, nil
}

// suits reports whether a process that was started with the program's arguments and environment can go on as p.
func (g *program) suits(p *runtimes.Process) bool {
	return (!g.seen.Args || slices.Equal(g.args, p.Args)) && (!g.seen.Env || slices.Equal(g.env, p.Env))
}

// newCheckpoint returns a sandbox that is parked for many runs. It is nil if the program did not get so far.
func (g *program) newCheckpoint(ctx context.Context, p *runtimes.Process) (*sandbox, error) {
	s, err := g.openClean(ctx) // it can be the one in which the start was tried
	if err != nil {
		return nil, err
	}
	made := false
	defer func() { // also if Yield or Wait ends the goroutine
		if !made {
			s.Close()
		}
	}()
	if err = s.checkpoint(ctx, p); err == nil {
		made = true
		return s, nil
	}
	var u *unparkable
	if errors.As(err, &u) {
		return nil, nil
	}
	return nil, err
}

// giveBack takes a sandbox back after a run. Another one is parked in its place when it is there: it may serve for
// that.
func (g *program) giveBack(s *sandbox) {
	owed := s.owed
	s.owed = false
	g.keep(s)
	if owed {
		g.parked.Refill(false)
	}
}

// keep keeps a sandbox after a run, or closes it. Nobody else may use it any more.
func (g *program) keep(s *sandbox) {
	g.coverage.read(s.instance)
	if g.doubt.Load() || !s.finish() {
		s.Close()
		return
	}
	if s.parked != nil {
		g.parked.Put(s)
	} else {
		g.clean.Put(s)
	}
}

// takeFrom returns a sandbox out of a pool that is as before a run, or nil.
func takeFrom(p *idle.Pool[*sandbox]) *sandbox {
	for {
		s, ok := p.Take()
		if !ok {
			return nil
		}
		if !s.stale || s.putBack() {
			return s
		}
		s.Close()
	}
}

// openClean returns a sandbox that is as before its entry runs, and opens one if there is none.
func (g *program) openClean(until context.Context) (*sandbox, error) {
	if s := takeFrom(g.clean); s != nil {
		return s, nil
	}
	return g.openKept(until)
}

// distrust gives each process a new sandbox from now on.
func (g *program) distrust(err error) {
	if !g.doubt.Swap(true) {
		g.runtime.log.Error("a sandbox was not put back: each process gets a new one from now on", "error", err)
	}
}
