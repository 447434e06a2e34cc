package pace

import (
	"testing"
	"time"
)

// use is a portion that a process used up.
type use struct {
	perUnit int64 // picoseconds
	need    int64 // what the code asks for then
	want    int64 // the next portion; 0: any
}

// TestPace checks that portions grow while they take little time, shrink at once when they take long, stay within bounds, and are no smaller
// than what is needed.
func TestPace(t *testing.T) {
	const ordinary, slow, slowest = 350, 100_000, 5_000_000
	for _, c := range []struct {
		name string
		left time.Duration // until the end, of which time takes away nothing; 0: there is none
		uses []use
	}{
		{"ordinary code", 0, []use{{want: firstFuel}, {ordinary, 1, 8 * firstFuel}, {ordinary, 1, mostFuel}, {ordinary, 1, mostFuel}}},
		{"code that takes its time", 0, []use{{want: firstFuel}, {10_000, 1, 2 * firstFuel}, {20_000, 1, 2 * firstFuel}}},
		{"slow code", 0, []use{{want: firstFuel}, {slow, 1, 2500}, {slow, 1, 2500}}},
		{"the slowest code", 0, []use{{want: firstFuel}, {slowest, 1, leastFuel}, {slowest, 1, leastFuel}}},
		{"quick code that becomes slow, and quick again", 0, []use{{want: firstFuel}, {ordinary, 1, 0}, {ordinary, 1, mostFuel}, {slow, 1, 2500}, {ordinary, 1, 20_000}}},
		{"large pieces", 0, []use{{need: 50_000, want: 50_000}, {slow, 50_000, 50_000}, {slow, 1, 2500}, {slow, 10 * mostFuel, 10 * mostFuel}, {1, 1, mostFuel}}},
		{"an end that is far", time.Hour, []use{{want: firstFuel}, {ordinary, 1, 0}, {ordinary, 1, mostFuel}}},
		{"an end that is near", 2 * time.Millisecond, []use{{want: firstFuel}, {ordinary, 1, 10_000}, {ordinary, 1, 10_000}}},
		{"an end that is there", time.Nanosecond, []use{{want: leastFuel}, {ordinary, 1, leastFuel}}},
		{"an end that has passed", -time.Second, []use{{want: leastFuel}, {ordinary, 2000, 2000}}},
	} {
		now := time.Unix(0, 0)
		var p Pace
		for i, u := range c.uses {
			p.Go(now)
			now = now.Add(time.Duration(p.portion * u.perUnit / 1000))
			if c.left != 0 {
				p.Until = now.Add(c.left)
			}
			if got := p.Next(now, u.need); u.want != 0 && got != u.want {
				t.Errorf("%s: portion %d is %d, want %d", c.name, i, got, u.want)
			}
		}
	}
}
