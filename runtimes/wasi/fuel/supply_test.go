package fuel

import (
	"slices"
	"testing"
	"time"
)

// use is a portion that a process used up.
type use struct {
	perUnit int64 // picoseconds
	need    int64 // what the code asks for then
	want    int64 // the next portion; 0: any
}

// TestSupply checks that portions grow while they take little time, shrink at once when they take long, stay within
// bounds, and are no smaller than what is needed.
func TestSupply(t *testing.T) {
	const quickest, ordinary, slow, slowest = 40, 100, 100_000, 5_000_000
	begins := []use{{want: firstFuel}, {ordinary, 1, 8 * firstFuel}, {ordinary, 1, mostFuel}, {ordinary, 1, mostFuel}}
	goesOn := append(slices.Clone(begins), slices.Repeat([]use{{ordinary, 1, 0}}, 400)...)
	for _, c := range []struct {
		name  string
		large bool
		left  time.Duration // until the end, of which time takes away nothing; 0: there is none
		uses  []use
	}{
		{"ordinary code", false, 0, begins},
		{"ordinary code for long", false, 0, append(slices.Clone(goesOn), use{ordinary, 1, mostFuel})},
		{"ordinary code in much memory", true, 0,
			[]use{{want: firstOfLarge}, {ordinary, 1, 8 * firstOfLarge}, {ordinary, 1, soonOfLarge},
				{ordinary, 1, soonOfLarge}}},
		{"ordinary code for long in much memory",
			true, 0, append(slices.Repeat([]use{{ordinary, 1, 0}}, 400), use{ordinary, 1, mostFuel})},
		{"code that takes its time", false, 0, []use{{want: firstFuel}, {4000, 1, 2 * firstFuel}, {5000, 1, 2 * firstFuel}}},
		{"slow code", false, 0, []use{{want: firstFuel}, {slow, 1, 2500}, {slow, 1, 2500}}},
		{"the slowest code", false, 0, []use{{want: firstFuel}, {slowest, 1, leastFuel}, {slowest, 1, leastFuel}}},
		{"quick code that becomes slow, and quick again",
			false, 0, append(slices.Concat(goesOn, slices.Repeat([]use{{slow, 1, 2500}}, 10)),
				use{quickest, 1, 20_000}, use{quickest, 1, mostFuel}, use{quickest, 1, mostFuel})},
		{"large pieces", false, 0,
			[]use{{need: 50_000, want: 50_000}, {slow, 50_000, 50_000}, {slow, 1, 2500}, {slow, 10 * mostFuel, 10 * mostFuel},
				{1, 1, mostFuel}}},
		{"an end that is far", false, time.Hour, begins},
		{"an end that is near",
			false, 2 * time.Millisecond, []use{{want: firstFuel}, {ordinary, 1, 20_000}, {ordinary, 1, 20_000}}},
		{"an end that is there", false, time.Nanosecond, []use{{want: leastFuel}, {ordinary, 1, leastFuel}}},
		{"an end that has passed", false, -time.Second, []use{{want: leastFuel}, {ordinary, 2000, 2000}}},
	} {
		now := time.Unix(0, 0)
		p := Supply{Large: c.large}
		for i, u := range c.uses {
			p.Go(now, 0)
			now = now.Add(time.Duration(p.portion * u.perUnit / 1000))
			if c.left != 0 {
				p.Until = now.Add(c.left)
			}
			if got := p.next(now, u.need); u.want != 0 && got != u.want {
				t.Errorf("%s: portion %d is %d, want %d", c.name, i, got, u.want)
			}
		}
	}
}

// TestSupplyLimit checks what a process gets that may not use as much as it likes, and what it is said to have used. It
// goes on with 7 units left. One that wants less than nothing has some left.
func TestSupplyLimit(t *testing.T) {
	const left = 7
	for _, c := range []struct {
		limit, first int64 // what it gets at first
		wants, gets  int64 // beyond that
		enough       bool
		used         uint64
	}{
		{0, firstFuel - left, 1, 8 * firstFuel, true, firstFuel + 1},
		{firstFuel + 100, firstFuel - left, 1, 100, true, firstFuel + 1},
		{firstFuel + 100, firstFuel - left, 100, 100, true, firstFuel + 100},
		{firstFuel + 100, firstFuel - left, 101, 100, false, firstFuel + 100},
		{10, 3, 1, 0, false, 10},
		// it took long over half of it
		{0, firstFuel - left, -firstFuel / 2, 8*firstFuel/2 - firstFuel/2, true, firstFuel / 2},
		{firstFuel + 100, firstFuel - left, -firstFuel / 2, 100, true, firstFuel / 2},
	} {
		now, p := time.Unix(0, 0), Supply{Limit: c.limit, Given: left}
		first := p.Fund(now, left)
		p.Go(now, first)
		if gets, enough := p.Refill(now, -c.wants); first != c.first || gets != c.gets || enough != c.enough {
			t.Errorf("limit %d: gets %d and then %d for %d, enough: %t", c.limit, first, gets, c.wants, enough)
		}
		if used := p.Used(-c.wants); used != c.used {
			t.Errorf("limit %d: %d are used", c.limit, used)
		}
	}
}
