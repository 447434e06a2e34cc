package recording

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"time"
)

// lookTime is by how much a clock goes on with each look for which nothing is recorded.
const lookTime = 50 * time.Nanosecond

// Replay gives a process what was recorded of another: the same entropy, the same times, and no wait takes any time.
// Entropy and each clock are given in their own order, so that a process of another version, which looks at them in
// another order, is given as much as possible of what was recorded. Where there is nothing left, clocks go on from
// where they were, and entropy comes from a generator whose seed is the recorded entropy: the same for each replay.
// What the process does otherwise than the recorded one is kept. One goroutine at a time uses a Replay.
type Replay struct {
	draws  *Draws
	at     int          // how many draws the process has made
	next   [kinds]int   // where to look for the next draw of a kind
	shown  [kinds]int64 // the last time of a clock
	bytes  int          // how much entropy was given, of what is recorded
	more   io.Reader    // entropy when that is used up; nil as long as it is not
	differ string
}

// NewReplay returns a Replay of draws, which must not change any more.
func NewReplay(d *Draws) *Replay {
	r := &Replay{draws: d}
	r.Begin()
	return r
}

// Begin makes r that of a process that begins now.
func (r *Replay) Begin() {
	*r = Replay{draws: r.draws}
	for _, k := range []Kind{Wall, Monotonic} { // a process that never looked may do so now
		r.shown[k] = int64(time.Second)
	}
	for _, d := range r.draws.list {
		if d.kind == Wall {
			r.shown[Wall] = d.value
			break
		}
	}
}

// note takes down what the process does, and returns the next recorded draw of that kind.
func (r *Replay) note(k Kind) (value int64, ok bool) {
	list := r.draws.list
	switch {
	case r.differ != "":
	case r.at >= len(list):
		r.differ = fmt.Sprintf("it %s once more than the recorded process, after all of its %d draws", k, len(list))
	case list[r.at].kind != k:
		r.differ = fmt.Sprintf("it %s as its draw number %d, where the recorded process %s", k, r.at+1, list[r.at].kind)
	}
	r.at++
	for r.next[k] < len(list) {
		d := list[r.next[k]]
		r.next[k]++
		if d.kind == k {
			return d.value, true
		}
	}
	return 0, false
}

// Random returns a Reader of the n random bytes that the process asks for. It is good until the next one.
func (r *Replay) Random(n int) io.Reader {
	at := r.at
	recorded, ok := r.note(Entropy)
	if ok && recorded != int64(n) && r.differ == "" {
		r.differ = fmt.Sprintf("it asked for %d bytes of entropy as its draw number %d, where the recorded process asked "+
			"for %d", n, at+1, recorded)
	}
	left := r.draws.entropy[min(r.bytes, len(r.draws.entropy)):]
	if n <= len(left) {
		r.bytes += n
		return &exact{b: left[:n]}
	}
	r.bytes += len(left)
	if r.more == nil {
		r.more = rand.NewChaCha8(sha256.Sum256(r.draws.entropy))
	}
	return &exact{b: left, then: r.more}
}

// exact reads b, and then from then.
type exact struct {
	b    []byte
	then io.Reader
}

// Read implements io.Reader.
func (e *exact) Read(b []byte) (int, error) {
	if len(e.b) == 0 {
		if e.then == nil {
			return 0, io.EOF
		}
		return e.then.Read(b)
	}
	n := copy(b, e.b)
	e.b = e.b[n:]
	return n, nil
}

// Time returns what a clock shows, in nanoseconds.
func (r *Replay) Time(k Kind) int64 {
	value, ok := r.note(k)
	if !ok {
		value = r.shown[k] + int64(lookTime)
	}
	r.shown[k] = value
	return value
}

// Wait says that the process is about to wait for a time. It returns false if the recorded process was ended in this
// wait, as this one is to be.
func (r *Replay) Wait(d time.Duration) bool {
	if r.draws.cut && r.at >= len(r.draws.list) && r.differ == "" {
		return false
	}
	at := r.at
	recorded, ok := r.note(Wait)
	if ok && recorded != int64(d) && r.differ == "" {
		r.differ = fmt.Sprintf("it waited for %v as its draw number %d, where the recorded process waited for %v",
			d, at+1, time.Duration(recorded))
	}
	for _, k := range []Kind{Wall, Monotonic} {
		if r.next[k] >= len(r.draws.list) { // nothing recorded comes any more that would show that time has passed
			r.shown[k] = min(r.shown[k], math.MaxInt64/2) + int64(min(d, maxWait))
		}
	}
	return true
}

// maxWait is how much time a wait can let pass on clocks of which nothing is recorded.
const maxWait = 365 * 24 * time.Hour

// Difference says what the process has done first that the recorded one had not, as far as it can be seen in its
// draws. It is empty if there is nothing. It is asked when the process has ended.
func (r *Replay) Difference() string {
	if r.differ == "" && r.at < len(r.draws.list) {
		return fmt.Sprintf("it made %d draws, where the recorded process made %d, and %s next", r.at, len(r.draws.list),
			r.draws.list[r.at].kind)
	}
	return r.differ
}
