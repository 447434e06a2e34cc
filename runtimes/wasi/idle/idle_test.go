package idle

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// errMake is why an item cannot be made.
var errMake = errors.New("there are no more")

// workshop makes items, and knows what became of them.
type workshop struct {
	t      *testing.T
	made   atomic.Int64
	closed atomic.Int64
}

// thing is an item.
type thing struct {
	from   *workshop
	name   int
	cost   int64
	useful bool

	sheds   int
	onShed  func()
	onClose func()
	busy    atomic.Bool // somebody has it
	gone    atomic.Bool
}

// new returns an item that costs 10, and 4 when it has shed.
func (w *workshop) new() *thing {
	return &thing{from: w, name: int(w.made.Add(1)), cost: 10, useful: true}
}

// use checks that nobody else has the item, while f runs.
func (th *thing) use(f func()) {
	if th.busy.Swap(true) {
		th.from.t.Errorf("two use item %d at a time", th.name)
	}
	if th.gone.Load() {
		th.from.t.Errorf("item %d is used after its end", th.name)
	}
	f()
	th.busy.Store(false)
}

// Cost implements Item.
func (th *thing) Cost() (cost int64) {
	th.use(func() { cost = th.cost })
	return cost
}

// Shed implements Item.
func (th *thing) Shed() bool {
	th.use(func() {
		th.sheds++
		th.cost = 4
		if th.onShed != nil {
			th.onShed()
		}
	})
	return th.useful
}

// Close implements Item.
func (th *thing) Close() {
	th.use(func() {
		if th.gone.Store(true); th.onClose != nil {
			th.onClose()
		}
	})
	th.from.closed.Add(1)
}

// newPool returns a pool that is closed when the test ends. Nothing is idle then.
func newPool(t *testing.T, b *Budget, make func(context.Context) (*thing, error)) *Pool[*thing] {
	p := New(b, make)
	t.Cleanup(func() {
		if p.Close(); p.State().Idle != 0 || p.State().Making {
			t.Errorf("after Close: %+v", p.State())
		}
	})
	return p
}

// newBudget returns a budget that is closed when the test ends. Nothing is spent then.
func newBudget(t *testing.T, bytes int64) *Budget {
	b := NewBudget(bytes)
	t.Cleanup(func() {
		if b.Close(); b.Bytes() != 0 || len(b.all()) != 0 {
			t.Errorf("in the end, %d bytes are said to be idle in %d pools", b.Bytes(), len(b.all()))
		}
	})
	return b
}

// names returns what is idle, the one used last first.
func names(p *Pool[*thing]) (list []int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range slices.Backward(p.idle) {
		list = append(list, k.item.name)
	}
	return list
}

// TestTakePut checks that the item used last is used next, and what a pool does when it is empty or closed.
func TestTakePut(t *testing.T) {
	w, b := &workshop{t: t}, newBudget(t, 1000)
	p := newPool(t, b, nil)
	if th, ok := p.Take(); ok || th != nil {
		t.Errorf("item %v is idle, and none was put there", th)
	}
	for range 3 {
		p.Put(w.new())
	}
	if got := names(p); !slices.Equal(got, []int{3, 2, 1}) || b.Bytes() != 30 {
		t.Errorf("%v are idle, with %d bytes", got, b.Bytes())
	}
	last, ok := p.Take()
	if !ok || last.name != 3 || b.Bytes() != 20 {
		t.Errorf("got item %v, and %d bytes are idle", last, b.Bytes())
	}
	p.Close()
	if w.closed.Load() != 2 || b.Bytes() != 0 {
		t.Errorf("%d have ended, %d bytes are idle", w.closed.Load(), b.Bytes())
	}
	if p.Put(last); !last.gone.Load() {
		t.Error("an item that is put into a closed pool has not ended")
	}
	p.Refill(true)
	p.Sweep(time.Now().Add(2 * EndAfter))
	p.Close()
}

// TestSweep has time pass: an item sheds once, which can show that it is of no use, and ends.
func TestSweep(t *testing.T) {
	w, b := &workshop{t: t}, newBudget(t, 1000)
	p := newPool(t, b, nil)
	useless := w.new()
	useless.useful = false
	for range 3 {
		p.Put(w.new())
		p.Put(useless)
		useless = w.new()
	}
	start := time.Now()
	for _, c := range []struct {
		after time.Duration
		idle  int
		bytes int64
		sheds int
	}{
		{0, 6, 60, 0}, {ShedAfter - time.Second, 6, 60, 0}, {ShedAfter + time.Second, 5, 20, 1},
		{ShedAfter + 2*time.Second, 5, 20, 1}, {EndAfter - time.Second, 5, 20, 1}, {EndAfter + time.Second, 0, 0, 0},
	} {
		p.Sweep(start.Add(c.after))
		if n := p.State().Idle; n != c.idle || b.Bytes() != c.bytes || w.closed.Load() != int64(6-c.idle) {
			t.Errorf("after %v: %d are idle with %d bytes, %d have ended", c.after, n, b.Bytes(), w.closed.Load())
		}
		for _, k := range p.idle {
			if k.item.sheds != c.sheds {
				t.Errorf("after %v: item %d has shed %d times, not %d", c.after, k.item.name, k.item.sheds, c.sheds)
			}
		}
	}
	again := w.new()
	for want := range 3 { // what has been used sheds again
		if again.sheds != want {
			t.Errorf("it has shed %d times after %d uses", again.sheds, want)
		}
		p.Put(again)
		p.Sweep(time.Now().Add(ShedAfter + time.Second))
		if again, _ = p.Take(); again == nil {
			t.Fatal("nothing is idle")
		}
	}
	again.Close()
}

// TestSweeper checks that a budget looks after its pools by itself.
func TestSweeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b := &workshop{t: t}, newBudget(t, 1000)
		p := newPool(t, b, nil)
		p.Put(w.new())
		for _, c := range []struct {
			wait  time.Duration
			bytes int64
		}{
			{ShedAfter - time.Millisecond, 10}, {2 * time.Second, 4}, {EndAfter - ShedAfter - 3*time.Second, 4},
			{3 * time.Second, 0},
		} {
			<-time.After(c.wait)
			if synctest.Wait(); b.Bytes() != c.bytes {
				t.Errorf("after %v more: %d bytes are idle, not %d", c.wait, b.Bytes(), c.bytes)
			}
		}
	})
}

// TestShedding checks what others see of an item that is shedding: the rest can be used, the place of the item is
// kept, and only who would get nothing waits for it.
func TestShedding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b := &workshop{t: t}, newBudget(t, 1000)
		p := newPool(t, b, nil)
		goOn := make(chan struct{})
		defer close(goOn) // also if the test fails
		for range 3 {
			th := w.new()
			th.onShed = func() { <-goOn }
			p.Put(th)
			<-time.After(sweepEvery + time.Millisecond) // the clock has moved
		}
		swept := false
		go func() {
			p.Sweep(time.Now().Add(ShedAfter))
			swept = true
		}()
		synctest.Wait()
		last, ok := p.Take()
		if !ok || last.name != 3 || p.State().Idle != 2 || !slices.Equal(names(p), []int{2}) {
			t.Fatalf("got item %v beside %v", last, names(p))
		}
		goOn <- struct{}{} // the first comes back, the second sheds
		synctest.Wait()
		if got := names(p); !slices.Equal(got, []int{1}) {
			t.Errorf("%v are idle when the first has shed", got)
		}
		<-time.After(sweepEvery + time.Millisecond)
		p.Put(last)        // it has just been used, and does not shed
		goOn <- struct{}{} // the second comes back
		synctest.Wait()
		if got := names(p); !slices.Equal(got, []int{3, 2, 1}) || !swept || b.Bytes() != 18 {
			t.Errorf("%v are idle in the end, with %d bytes; swept: %t", got, b.Bytes(), swept)
		}
	})
}

// TestTakeWaits checks that an item which is the only one can be had while it sheds, if it is still of use then.
func TestTakeWaits(t *testing.T) {
	for _, useful := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w, b := &workshop{t: t}, newBudget(t, 1000)
			p := newPool(t, b, nil)
			th, goOn, got := w.new(), make(chan struct{}), make(chan *thing, 2)
			th.useful, th.onShed = useful, func() { <-goOn }
			p.Put(th)
			go p.Sweep(time.Now().Add(ShedAfter + time.Second))
			synctest.Wait()
			for range 2 {
				go func() {
					th, _ := p.Take()
					got <- th
				}()
			}
			if synctest.Wait(); len(got) != 0 {
				t.Error("nobody waits for an item that sheds")
			}
			close(goOn)
			a, b2 := <-got, <-got
			if want := []*thing{th, nil}; useful != slices.Contains([]*thing{a, b2}, th) || !slices.Contains(want, a) ||
				a != nil && a == b2 {
				t.Errorf("useful %t: got items %v and %v", useful, a, b2)
			}
			if useful == th.gone.Load() {
				t.Errorf("useful %t, ended %t", useful, th.gone.Load())
			}
		})
	}
}

// TestCloseWaits checks that Close returns when what sheds has ended, not before.
func TestCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b := &workshop{t: t}, newBudget(t, 1000)
		p := newPool(t, b, nil)
		th, goOn, closed := w.new(), make(chan struct{}), make(chan struct{})
		th.onShed = func() { <-goOn }
		p.Put(th)
		go p.Sweep(time.Now().Add(ShedAfter + time.Second))
		synctest.Wait()
		go func() { p.Close(); close(closed) }()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("Close has not waited")
		default:
		}
		close(goOn)
		<-closed
		if !th.gone.Load() {
			t.Error("the item has not ended")
		}
	})
}

// TestEvict checks that those that are idle for longest end first, whichever pool they are in.
func TestEvict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, budget := &workshop{t: t}, newBudget(t, 60)
		a, b := newPool(t, budget, nil), newPool(t, budget, nil)
		for i, c := range []struct {
			put  *Pool[*thing]
			a, b int
		}{
			{a, 1, 0}, {b, 1, 1}, {a, 2, 1}, {b, 2, 2}, {a, 3, 2}, {b, 3, 3},
			{a, 3, 3}, {a, 4, 2}, {a, 4, 2}, {b, 4, 2}, {b, 3, 3},
		} {
			budget.clock.Add(1) // or those of different pools would be as old
			c.put.Put(w.new())
			synctest.Wait()
			if a.State().Idle != c.a || b.State().Idle != c.b || budget.Bytes() > 60 {
				t.Errorf("after %d: %d and %d are idle, not %d and %d, with %d bytes",
					i+1, a.State().Idle, b.State().Idle, c.a, c.b, budget.Bytes())
			}
		}
		large := w.new()
		large.cost = 61
		budget.clock.Add(1)
		a.Put(large)
		if synctest.Wait(); !large.gone.Load() || a.State().Idle+b.State().Idle != 0 {
			t.Errorf("one is idle that takes more than all may, beside %d and %d", a.State().Idle, b.State().Idle)
		}
		grows := w.new()
		grows.onShed = func() { grows.cost = 61 }
		a.Put(grows)
		a.Sweep(time.Now().Add(ShedAfter + time.Second))
		if synctest.Wait(); !grows.gone.Load() {
			t.Error("one is idle that takes more than all may since it has shed")
		}
	})
}

// TestEvictSlowly checks that who puts an item does not wait for others to end, unless there are twice as many as may
// be.
func TestEvictSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, budget := &workshop{t: t}, newBudget(t, 20)
		p, goOn := newPool(t, budget, nil), make(chan struct{})
		put := func() {
			th := w.new()
			th.onClose = func() { <-goOn }
			p.Put(th)
		}
		for range 5 { // one of them is ending at the hands of another
			put()
			synctest.Wait()
		}
		if n := p.State().Idle; n != 4 {
			t.Errorf("%d are idle beside one that is ending", n)
		}
		helped := false
		go func() { put(); helped = true }()
		if synctest.Wait(); helped || budget.Bytes() != 40 {
			t.Errorf("%d bytes are idle, and who put the last one has gone on: %t", budget.Bytes(), helped)
		}
		close(goOn)
		if synctest.Wait(); !helped || budget.Bytes() != 20 {
			t.Errorf("%d bytes are idle in the end, and who put the last one has gone on: %t", budget.Bytes(), helped)
		}
	})
}

// TestRefill checks that as many are made as are needed at a time, and that those that nobody needs are not made again.
func TestRefill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &workshop{t: t}
		p := newPool(t, newBudget(t, 1e6), func(context.Context) (*thing, error) { return w.new(), nil })
		for i := range 2 * mostWanted {
			p.Refill(true)
			synctest.Wait()
			want := min(i+1, mostWanted)
			if got := p.State(); got != (State{want, want, false}) {
				t.Errorf("%d were missed: %+v", i+1, got)
			}
		}
		p.Take()
		p.Refill(false)
		if synctest.Wait(); p.State().Idle != mostWanted {
			t.Errorf("after one was taken: %+v", p.State())
		}
		p.Sweep(time.Now().Add(EndAfter + time.Second))
		if got := p.State(); got != (State{}) {
			t.Errorf("after a long while: %+v", got)
		}
		p.Refill(false)
		if synctest.Wait(); p.State() != (State{1, 1, false}) {
			t.Errorf("when they are needed again: %+v", p.State())
		}
	})
}

// TestRefillMeanwhile checks that one is made at a time, and that those that shed count as idle.
func TestRefillMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, goOn, making := &workshop{t: t}, make(chan struct{}), 0
		p := newPool(t, newBudget(t, 1000), func(context.Context) (*thing, error) {
			if making++; making > 1 {
				t.Errorf("%d are being made", making)
			}
			<-time.After(time.Second)
			making--
			th := w.new()
			th.onShed = func() { <-goOn }
			return th, nil
		})
		for range 3 {
			p.Refill(true)
		}
		<-time.After(4 * time.Second)
		go p.Sweep(time.Now().Add(ShedAfter))
		synctest.Wait()
		p.Take()
		p.Refill(false)
		<-time.After(2 * time.Second)
		close(goOn)
		if synctest.Wait(); p.State() != (State{3, 3, false}) || w.made.Load() != 4 {
			t.Errorf("%d were made: %+v", w.made.Load(), p.State())
		}
	})
}

// TestRefillFails checks that what cannot be made is tried less and less often, and at once after it could.
func TestRefillFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, tries := &workshop{t: t}, 0
		p := newPool(t, newBudget(t, 1000), func(context.Context) (*thing, error) {
			tries++
			return nil, errMake
		})
		last := time.Duration(0)
		for i := range 200 {
			p.Refill(true)
			synctest.Wait()
			wait := time.Until(p.ahead.again)
			if wait < last || wait > mostFailedWait || tries != i+1 {
				t.Fatalf("after %d failures it waits for %v, before for %v", tries, wait, last)
			}
			<-time.After(wait - 1)
			p.Refill(true)
			if synctest.Wait(); tries != i+1 || p.State() != (State{}) {
				t.Fatalf("it is tried too early: %+v", p.State())
			}
			<-time.After(1)
			last = wait
		}
		if last != mostFailedWait {
			t.Errorf("in the end it waits for %v", last)
		}
		p.Refill(true)
		synctest.Wait()
		p.Put(w.new())
		th, _ := p.Take()
		th.Close()
		p.Refill(true)
		if synctest.Wait(); tries != 202 {
			t.Errorf("after one could be made, there were %d tries", tries)
		}
	})
}

// TestCloseWhileMaking closes a pool of which an item is being made.
func TestCloseWhileMaking(t *testing.T) {
	for _, fails := range []bool{true, false} {
		w, begun := &workshop{t: t}, make(chan struct{})
		p := newPool(t, newBudget(t, 1000), func(ctx context.Context) (*thing, error) {
			close(begun)
			if <-ctx.Done(); fails {
				return nil, ctx.Err()
			}
			return w.new(), nil
		})
		p.Refill(true)
		<-begun
		if p.Close(); p.State().Idle != 0 || p.State().Making || w.closed.Load() != w.made.Load() {
			t.Errorf("after Close: %+v, %d made and %d ended", p.State(), w.made.Load(), w.closed.Load())
		}
	}
}

// TestHammer takes, puts, sheds, ends, evicts and makes items in several pools at the same time, and closes the pools
// meanwhile. Each item is used by one at a time, and has ended once in the end.
func TestHammer(t *testing.T) {
	const most = 200
	w := &workshop{t: t}
	t.Cleanup(func() { // after those of the pools
		if w.made.Load() != w.closed.Load() {
			t.Errorf("%d were made, and %d have ended", w.made.Load(), w.closed.Load())
		}
	})
	b := newBudget(t, most)
	var all sync.WaitGroup
	var tries atomic.Int64
	for range 4 {
		p := newPool(t, b, func(context.Context) (*thing, error) {
			if tries.Add(1)%7 == 0 {
				return nil, errMake
			}
			return w.new(), nil
		})
		for range 4 {
			all.Go(func() { w.hammer(p) })
		}
		all.Go(func() {
			for i := range 300 {
				p.Sweep(time.Now().Add(time.Duration(i%4) * EndAfter / 3))
			}
		})
	}
	half := newPool(t, b, nil)
	for range 4 {
		all.Go(func() { w.hammer(half) })
	}
	all.Go(half.Close)
	all.Wait()
	relieved(t, b)
}

// relieved waits until no more is idle than may be.
func relieved(t *testing.T, b *Budget) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); b.Bytes() > b.most; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are idle, and %d may be", b.Bytes(), b.most)
		}
	}
}

// hammer uses items of a pool.
func (w *workshop) hammer(p *Pool[*thing]) {
	for i := range 1000 {
		th, ok := p.Take()
		if p.ahead.make != nil {
			p.Refill(!ok)
		}
		if !ok {
			th = w.new()
		}
		th.use(func() { th.cost, th.useful = 10, i%5 != 0 })
		if i%11 == 0 {
			th.Close()
		} else {
			p.Put(th)
		}
	}
}

// BenchmarkTakePut is what a call pays for its item, alone and from as many goroutines as there are processors.
func BenchmarkTakePut(b *testing.B) {
	budget := NewBudget(1 << 20)
	defer budget.Close()
	p := New[*weight](budget, nil)
	defer p.Close()
	p.Put(new(weight))
	b.Run("alone", func(b *testing.B) {
		for b.Loop() {
			w, _ := p.Take()
			p.Put(w)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				w, ok := p.Take()
				if !ok {
					w = new(weight)
				}
				p.Put(w)
			}
		})
	})
}

// weight is an item that does nothing.
type weight struct{ _ byte }

// Cost implements Item.
func (*weight) Cost() int64 { return 1 }

// Shed implements Item.
func (*weight) Shed() bool { return true }

// Close implements Item.
func (*weight) Close() {}

// TestInUse checks that items in use take nothing from the budget when others need it, though who takes them does not
// say so.
func TestInUse(t *testing.T) {
	w, b := &workshop{t: t}, newBudget(t, 20)
	p, q := newPool(t, b, nil), newPool(t, b, nil)
	p.Put(w.new())
	p.Put(w.new())
	var used []*thing
	for range 2 {
		th, ok := p.Take()
		if !ok {
			t.Fatal("an item ended though it is no more than may be")
		}
		used = append(used, th)
	}
	other := w.new()
	if q.Put(other); other.gone.Load() || b.Bytes() != 10 {
		t.Errorf("an item ended: %t; %d bytes are idle, not 10", other.gone.Load(), b.Bytes())
	}
	for _, th := range used {
		p.Put(th)
	}
	if relieved(t, b); !other.gone.Load() || p.State().Idle != 2 || b.Bytes() != 20 {
		t.Errorf("the item longest idle ended: %t; %d items are idle beside it, with %d bytes",
			other.gone.Load(), p.State().Idle, b.Bytes())
	}
}
