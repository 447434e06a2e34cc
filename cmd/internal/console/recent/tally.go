package recent

import (
	"cmp"
	"maps"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polyvoke/polyvoke/invoker/stats"
)

// buckets is the number of buckets of durations: two for each power of two of microseconds, up to nine minutes.
const buckets = 58

// tally counts what became of the calls of a function.
type tally struct {
	took [buckets]atomic.Int64

	mu    sync.Mutex
	codes map[int]*Count
}

// Count is how often calls have ended with a code.
type Count struct {
	Code  int
	Calls int64
	Last  string // what the last one said; empty for a success
	At    time.Time
}

// Bucket counts the calls that took at least From and less than To.
type Bucket struct {
	From, To time.Duration
	Calls    int64
}

// tally returns the counts of a function, or nil if there are too many functions.
func (k *Calls) tally(name string) *tally {
	k.mu.RLock()
	t := k.tallies[name]
	k.mu.RUnlock()
	if t != nil {
		return t
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if t = k.tallies[name]; t != nil || len(k.tallies) >= maxFunctions {
		return t
	}
	if k.tallies == nil {
		k.tallies = map[string]*tally{}
	}
	t = &tally{codes: map[int]*Count{}}
	k.tallies[name] = t
	return t
}

// count counts a call that has ended.
func (t *tally) count(c *stats.Call) {
	t.took[bucketOf(c.Took)].Add(1)
	if c.Code == 0 {
		return // a success is one that the buckets have, and that no code is for
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.codes[c.Code]
	if n == nil {
		n = &Count{Code: c.Code}
		t.codes[c.Code] = n
	}
	n.Calls++
	n.Last, n.At = c.Failure, time.Now()
}

// bucketOf returns the index of the bucket of a duration.
func bucketOf(d time.Duration) int {
	us := uint64(max(0, d/time.Microsecond))
	if us == 0 {
		return 0
	}
	power := bits.Len64(us) - 1
	half := 0
	if power > 0 {
		half = int(us >> (power - 1) & 1)
	}
	return min(2*power+half+1, buckets-1)
}

// floor returns where a bucket begins.
func floor(i int) time.Duration {
	if i == 0 {
		return 0
	}
	power := (i - 1) / 2
	us := time.Duration(1) << power
	if (i-1)%2 == 1 {
		us += us / 2
	}
	return us * time.Microsecond
}

// Durations returns how long the calls of a function took: its buckets from the first to the last that has calls. It
// is nil if there were none.
func (k *Calls) Durations(name string) []Bucket {
	k.mu.RLock()
	t := k.tallies[name]
	k.mu.RUnlock()
	if t == nil {
		return nil
	}
	var all []Bucket
	for i := range t.took {
		n := t.took[i].Load()
		switch i {
		case 1: // one microsecond has no half
			all = append(all, Bucket{floor(1), floor(3), n})
		case 2:
		default:
			all = append(all, Bucket{floor(i), floor(i + 1), n})
		}
	}
	some := func(b Bucket) bool { return b.Calls > 0 }
	first := slices.IndexFunc(all, some)
	if first < 0 {
		return nil
	}
	last := len(all) - 1
	for !some(all[last]) {
		last--
	}
	return all[first : last+1]
}

// Codes returns how the calls of a function have failed, the most frequent code first.
func (k *Calls) Codes(name string) []Count {
	k.mu.RLock()
	t := k.tallies[name]
	k.mu.RUnlock()
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []Count
	for c := range maps.Values(t.codes) {
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Code, b.Code))
	})
	return all
}
