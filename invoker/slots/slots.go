// Package slots gives calls the right to use a processor, in turns.
//
// In comes a call that has used up its first slice; out it comes when a processor is free for it.
package slots

import (
	"context"
	"slices"
	"sync"
)

// Slots are the right to use a processor, for as many calls at a time as there are slots. Calls that wait come first; a
// call that has had a slice goes to the end. Any number of goroutines may use them. The zero value has none: see New.
type Slots struct {
	mu      sync.Mutex
	free    int
	waiting []chan struct{} // closed when its owner has a slot
}

// New returns n slots, all of them free.
func New(n int) *Slots { return &Slots{free: n} }

// Acquire waits for a slot. An error is ctx's.
func (s *Slots) Acquire(ctx context.Context) error {
	s.mu.Lock()
	if s.free > 0 { // then nobody waits
		s.free--
		s.mu.Unlock()
		return nil
	}
	return s.wait(ctx)
}

// Turn gives the slot to the call that has waited longest, if any, and then waits for another. An error is ctx's; the
// slot is lost then.
func (s *Slots) Turn(ctx context.Context) error {
	s.mu.Lock()
	if len(s.waiting) == 0 {
		s.mu.Unlock()
		return nil
	}
	s.pass()
	return s.wait(ctx)
}

// Release gives the slot back.
func (s *Slots) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pass()
}

// pass gives a slot to the call that has waited longest, if any. The caller holds the mutex.
func (s *Slots) pass() {
	if len(s.waiting) == 0 {
		s.free++
		return
	}
	close(s.waiting[0])
	s.waiting = slices.Delete(s.waiting, 0, 1)
}

// wait waits at the end of the queue. The caller holds the mutex, which wait unlocks.
func (s *Slots) wait(ctx context.Context) error {
	mine := make(chan struct{})
	s.waiting = append(s.waiting, mine)
	s.mu.Unlock()
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.waiting, mine); i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
	} else {
		s.pass() // it came at the same moment
	}
	return ctx.Err()
}
