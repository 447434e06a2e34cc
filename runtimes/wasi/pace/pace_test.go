package pace

import (
	"testing"
	"time"
)

// TestPace checks that portions grow while they take little time, shrink at once when they take long, and stay within bounds.
func TestPace(t *testing.T) {
	now := time.Unix(0, 0)
	var p Pace
	use := func(perUnit float64) int64 { // uses the last portion up
		p.Go(now)
		now = now.Add(time.Duration(float64(p.portion) * perUnit))
		return p.Next(now)
	}
	if got := use(1); got != firstFuel {
		t.Errorf("the first portion is %d", got)
	}
	for range 20 {
		use(0.05)
	}
	if p.portion != mostFuel {
		t.Errorf("of ordinary code, a portion is %d", p.portion)
	}
	if got := time.Duration(use(50)) * 50; got > portionTime {
		t.Errorf("of slow code, the second portion takes %v", got)
	}
	if got := use(1e6); got != leastFuel {
		t.Errorf("of the slowest code, a portion is %d", got)
	}
	if got := use(portionTime.Seconds() * 1e9 / leastFuel * 0.75); got != leastFuel {
		t.Errorf("of code that takes its time, the next portion is %d", got)
	}
}
