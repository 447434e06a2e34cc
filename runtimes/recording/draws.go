package recording

import (
	"fmt"
	"slices"
)

// Kind is what a process was given.
type Kind byte

// The kinds of draws.
const (
	Entropy   Kind = iota // random bytes
	Wall                  // a look at the clock of the day
	Monotonic             // a look at the clock that never goes back
	Wait                  // the end of a wait for a time, which tells the process that this time has passed

	kinds
)

// String says what a process does that draws.
func (k Kind) String() string {
	switch k {
	case Entropy:
		return "asked for entropy"
	case Wall:
		return "looked at the wall clock"
	case Monotonic:
		return "looked at the monotonic clock"
	case Wait:
		return "waited for a time"
	}
	return fmt.Sprintf("did something unknown (%d)", k)
}

// Bounds of what is recorded of one process. One that draws more is not recorded.
const (
	MaxEntropy = 64 << 10 // bytes
	MaxDraws   = 8192     // looks at clocks, waits, and requests for entropy, however long
)

// draw is one thing that a process was given: how many bytes of entropy, the nanoseconds that a clock showed, or
// those that it waited for.
type draw struct {
	kind  Kind
	value int64
}

// Draws is what a process was given that no other process is given: entropy, time, and the end of waits. With its
// arguments, its environment and its stdin it makes up all that the process can depend on, so that a process which is
// given the same draws (see Replay) does the same. The zero value has none. One goroutine at a time uses it.
type Draws struct {
	list    []draw
	entropy []byte // of all draws of that kind, in a row
	lost    string // why it is not whole; empty: it is
	cut     bool   // the process was ended from outside, by its deadline for example
	setup   *Draws // of the initialization that the process began after, or nil
}

// Begin makes d what a process has drawn that begins now: nothing, or, if it was started before, what it has drawn
// since. setup is what was drawn by an initialization that it shares with others. Both may be nil; start is not kept,
// and setup must not change any more.
func (d *Draws) Begin(start, setup *Draws) {
	*d = Draws{list: d.list[:0], entropy: d.entropy[:0], setup: setup}
	if start != nil {
		d.list, d.entropy = append(d.list, start.list...), append(d.entropy, start.entropy...)
		d.lost = start.lost
	}
	if setup != nil && setup.lost != "" {
		d.Lose(setup.lost)
	}
}

// Random takes down random bytes that the process was given.
func (d *Draws) Random(b []byte) {
	switch {
	case d.lost != "":
	case len(b) > MaxEntropy-len(d.entropy):
		d.Lose(fmt.Sprintf("it draws more than %d KiB of entropy", MaxEntropy>>10))
	default:
		if d.add(Entropy, int64(len(b))) {
			d.entropy = append(d.entropy, b...)
		}
	}
}

// Time takes down what the process was told: the time of a clock in nanoseconds, or for how many it has waited.
func (d *Draws) Time(k Kind, nanoseconds int64) {
	if d.lost == "" {
		d.add(k, nanoseconds)
	}
}

// add adds a draw, if there is room.
func (d *Draws) add(k Kind, value int64) bool {
	if len(d.list) == MaxDraws {
		d.Lose(fmt.Sprintf("it looks at clocks, waits and draws entropy more than %d times", MaxDraws))
		return false
	}
	d.list = append(d.list, draw{k, value})
	return true
}

// Lose says that the process has been given something that is not recorded. The first reason counts, and nothing more
// is recorded.
func (d *Draws) Lose(reason string) {
	if d.lost == "" {
		d.lost, d.list, d.entropy = reason, nil, nil
	}
}

// Lost says why the draws are not whole, so that the process cannot be replayed. It is empty if they are.
func (d *Draws) Lost() string { return d.lost }

// Cut says that the process was ended from outside after its last draw. A wait that is not among the draws is then the
// one in which it ended.
func (d *Draws) Cut() { d.cut = true }

// WasCut reports whether the process was ended from outside.
func (d *Draws) WasCut() bool { return d.cut }

// Setup is what was drawn by the initialization that the process began after. It is nil without one.
func (d *Draws) Setup() *Draws { return d.setup }

// Len is how many draws there are, those of the initialization not included.
func (d *Draws) Len() int { return len(d.list) }

// Size is about how much memory the draws take, in bytes.
func (d *Draws) Size() int { return 16*cap(d.list) + cap(d.entropy) }

// Equal reports whether two recordings are the same.
func (d *Draws) Equal(other *Draws) bool {
	if d == nil || other == nil {
		return d == other
	}
	return slices.Equal(d.list, other.list) && slices.Equal(d.entropy, other.entropy) && d.lost == other.lost &&
		d.cut == other.cut && d.setup.Equal(other.setup)
}
