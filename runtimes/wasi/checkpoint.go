package wasi

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/wasi/memory"
)

// A checkpoint is a parked sandbox that goes on again and again. All of a program start with the same
// entropy, which is a secret of the program, and with a clock that runs by the number of looks at
// it. So what they have in memory is the same, and they can share it.

// lookTime is by how much a look at the clock advances it: less than a look takes, so that it is never ahead.
const lookTime = 50 * time.Nanosecond

// checkpoint runs the entry up to the first read of stdin, from where the sandbox then can go on again and again.
// Errors are those of park.
func (s *sandbox) checkpoint(ctx context.Context, p *runtimes.Process) error {
	err := s.park(ctx, s.fix(p), true)
	s.unfix()
	if err != nil {
		return err
	}
	return s.freeze()
}

// fix gives the sandbox a clock and entropy that are the same for all sandboxes of the program. The Process that it
// returns waits and takes turns as p does.
func (s *sandbox) fix(p *runtimes.Process) *runtimes.Process {
	passed := time.Duration(0)
	now := func(zero int64) func() int64 {
		return func() int64 {
			passed += lookTime
			return zero + int64(passed)
		}
	}
	state, g := &s.state, s.program
	state.Walltime, state.Nanotime = now(g.created.UnixNano()), now(int64(g.created.Sub(state.Start)+time.Second))
	state.Entropy = rand.NewChaCha8(g.secret)
	state.Nap = func(d time.Duration) error { passed += d; return nil }
	return &runtimes.Process{Yield: p.Yield, Wait: p.Wait}
}

// unfix gives the sandbox the system's clock and entropy.
func (s *sandbox) unfix() {
	s.state.Walltime, s.state.Nanotime, s.state.Entropy, s.state.Nap = nil, nil, nil, nil
}

// freeze makes what the memory is now that to which it is put back, so that the sandbox can go on from where it is
// parked again and again. All sandboxes of a program share one image if their memories are the same.
func (s *sandbox) freeze() error {
	region, size := s.memory.region, s.memory.size
	image, shared, err := s.program.freeze(region.Bytes(size))
	if err != nil {
		return err
	}
	s.parked.image = image
	if !shared {
		s.parked.own = image.Resident()
	}
	if err := errors.Join(region.Detach(), region.Attach(image)); err != nil {
		s.broken = true
		return err
	}
	if !s.resize(size) { // the engine must know where the memory is now
		s.broken = true
		return errors.New("the memory cannot be put into place")
	}
	return nil
}

// freeze returns an image with some content, and whether it is the shared one. The caller has a reference, to give
// back with melt.
func (g *program) freeze(content []byte) (m *memory.Image, shared bool, err error) {
	g.freezing.Lock()
	defer g.freezing.Unlock()
	if g.shared != nil && g.shared.Equal(content) {
		g.sharing++
		g.shared.Retain()
		return g.shared, true, nil
	}
	if m, err = g.runtime.regions.NewImageOver(g.base, content); err == nil && g.shared == nil {
		g.shared, g.sharing, shared = m, 1, true
	}
	return m, shared, err
}

// melt gives an image back. When no sandbox has the shared one any more, the program does not keep it: a program that
// nobody has needed for that long takes no memory but for its code, and writing the image again takes a small part of
// the time of a start.
func (g *program) melt(m *memory.Image) {
	g.freezing.Lock()
	defer g.freezing.Unlock()
	if m == g.shared {
		if g.sharing--; g.sharing == 0 {
			g.shared = nil
		}
	}
	m.Release()
}
