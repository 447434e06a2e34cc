package fuel

import "time"

// Portions of fuel are small at first and grow while they are quickly used up: a unit of code that the cache has no
// data for, or whose memory the system has still to provide, takes a hundred to a thousand times as long as another,
// and nobody knows in advance which of them comes next. A process cannot tell how large they are, and uses as much
// fuel in the end.
const (
	// mostFuel is a portion of quick code. It takes 10 to 40 microseconds, and bounds what comes of a process that is
	// quick for a moment and then goes where the cache has nothing: some 10 milliseconds, or 25 where nothing else is
	// quick either.
	mostFuel = 1 << 17
	// soonOfLarge is that of a process with much memory, until it has been quick for soon. In between, portions are
	// in proportion.
	soonOfLarge = mostFuel / 4
	soon        = time.Millisecond
	// firstFuel is enough for a small function to the end. One that has much memory may touch a new page with every
	// few units, and gets firstOfLarge: that is some hundred pages.
	firstFuel    = 1 << 14
	firstOfLarge = 1 << 12
	// leastFuel is a portion of the slowest code. The host is asked for it in a tenth of the time that it takes.
	leastFuel = 1 << 9
	// portionTime is how long a portion should take at most.
	portionTime = 250 * time.Microsecond
	// slowUnit is what a unit is taken to cost when the end of the process is near, so that it is not late, whatever
	// it does.
	slowUnit = 100 * time.Nanosecond
)

// Supply decides how much fuel one process gets at a time. The zero value has given nothing yet. One goroutine uses it
// at a time.
type Supply struct {
	// Until is when the process is to end. The zero Time means never.
	Until time.Time
	// Large says that it has more memory than a first portion should touch, 2 MiB or so.
	Large bool
	// Limit is how much fuel it may use. 0 means as much as it likes.
	Limit int64
	// Given is how much it was given so far.
	Given int64

	portion int64         // the last one; 0: none yet
	since   time.Time     // it was given
	quick   time.Duration // that quick portions have taken, up to soon; half of it for each that did not
}

// Go says that the process goes on at a moment, with more fuel.
func (s *Supply) Go(at time.Time, more int64) {
	s.since = at
	s.Given += more
}

// Fund returns what a process gets for a first portion to be left, no more and no less, when left is. A short process
// need never ask for fuel, and one that goes on from where it was parked may be slower from there on.
func (s *Supply) Fund(now time.Time, left int64) (more int64) {
	more = s.next(now, 0) - left
	if s.Limit > 0 {
		more = min(more, s.Limit-s.Given)
	}
	return more
}

// Refill returns what a process gets when left is. That is below zero if it has used up its portion; if not, it has
// taken long over it, and can get less than nothing. Refill returns false if that is not enough to go on, but all
// there is.
func (s *Supply) Refill(now time.Time, left int64) (more int64, enough bool) {
	rest := max(left, 0)
	s.portion = max(s.portion-rest, 1) // that it took so long over
	more, enough = s.next(now, -left)-rest, true
	if s.Limit > 0 {
		all := s.Limit - s.Given
		enough = more < all || left+all >= 0
		more = min(more, all)
	}
	return more, enough
}

// Used returns how much of what it was given the process has used, when left is: that may be below zero. What it
// asked for beyond its limit was not done.
func (s *Supply) Used(left int64) uint64 {
	used := uint64(s.Given - left)
	if s.Limit > 0 {
		used = min(used, uint64(s.Limit))
	}
	return used
}

// next returns the next portion in units of fuel, now that the last one has been used up. It is no smaller than need,
// which the code asks for at once: given less, it would only ask again, and that would look like a portion that was
// quickly used up.
func (s *Supply) next(now time.Time, need int64) int64 {
	if s.portion == 0 {
		s.portion = firstFuel
		if s.Large {
			s.portion = firstOfLarge
		}
	} else {
		s.adapt(now.Sub(s.since))
	}
	if !s.Until.IsZero() {
		s.portion = min(s.portion, max(leastFuel, int64(s.Until.Sub(now)/slowUnit)))
	}
	s.portion = max(s.portion, need)
	return s.portion
}

// adapt makes the portion what it should be after the last one took a time.
func (s *Supply) adapt(took time.Duration) {
	switch {
	case took > portionTime:
		s.portion = max(leastFuel, int64(float64(s.portion)*float64(portionTime)/float64(took)))
	case took < portionTime/8:
		s.portion *= 8
	case took < portionTime/2:
		s.portion *= 2
	}
	if took < portionTime/2 {
		s.quick = min(s.quick+took, soon)
	} else {
		s.quick /= 2
	}
	s.portion = min(s.portion, mostFuel)
	if s.Large {
		s.portion = min(s.portion, max(soonOfLarge, int64(s.quick*mostFuel/soon)))
	}
}
