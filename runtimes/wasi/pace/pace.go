// Package pace decides how much fuel a process gets at a time.
//
// In goes when a portion was used up; out comes the next one.
package pace

import "time"

// Portions of fuel are small at first and grow while they are quickly used up: a unit of code that the cache has no
// data for, or whose memory the system has still to provide, takes a hundred times as long as another. A process cannot
// tell how large they are, and uses as much fuel in the end.
const (
	// mostFuel is a portion of ordinary code, which takes 10 to 100 microseconds.
	mostFuel = 1_000_000
	// firstFuel is enough for a small function to the end.
	firstFuel = 1 << 14
	// leastFuel is a portion of the slowest code. The host is asked for it in a tenth of the time that it takes.
	leastFuel = 1 << 12
	// portionTime is how long a portion should take at most.
	portionTime = 250 * time.Microsecond
)

// Pace is that of one process, whose zero value has given nothing yet. One goroutine uses it at a time.
type Pace struct {
	portion int64     // the last one; 0: none yet
	since   time.Time // it was given
}

// Go says that the process goes on at a moment, with the portion that it was given.
func (p *Pace) Go(at time.Time) { p.since = at }

// Next returns the next portion in units of fuel, now that the last one has been used up.
func (p *Pace) Next(now time.Time) int64 {
	took := now.Sub(p.since)
	switch {
	case p.portion == 0:
		p.portion = firstFuel
	case took > portionTime:
		p.portion = max(leastFuel, int64(float64(p.portion)*float64(portionTime)/float64(took)))
	case took < portionTime/2:
		p.portion = min(mostFuel, 2*p.portion)
	}
	return p.portion
}
