package idle

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"
	"time"
)

// Item is what a Pool keeps. One goroutine at a time calls its methods.
type Item interface {
	// Cost returns about how many bytes the item takes while it is idle. Only Shed changes that.
	Cost() int64
	// Shed gives memory back, if there is any to give. It returns false if the item is of no use any more.
	Shed() bool
	// Close ends the item. It is called once.
	Close()
}

// kept is an item in a pool.
type kept[T Item] struct {
	item  T
	since time.Duration // it is idle, by the budget's clock
	cost  int64         // that the budget knows of
	shed  bool          // it has shed since then
}

// Pool keeps items that are idle. The one used last is used next, so that those which are not needed get old. Any
// number of goroutines may use a Pool. It must be closed.
type Pool[T Item] struct {
	budget *Budget
	work   sync.WaitGroup // for goroutines that make, shed or end an item

	mu       sync.Mutex
	idle     []kept[T]     // by the time since when; the one used last comes last
	newest   time.Duration // since when the last one is idle that was put
	shedding int           // that are off the list as long as they shed
	bytes    int64         // that all of these take
	granted  int64         // bytes that the budget knows of: no fewer, so that taking and putting back need no report
	back     *sync.Cond
	closed   bool
	ahead    ahead[T]
}

// New returns a pool that shares a budget. What Refill asks for is made by the function, which is called by one
// goroutine at a time; its context ends with the pool. It may be nil if Refill is not called.
func New[T Item](b *Budget, make func(context.Context) (T, error)) *Pool[T] {
	p := &Pool[T]{budget: b}
	p.back = sync.NewCond(&p.mu)
	p.ahead.make = make
	p.ahead.ctx, p.ahead.cancel = context.WithCancel(context.Background())
	b.join(p)
	return p
}

// Take returns the item used last. ok is false if there is none. It waits for one that is about to give memory back
// only if there is no other.
func (p *Pool[T]) Take() (item T, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) == 0 && p.shedding > 0 {
		p.back.Wait()
	}
	n := len(p.idle)
	if n == 0 {
		return item, false
	}
	k := &p.idle[n-1]
	item = k.item
	p.bytes -= k.cost
	*k = kept[T]{}
	p.idle = p.idle[:n-1]
	return item, true
}

// Put keeps an item that is idle from now on, or closes it when the pool is closed. If that is more than the budget,
// the items that are longest idle end soon, which can be this one.
func (p *Pool[T]) Put(item T) {
	k := kept[T]{item: item, since: p.budget.now(), cost: item.Cost()}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		item.Close()
		return
	}
	p.ahead.failed = 0
	k.since = max(k.since, p.newest+1) // the list is in order
	p.newest = k.since
	p.idle = append(p.idle, k)
	p.bytes += k.cost
	more := p.bytes > p.granted
	if more {
		p.report()
	}
	p.mu.Unlock()
	if more {
		p.budget.evict()
	}
}

// report tells the budget what the idle items take. The caller holds the lock.
func (p *Pool[T]) report() {
	p.budget.bytes.Add(p.bytes - p.granted)
	p.granted = p.bytes
}

// settle is report for who does not hold the lock.
func (p *Pool[T]) settle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.report()
}

// State is what a Pool holds at a moment.
type State struct {
	Idle   int  // items
	Wanted int  // items that are to be idle before they are needed
	Making bool // somebody makes them
}

// State returns what the pool holds.
func (p *Pool[T]) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return State{Idle: len(p.idle) + p.shedding, Wanted: p.ahead.wanted, Making: p.ahead.making}
}

// Sweep ends what is idle for EndAfter at a moment, and has what is idle for ShedAfter give memory back, one item
// after another. The budget does it every second.
func (p *Pool[T]) Sweep(now time.Time) {
	p.settle()
	at := now.Sub(p.budget.start)
	p.end(at-EndAfter, math.MaxInt)
	for p.shedNext(at - ShedAfter) {
	}
}

// Close ends all items that are idle, and returns when nothing is made, shed or ended any more. Items that are put
// back later end then. Items must not call it.
func (p *Pool[T]) Close() {
	p.mu.Lock()
	p.closed = true
	gone := p.cut(len(p.idle))
	p.mu.Unlock()
	p.budget.leave(p)
	p.ahead.cancel()
	p.close(gone)
	p.work.Wait()
}

// oldest returns since when the item is idle that is longest idle.
func (p *Pool[T]) oldest() (since time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return since, false
	}
	return p.idle[0].since, true
}

// end ends items that are idle since a time or longer, at most that many. So many fewer are wanted from now on.
func (p *Pool[T]) end(until time.Duration, most int) {
	p.mu.Lock()
	n := 0
	for n < min(most, len(p.idle)) && p.idle[n].since <= until {
		n++
	}
	gone := p.cut(n)
	p.ahead.wanted = max(p.ahead.wanted-n, 0)
	p.mu.Unlock()
	p.close(gone)
}

// cut takes the first n items off the list, for close. The caller holds the lock.
func (p *Pool[T]) cut(n int) []kept[T] {
	gone := slices.Clone(p.idle[:n])
	p.idle = slices.Delete(p.idle, 0, n)
	for _, k := range gone {
		p.bytes -= k.cost
	}
	p.report()
	p.work.Add(n)
	return gone
}

// close ends what cut has returned.
func (p *Pool[T]) close(gone []kept[T]) {
	for _, k := range gone {
		k.item.Close()
		p.work.Done()
	}
}

// shedNext sheds the next item that has been idle since a time or longer and was not shed. It returns false if there is
// none.
func (p *Pool[T]) shedNext(until time.Duration) bool {
	k, ok := p.borrow(until)
	if !ok {
		return false
	}
	defer p.work.Done()
	if useful := k.item.Shed(); !p.restore(k, useful) {
		k.item.Close()
	}
	p.budget.evict() // it may have been too much while this one was off the list
	return true
}

// borrow takes an item off the list that is to shed. The caller puts it back with restore.
func (p *Pool[T]) borrow(until time.Duration) (k kept[T], ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.idle, func(k kept[T]) bool { return !k.shed && k.since <= until })
	if i < 0 {
		return k, false
	}
	k = p.idle[i]
	p.idle = slices.Delete(p.idle, i, i+1)
	p.shedding++
	p.work.Add(1)
	return k, true
}

// restore puts an item that has shed back in its place. It returns false if the item is to be closed.
func (p *Pool[T]) restore(k kept[T], useful bool) bool {
	cost := k.item.Cost()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shedding--
	p.back.Broadcast()
	p.bytes -= k.cost
	defer p.report()
	if !useful || p.closed {
		return false
	}
	p.bytes += cost
	k.cost, k.shed = cost, true
	place, _ := slices.BinarySearchFunc(p.idle, k.since, func(k kept[T], since time.Duration) int {
		return cmp.Compare(k.since, since)
	})
	p.idle = slices.Insert(p.idle, place, k)
	return true
}
