package preview1

import (
	"time"

	"github.com/polyvoke/polyvoke/runtimes/recording"
)

// The clocks.
const (
	realtime  = 0
	monotonic = 1
)

// clockResGet implements clock_res_get.
func clockResGet(_ *State, m memory, p []uint64) errno {
	switch uint32(p[0]) {
	case realtime:
		return m.putU64(p[1], uint64(time.Microsecond))
	case monotonic:
		return m.putU64(p[1], uint64(time.Nanosecond))
	}
	return einval
}

// clockTimeGet implements clock_time_get. The precision p[1] is ignored.
func clockTimeGet(s *State, m memory, p []uint64) errno {
	s.seen.Clock = true
	now, ok := s.look(uint32(p[0]))
	if !ok {
		return einval
	}
	return m.putU64(p[2], uint64(now))
}

// look is what the guest sees when it looks at a clock, if there is such a clock.
func (s *State) look(clock uint32) (int64, bool) {
	kind := recording.Wall
	if clock == monotonic {
		kind = recording.Monotonic
	}
	if s.Replay != nil && clock <= monotonic {
		return s.Replay.Time(kind), true
	}
	now, ok := s.now(clock)
	if ok && s.Draws != nil {
		s.Draws.Time(kind, now)
	}
	return now, ok
}

// Monotonic returns what the guest would read off its monotonic clock, in nanoseconds.
func (s *State) Monotonic() int64 {
	now, _ := s.now(monotonic)
	return now
}

// Freeze makes the monotonic clock of a run that goes on show what it showed when it was last looked at, as if no time
// had passed since.
func (s *State) Freeze(at time.Time, showed int64) {
	s.Stood = max(0, at.Sub(s.Start)+time.Second-time.Duration(showed))
}

// now reads a clock, if there is such a clock.
func (s *State) now(clock uint32) (int64, bool) {
	switch clock {
	case realtime:
		if s.Walltime != nil {
			return s.Walltime(), true
		}
		return time.Now().UnixNano(), true
	case monotonic:
		if s.Nanotime != nil {
			return s.Nanotime(), true
		}
		return int64(time.Since(s.Start) + time.Second - s.Stood), true // a guest in Go takes 0 for a broken clock
	}
	return 0, false
}
