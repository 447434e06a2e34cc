package queue

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// visitor is a call.
type visitor struct {
	place Place
	end   chan Reason // gets why it was dismissed
	turn  chan struct{}
	state atomic.Int32 // 0: neither; 1: has started; 2: was dismissed or withdrawn
}

func (v *visitor) Place() *Place { return &v.place }

// comes returns a visitor that has come at a moment and stays for so long at most.
func comes(at time.Time, stay time.Duration) *visitor {
	return &visitor{place: Place{Received: at, Deadline: at.Add(stay)},
		end: make(chan Reason, 1), turn: make(chan struct{}, 1)}
}

func patient(v *visitor) *visitor {
	v.place.Patient = true
	return v
}

// open returns a queue with limits whose visitors hear of their end.
func open(l Limits) *Queue[*visitor] {
	q := New(func(v *visitor, why Reason) { v.end <- why })
	q.SetLimits(l)
	return q
}

// enter fails unless the outcome of a visitor's entry is this.
func enter(t *testing.T, q *Queue[*visitor], v *visitor, want Outcome) *visitor {
	t.Helper()
	if got := q.Enter(v); got != want {
		t.Fatalf("outcome %d, want %d", got, want)
	}
	return v
}

// next fails unless what Leave or Rest has returned is this visitor.
func next(t *testing.T, want *visitor) func(*visitor, bool) {
	return func(got *visitor, ok bool) {
		t.Helper()
		if got != want || ok != (want != nil) {
			t.Fatalf("the wrong one comes next, or none, or one: %t", ok)
		}
	}
}

func TestTurns(t *testing.T) {
	now := time.Now()
	q := open(Limits{Running: 2, Processing: 1, Waiting: 3})
	enter(t, q, comes(now, time.Hour), Starts)
	a := enter(t, q, comes(now, time.Hour), Waits)
	b := enter(t, q, comes(now, time.Hour), Waits)
	next(t, a)(q.Rest()) // the first needs no processor
	next(t, nil)(q.Rest())
	enter(t, q, comes(now, time.Hour), Waits) // since two run
	if running, waiting := q.Counts(); running != 2 || waiting != 2 {
		t.Errorf("%d run and %d wait", running, waiting)
	}
	q.Wake()
	q.Wake() // both process now, which is one more than there should be
	next(t, nil)(q.Leave())
	next(t, b)(q.Leave())
}

func TestPatientTakeTurns(t *testing.T) {
	now := time.Now()
	q := open(Limits{Running: 1, Processing: 1, Waiting: 2})
	enter(t, q, comes(now, time.Hour), Starts)
	a, b := enter(t, q, comes(now, time.Hour), Waits), enter(t, q, comes(now, time.Hour), Waits)
	enter(t, q, comes(now, time.Hour), Crowded)
	var still []*visitor
	for range 3 {
		still = append(still, enter(t, q, patient(comes(now, time.Hour)), Waits))
	}
	for _, want := range []*visitor{a, still[0], b, still[1], still[2], nil} {
		next(t, want)(q.Leave())
	}
}

func TestFullLine(t *testing.T) {
	now := time.Now()
	q := open(Limits{Running: 1, Processing: 1, Waiting: 1})
	enter(t, q, comes(now, time.Hour), Starts)
	waits := enter(t, q, comes(now, time.Hour), Waits)
	enter(t, q, comes(now, time.Hour), Crowded)
	q.fullSince = q.fullSince.Add(-burst) // as if it had been for so long
	enter(t, q, comes(now, time.Hour), Refused)
	if q.Withdraw(waits, 1) || !q.Withdraw(waits, 0) || q.Withdraw(waits, 0) {
		t.Error("a call that waits can be withdrawn, once, and on this visit only")
	}
	q.AwaitRoom()
	enter(t, q, comes(now, time.Hour), Waits)
	enter(t, q, comes(now, time.Hour), Crowded) // since the line was empty
}

// TestSlowLine has a full line that covers a pause by itself: whoever comes then is refused at once. Others wait.
func TestSlowLine(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		waiting int
		mean    time.Duration // from one start to the next
		want    Outcome
	}{
		{4, 0, Crowded}, // nothing is known yet
		{4, 5 * time.Millisecond, Refused},
		{1, 5 * time.Millisecond, Crowded}, // a pause would have filled the line
		{200, 200 * time.Microsecond, Refused},
		{20, 200 * time.Microsecond, Crowded},
		{1000, 20 * time.Microsecond, Crowded}, // it is over soon, however long it is
	} {
		q := open(Limits{Running: 1, Processing: 1, Waiting: c.waiting})
		enter(t, q, comes(now, time.Hour), Starts)
		for range c.waiting {
			enter(t, q, comes(now, time.Hour), Waits)
		}
		q.pace.mean = c.mean
		enter(t, q, comes(now, time.Hour), c.want)
	}
}

func TestDismissal(t *testing.T) {
	now := time.Now()
	q := open(Limits{Running: 1, Processing: 1, Waiting: 2})
	enter(t, q, comes(now, time.Hour), Starts)
	late := enter(t, q, comes(now, time.Millisecond), Waits)
	if why := <-late.end; why != Late {
		t.Errorf("dismissed for %d", why)
	}
	waits := patient(comes(now, time.Millisecond))
	enter(t, q, waits, Waits)
	if why := <-waits.end; why != Late {
		t.Errorf("a patient one is dismissed for %d", why)
	}
	q.pace.mean = time.Hour // as the line moves, nobody with less time has a chance
	enter(t, q, comes(now, 90*time.Minute), Waits)
	hopeless := enter(t, q, comes(now, 100*time.Hour), Waits)
	hopeless.place.Deadline = now.Add(time.Minute)
	enter(t, q, comes(now, 100*time.Hour), Waits)
	if why := <-hopeless.end; why != Hopeless {
		t.Errorf("dismissed for %d", why)
	}
}

// TestPace checks that no more calls wait than can be answered in time as the line moves.
func TestPace(t *testing.T) {
	const stay = time.Hour
	q := open(Limits{Waiting: 1000})
	fill := func() int {
		q.line = nil
		for v := comes(time.Now(), stay); !q.full(&v.place); v = comes(time.Now(), stay) {
			q.line = append(q.line, v)
		}
		return len(q.line)
	}
	move := func(n int, each time.Duration) {
		for now := time.Now(); n > 0; n-- {
			q.pace.last = now.Add(-each)
			q.pace.moved(now.Add(-time.Hour), now)
		}
	}
	if n := fill(); n != 1000 {
		t.Errorf("%d calls may wait before anything is known", n)
	}
	move(100, stay/10)
	if n := fill(); n < 3 || n > 6 {
		t.Errorf("%d calls may wait that take a tenth of their time each", n)
	}
	move(100, stay/100_000)
	if n := fill(); n != 1000 {
		t.Errorf("%d quick calls may wait", n)
	}
	q.pace.last = time.Time{}
	q.pace.moved(time.Now(), time.Now()) // the first one for a long time
	if n := fill(); n != 1000 {
		t.Errorf("%d calls may wait after a pause", n)
	}
}

// TestQueueHammer lets many come, rest, wait, tire and be withdrawn. Each starts once or is sent away once, and never
// do more run than may.
func TestQueueHammer(t *testing.T) {
	const most, all = 3, 4000
	var running, highest atomic.Int32
	var left sync.WaitGroup
	q := New(func(v *visitor, why Reason) {
		if !v.state.CompareAndSwap(0, 2) {
			t.Error("dismissed, but it had started or gone")
		}
		v.end <- why
	})
	q.SetLimits(Limits{Running: most, Processing: 2, Waiting: 20})
	var work func(v *visitor)
	work = func(v *visitor) {
		for ok := true; ok; {
			if !v.state.CompareAndSwap(0, 1) {
				t.Error("it starts twice, or after its end")
			}
			if n := running.Add(1); n > highest.Load() {
				highest.Store(n)
			}
			if rand.IntN(3) == 0 {
				if other, ok := q.Rest(); ok {
					left.Go(func() { work(other) })
				}
				q.Wake()
			}
			running.Add(-1)
			v.turn <- struct{}{}
			v, ok = q.Leave()
		}
	}
	come := func() {
		v := comes(time.Now(), time.Duration(rand.IntN(2000))*time.Microsecond)
		v.place.Patient = rand.IntN(4) == 0
		switch q.Enter(v) {
		case Starts:
			work(v)
		case Crowded:
			q.AwaitRoom()
		case Waits:
			if rand.IntN(5) == 0 && q.Withdraw(v, 0) {
				if !v.state.CompareAndSwap(0, 2) {
					t.Error("withdrawn, but it had started or gone")
				}
				return
			}
			select {
			case <-v.turn:
			case <-v.end:
			}
		}
	}
	for range 16 {
		left.Go(func() {
			for range all / 16 {
				come()
			}
		})
	}
	left.Wait()
	if n := highest.Load(); n > most {
		t.Errorf("%d ran at a time", n)
	}
	if running, waiting := q.Counts(); running != 0 || waiting != 0 {
		t.Errorf("in the end %d run and %d wait", running, waiting)
	}
}
