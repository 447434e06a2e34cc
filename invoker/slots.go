package invoker

import (
	"context"
	"slices"
	"sync"
)

// slots are the right to use a processor, for calls that have used up their first slice. Who waits
// comes first; who has had a slice goes to the end.
type slots struct {
	mu      sync.Mutex
	free    int
	waiting []chan struct{} // closed when its owner has a slot
}

// acquire waits for a slot. An error is ctx's.
func (s *slots) acquire(ctx context.Context) error {
	s.mu.Lock()
	if s.free > 0 { // then nobody waits
		s.free--
		s.mu.Unlock()
		return nil
	}
	return s.wait(ctx)
}

// turn gives the slot to who has waited longest, and waits for another, if anybody waits. An error
// is ctx's; the slot is lost then.
func (s *slots) turn(ctx context.Context) error {
	s.mu.Lock()
	if len(s.waiting) == 0 {
		s.mu.Unlock()
		return nil
	}
	s.pass()
	return s.wait(ctx)
}

// release gives the slot back.
func (s *slots) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pass()
}

// pass gives a slot to who has waited longest, if anybody waits. The caller holds the mutex.
func (s *slots) pass() {
	if len(s.waiting) == 0 {
		s.free++
		return
	}
	close(s.waiting[0])
	s.waiting = slices.Delete(s.waiting, 0, 1)
}

// wait waits at the end of the queue. The caller holds the mutex, which wait unlocks.
func (s *slots) wait(ctx context.Context) error {
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
