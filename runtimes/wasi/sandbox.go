package wasi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/exhausted"
	"github.com/polyvoke/polyvoke/runtimes/module/rewrite"
	"github.com/polyvoke/polyvoke/runtimes/recording"
	"github.com/polyvoke/polyvoke/runtimes/wasi/fuel"
	"github.com/polyvoke/polyvoke/runtimes/wasi/memory"
	"github.com/polyvoke/polyvoke/runtimes/wasi/native"
	"github.com/polyvoke/polyvoke/runtimes/wasi/preview1"
	"github.com/tetratelabs/wazero/api"
)

// putBackNow is up to how many bytes are put back before the caller goes on: some 100 microseconds.
const putBackNow = 1 << 20

// recycled is after how many runs a sandbox ends: whatever might add up over runs does not add up for long.
const recycled = 10_000

// sandbox is where processes run, one after another: a memory, the host's side of it, and an instance of the
// program. One goroutine uses a sandbox at a time.
type sandbox struct {
	host
	program *program

	instance api.Module      // nil: each run makes its own
	start    entry           // without a function until it is called
	run      entry           // the one by way of entered; without a function until it is called
	called   native.Function // the one of them that was called last
	globals  []api.MutableGlobal
	guest    fuel.Guest

	parked  *parking // where it waits, if it does
	runs    int      // that it has served
	checks  uint64   // one more with each run, and not the same for all sandboxes
	owed    bool     // another one is still to be parked in its place
	running bool     // and is not known to have ended
	broken  bool     // the last run has left it in a state that cannot be put back
	stale   bool     // it is still to be put back after the last run
	written uint64   // about how many bytes of its memory the last run wrote, if it is
}

// open returns a sandbox with the program's memory as it is before the entry runs, without an instance.
func (g *program) open() (*sandbox, error) {
	region, err := g.region()
	if err != nil {
		g.runtime.yield() // what others may need later gives way to what is needed now
		if region, err = g.region(); err != nil {
			return nil, exhausted.Of(err)
		}
	}
	s := &sandbox{program: g, checks: g.opened.Add(1)}
	g.rest.began()
	s.host.init(s, g.runtime.start)
	s.memory = g.memory
	s.supply.Limit = g.fuelLimit
	s.state.Mounts = g.mounts
	s.memory.region = region
	return s, nil
}

// region returns a region with the program's memory as it is before the entry runs. The error is the system's if it
// gives none.
func (g *program) region() (*memory.Region, error) {
	region, err := g.runtime.regions.Get(g.memory.most)
	if err != nil {
		return nil, fmt.Errorf("reserving memory for a process: %w", err)
	}
	if err := region.Attach(g.base); err != nil {
		region.Free()
		return nil, fmt.Errorf("preparing memory for a process: %w", err)
	}
	return region, nil
}

// serve runs a process from the beginning of the entry, or from where the sandbox is parked. Its time counts from a
// moment that was looked up before.
func (s *sandbox) serve(ctx context.Context, p *runtimes.Process, since time.Time) error {
	s.running = true
	s.beginDraws(p)
	var run *preview1.Context
	if s.parked != nil {
		run = s.resume(ctx, p, since)
	} else {
		run = s.begin(ctx, p, since)
	}
	err := s.enter(run)
	s.broken = leavesBroken(err)
	late := s.closeFiles()
	p.Usage.Duration = time.Since(since)
	p.Usage.Memory, p.Usage.Fuel = s.memory.size, s.used()
	s.running = false
	if err = s.outcome(ctx, err); err == nil {
		err = late
	}
	if p.Draws != nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
		p.Draws.Cut()
	}
	return err
}

// beginDraws prepares what takes down, or gives, what the process draws of time and entropy.
func (s *sandbox) beginDraws(p *runtimes.Process) {
	if p.Replay != nil {
		p.Replay.Begin()
	}
	if p.Draws == nil {
		return
	}
	var start *recording.Draws
	if s.parked != nil {
		start = &s.parked.draws
	}
	p.Draws.Begin(start, s.program.setup)
}

// enter calls the guest's entry.
func (s *sandbox) enter(ctx *preview1.Context) error {
	made := s.instance == nil || s.runs == 0
	if s.instance == nil {
		if err := s.instantiate(ctx); err != nil {
			return err
		}
	} else {
		s.memory.region.Begin()
		defer s.memory.region.End()
	}
	if made { // how long that took is not the process's doing
		s.sliced = time.Now()
	}
	if s.parked == nil || s.parked.point == nil {
		s.fund()
	}
	e := s.entry()
	s.called = e.native
	return s.call(ctx, e.Function)
}

// call calls a function of the guest. Nothing else does.
func (s *sandbox) call(ctx context.Context, f api.Function) (err error) {
	defer recovered(&err)
	defer s.guest.End()
	return f.CallWithStack(ctx, nil)
}

// entry is an exported function that runs a process.
type entry struct {
	api.Function
	native native.Function
}

// newEntry returns an exported function of the instance.
func (s *sandbox) newEntry(name string) entry {
	f := s.instance.ExportedFunction(name)
	return entry{f, native.Of(f)}
}

// entry returns what runs a process, by way of entered if there is more to call or it goes on from where the sandbox
// is parked. That one stays the same while the sandbox is parked. Each function object has a native stack of its own,
// so there is none that is not called.
func (s *sandbox) entry() *entry {
	e, name := &s.start, "_start"
	if s.parked != nil || s.program.wrapped {
		e, name = &s.run, rewrite.RunName
	}
	if e.Function == nil {
		*e = s.newEntry(name)
	}
	return e
}

// quiet is told that the host is about to end the process.
func (s *sandbox) quiet() { s.called.Quiet() }

// finish gives up what belongs to the last run, and puts the sandbox back. What takes long is left to the call that
// needs the sandbox next, and so is what a sandbox that is parked again need not do. It returns false if it is not
// possible, or not worth it: then the sandbox must be closed.
func (s *sandbox) finish() bool {
	lost := s.running || s.broken
	s.end()
	fresh := s.program.kind == runtimes.StartFresh
	if lost || !fresh && !s.program.reusable || s.runs+1 >= recycled || s.instance != nil && s.instance.IsClosed() {
		return false
	}
	s.runs++
	s.stale = true
	if fresh {
		s.closeInstance()
	}
	if s.parked != nil && s.parked.image == nil {
		s.parked, s.written = nil, s.memory.size      // it goes on once
		return s.run.native.StackSize() <= startStack // or could not be parked again
	}
	n, err := s.memory.region.Written(s.memory.size)
	s.written = n
	return err == nil && (n > putBackNow || s.putBack())
}

// putBack makes the sandbox what it was before its last run. It returns false if that is not possible: then the
// sandbox must be closed.
func (s *sandbox) putBack() bool {
	s.stale = !s.restore() || !s.checked()
	return !s.stale
}

// restore puts back the memory, and the globals unless that is done when the process goes on.
func (s *sandbox) restore() bool {
	if s.memory.region.Restore(s.memory.size) != nil {
		return false
	}
	s.memory.refused = s.parked != nil && s.parked.refused
	if s.instance == nil {
		return true
	}
	if s.parked == nil {
		s.setGlobals(s.program.initial)
	}
	size := s.image().Size()
	return s.memory.size == size || s.resize(size)
}

// replace parks another sandbox in the place of this one, if it was taken from there, when its process takes its time.
// To wake the goroutine that parks, and to share the processor with it, costs a short process as much as its own work.
// So in the place of a short one another is parked when it has ended.
func (s *sandbox) replace() {
	if s.owed {
		s.owed = false
		s.program.parked.Refill(false)
	}
}

// image returns what the memory is put back to.
func (s *sandbox) image() *memory.Image {
	if s.parked != nil {
		return s.parked.image
	}
	return s.program.base
}

// resize gives the memory of the instance another size, or the same one in another place. The engine has no way to
// make a memory smaller, but one to make it larger, and goes on with whatever size comes of it.
func (s *sandbox) resize(size uint64) bool {
	s.memory.exact = size
	_, ok := s.instance.Memory().Grow(1)
	s.memory.exact = 0
	return ok && s.memory.size == size
}

// setGlobals sets all that a process can change besides its memory.
func (s *sandbox) setGlobals(values []uint64) {
	for i, g := range s.globals {
		g.Set(values[i])
	}
}

// getGlobals returns what the globals are.
func (s *sandbox) getGlobals() []uint64 {
	values := make([]uint64, len(s.globals))
	for i, g := range s.globals {
		values[i] = g.Get()
	}
	return values
}

// checked compares the sandbox with what it should be, after one run in verify. It returns false if they differ.
func (s *sandbox) checked() bool {
	if s.checks++; s.checks%s.program.runtime.verify != 0 {
		return true
	}
	err := s.memory.region.Verify(s.memory.size)
	if err == nil && s.parked == nil && s.instance != nil && !slices.Equal(s.getGlobals(), s.program.initial) {
		err = errors.New("a global is not what it was at the beginning")
	}
	if err != nil {
		s.program.distrust(err)
	}
	return err == nil
}

// closeInstance closes the instance, if there is one.
func (s *sandbox) closeInstance() {
	if s.instance != nil {
		_ = s.instance.Close(context.Background()) // the engine has nothing to say here
	}
	s.instance, s.start, s.run, s.called, s.globals, s.guest = nil, entry{}, entry{}, native.Function{}, nil, fuel.Guest{}
}

// Close ends the sandbox.
func (s *sandbox) Close() {
	s.end()
	s.closeInstance()
	if s.parked != nil && s.parked.image != nil {
		s.program.melt(s.parked.image)
	}
	s.program.runtime.regions.Put(s.memory.region, s.memory.region.Capacity())
	s.memory.region = nil
	s.program.rest.ended()
}
