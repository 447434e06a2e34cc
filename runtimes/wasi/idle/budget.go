package idle

import (
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// When idle items change if nobody needs them.
const (
	// ShedAfter is when an idle item gives memory back.
	ShedAfter = 5 * time.Second
	// EndAfter is when it ends.
	EndAfter = 30 * time.Second
	// sweepEvery is how often pools are looked after.
	sweepEvery = time.Second
)

// Budget is what pools share. Any number of goroutines may use it.
type Budget struct {
	most  int64
	bytes atomic.Int64 // that pools have reported; they may have fewer
	start time.Time    // zero of the pools' clock
	clock atomic.Int64 // see now

	mu       sync.Mutex
	pools    map[keeper]struct{}
	watchers map[*func()]struct{}

	close sync.Once
	done  chan struct{} // closed when the budget is
	full  chan struct{} // has one when more bytes are idle than may be
	work  sync.WaitGroup
}

// keeper is a Pool, whatever it keeps.
type keeper interface {
	Sweep(now time.Time)
	settle()
	oldest() (since time.Duration, ok bool)
	end(until time.Duration, most int)
}

// NewBudget returns a budget of a number of bytes. It looks after its pools until it is closed.
func NewBudget(bytes int64) *Budget {
	b := &Budget{most: bytes, start: time.Now(), pools: map[keeper]struct{}{}, watchers: map[*func()]struct{}{},
		done: make(chan struct{}), full: make(chan struct{}, 1)}
	b.work.Go(b.sweep)
	b.work.Go(b.relieve)
	return b
}

// now returns the time by the pools' clock, which goes on with each sweep: a look at the system's would be half of
// what Take and Put cost.
func (b *Budget) now() time.Duration { return time.Duration(b.clock.Load()) }

// Bytes returns how many bytes all idle items take, by what they say.
func (b *Budget) Bytes() int64 {
	for _, k := range b.all() {
		k.settle()
	}
	return b.bytes.Load()
}

// Close ends looking after pools, and waits until that has ended. It does not close them.
func (b *Budget) Close() {
	b.close.Do(func() { close(b.done) })
	b.work.Wait()
}

// join takes a pool on.
func (b *Budget) join(k keeper) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pools[k] = struct{}{}
}

// leave is for a pool that is closed.
func (b *Budget) leave(k keeper) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.pools, k)
}

// all returns the pools that are not closed.
func (b *Budget) all() []keeper {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]keeper, 0, len(b.pools))
	for k := range b.pools {
		list = append(list, k)
	}
	return list
}

// Watch makes the budget call f after each sweep, every second, in one goroutine at a time, until stop is called. f may
// still be running then.
func (b *Budget) Watch(f func()) (stop func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watchers[&f] = struct{}{}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.watchers, &f)
	}
}

// watching returns what Watch was called with.
func (b *Budget) watching() []*func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Keys(b.watchers))
}

// sweep looks after all pools, until the budget is closed.
func (b *Budget) sweep() {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		select {
		case now := <-t.C:
			b.clock.Store(int64(now.Sub(b.start)))
			for _, k := range b.all() {
				k.Sweep(now)
			}
			for _, w := range b.watching() {
				(*w)()
			}
		case <-b.done:
			return
		}
	}
}

// evict ends items until the others are no more than may be. To end one takes long, so another goroutine does it.
// If that cannot keep up, who adds to it helps: there are never more than twice as many.
func (b *Budget) evict() {
	if b.bytes.Load() <= b.most || b.Bytes() <= b.most {
		return
	}
	select {
	case b.full <- struct{}{}:
	default: // it will look
	}
	b.endBeyond(2 * b.most)
}

// Empty ends all items that are idle now.
func (b *Budget) Empty() {
	for _, k := range b.all() {
		k.end(math.MaxInt64, math.MaxInt)
	}
}

// relieve ends items when there are more than may be, until the budget is closed.
func (b *Budget) relieve() {
	for {
		select {
		case <-b.full:
			b.endBeyond(b.most)
		case <-b.done:
			return
		}
	}
}

// endBeyond ends the items that are longest idle, until the others are no more than that many bytes.
func (b *Budget) endBeyond(most int64) {
	for b.bytes.Load() > most && b.Bytes() > most {
		k, since := b.oldest()
		if k == nil {
			return
		}
		k.end(since, 1)
	}
}

// oldest returns the pool that has the item which is longest idle, and since when it is. It is nil if none is idle.
func (b *Budget) oldest() (oldest keeper, since time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for k := range b.pools {
		if at, ok := k.oldest(); ok && (oldest == nil || at < since) {
			oldest, since = k, at
		}
	}
	return oldest, since
}
