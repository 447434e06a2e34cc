package preview1

import (
	"encoding/binary"
	"math"
	"time"
)

const (
	subscriptionSize = 48
	eventSize        = 32
	absolute         = 1 // the flag of a clock subscription
	hangup           = 1 // the flag of an event
)

// The types of events.
const (
	eventClock = iota
	eventRead
	eventWrite
)

// survey is what a list of subscriptions comes to.
type survey struct {
	ready bool          // one is fulfilled as it is
	stdin bool          // one waits for stdin
	timed bool          // one waits for a clock
	after time.Duration // until the first clock
	now   [2]int64      // the clocks that matter for it, when this was found out
}

// pollOneoff implements poll_oneoff. A file is always ready, and so are stdout and stderr; stdin is when its Reader is.
func pollOneoff(s *State, m memory, p []uint64) errno {
	n := uint64(uint32(p[2]))
	if n == 0 {
		return einval
	}
	in, ok := m.bytes(p[0], n*subscriptionSize)
	out, oko := m.bytes(p[1], n*eventSize)
	if _, okn := m.bytes(p[3], 4); !ok || !oko || !okn {
		return efault
	}
	s.work(len(in))
	v, e := s.survey(in)
	if e != 0 {
		return e
	}
	passed := s.fulfil(v)
	return m.putU32(p[3], s.putEvents(in, out, v, passed))
}

// pollReadsStdin reports whether a call of poll_oneoff asks for stdin.
func pollReadsStdin(s *State, m memory, p []uint64) bool {
	in, _ := m.bytes(p[0], uint64(uint32(p[2]))*subscriptionSize)
	for i := 0; len(in) > 0; i++ {
		s.liveAt(i)
		if d := s.table.get(uint64(u32(in[16:]))); in[8] == eventRead && d != nil && d.kind == stdin {
			return true
		}
		in = in[subscriptionSize:]
	}
	return false
}

// survey looks at all subscriptions once.
func (s *State) survey(in []byte) (v survey, e errno) {
	v.after = math.MaxInt64
	for i := 0; len(in) > 0; i++ {
		s.liveAt(i)
		switch in[8] {
		case eventClock:
			s.lookFor(&v, in)
			d, ok := v.until(in)
			if !ok {
				return v, einval
			}
			v.timed, v.after = true, min(v.after, d)
		case eventRead, eventWrite:
			d := s.table.get(uint64(u32(in[16:])))
			if in[8] == eventRead && d != nil && d.kind == stdin {
				v.stdin = true
			} else {
				v.ready = true
			}
		default:
			return v, einval
		}
		in = in[subscriptionSize:]
	}
	return v, 0
}

// lookFor looks at the clock of a subscription, if it is for a moment of that clock. All are for the same present.
func (s *State) lookFor(v *survey, in []byte) {
	clock := u32(in[16:])
	if binary.LittleEndian.Uint16(in[40:]) != absolute || clock > monotonic {
		return
	}
	s.seen.Clock = true
	if v.now[clock] == 0 {
		v.now[clock], _ = s.look(clock)
	}
}

// until returns how long a subscription of a clock waits, if it is valid.
func (v *survey) until(in []byte) (time.Duration, bool) {
	clock, at, flags := u32(in[16:]), u64(in[24:]), binary.LittleEndian.Uint16(in[40:])
	switch {
	case flags == absolute && clock <= monotonic:
		now := uint64(max(v.now[clock], 0))
		at -= min(at, now)
	case flags != 0: // the time that passes is the same on all clocks
		return 0, false
	}
	return time.Duration(min(at, math.MaxInt64)), true
}

// fulfil waits until a subscription is fulfilled, and returns how much time has passed for that.
func (s *State) fulfil(v survey) time.Duration {
	switch {
	case v.ready || v.stdin && s.stdin.ready() || v.timed && v.after == 0:
		s.Live()
		return 0
	case !v.stdin:
		s.sleep(v.after)
	case !s.stdin.await(v.timed, v.after): // there is something to read
		return 0
	}
	return v.after
}

// putEvents writes an event for each subscription that is fulfilled, and returns how many these are.
func (s *State) putEvents(in, out []byte, v survey, passed time.Duration) uint32 {
	events := uint32(0)
	for i := 0; len(in) > 0; i++ {
		s.liveAt(i)
		if s.putEvent(in, out, v, passed) {
			out = out[eventSize:]
			events++
		}
		in = in[subscriptionSize:]
	}
	for len(out) > 0 {
		s.Live()
		n := min(len(out), piece)
		clear(out[:n])
		out = out[n:]
	}
	return events
}

// putEvent writes the event for the first subscription, if that is fulfilled.
func (s *State) putEvent(in, out []byte, v survey, passed time.Duration) bool {
	user, kind := u64(in), in[8]
	var e errno
	var available int
	var flags byte
	d := s.table.get(uint64(u32(in[16:])))
	switch {
	case kind == eventClock:
		if after, _ := v.until(in); after > passed {
			return false
		}
	case d == nil:
		e = ebadf
	case kind == eventRead && d.kind == stdin:
		if !s.stdin.ready() {
			return false
		}
		available = s.stdin.available()
		if s.stdin.ended {
			flags = hangup
		}
	}
	clear(out[:eventSize])
	binary.LittleEndian.PutUint64(out, user)
	binary.LittleEndian.PutUint16(out[8:], uint16(e))
	out[10] = kind
	binary.LittleEndian.PutUint64(out[16:], uint64(available))
	out[24] = flags
	return true
}
