package wasi

import (
	"context"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/wasi/idle"
)

// overhead is about what a sandbox takes besides its memory and its native stack, in bytes.
const overhead = 32 << 10

var _ idle.Item = (*sandbox)(nil)

// Cost implements idle.Item.
func (s *sandbox) Cost() int64 {
	cost := int64(overhead + s.start.native.StackSize())
	if s.parked == nil {
		cost += int64(s.run.native.StackSize())
	} else {
		cost += int64(s.parked.stack() + s.parked.draws.Size())
		if s.parked.again {
			cost += int64(s.parked.own)
		}
	}
	switch {
	case s.stale:
		return cost + int64(s.written)
	case s.parked != nil && s.parked.image == nil:
		return cost + int64(s.memory.size) // nothing says how much of it was written
	}
	return cost + int64(s.memory.region.Private())
}

// Shed implements idle.Item. The memory that the sandbox does not share with others goes back to the system, if that
// is possible, and so do the native stack that calls have made grow.
func (s *sandbox) Shed() bool {
	if s.parked != nil && s.parked.image == nil {
		return true
	}
	if s.stale && !s.putBack() || s.memory.region.Shed() != nil {
		return false
	}
	if s.parked != nil {
		return s.shrink()
	}
	s.start, s.run = entry{}, entry{} // the next run makes new ones, with small stacks
	return true
}

// newParked returns a sandbox that is parked for one run, before it is needed. ctx is that of the pool.
func (g *program) newParked(ctx context.Context) (*sandbox, error) {
	select {
	case g.runtime.starts <- struct{}{}:
		defer func() { <-g.runtime.starts }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, g.runtime.startTime)
	defer cancel()
	s, err := g.openClean(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.park(ctx, &runtimes.Process{}, false); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}
