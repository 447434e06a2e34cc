package fuel

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// WatchInterval is how often guests are best looked at.
	WatchInterval = time.Millisecond
	// bits are how many of a fuel gauge say how much there is. Those above say that the guest is to ask.
	bits = 48
)

// Left returns how much fuel a gauge says is left.
func Left(gauge uint64) int64 { return int64(gauge<<(64-bits)) >> (64 - bits) }

// Watchdog looks after guests. Any number of goroutines may use one.
type Watchdog struct {
	every  time.Duration
	mu     sync.Mutex
	guests map[*Guest]struct{} // guarded by mu

	wake chan struct{} // has one when there are guests
	done chan struct{} // closed by Close
	work sync.WaitGroup
}

// NewWatchdog returns a Watchdog that looks at guests once in a while. It makes those ask that have not done so for
// that long.
// It must be closed.
func NewWatchdog(every time.Duration) *Watchdog {
	w := &Watchdog{every: every, guests: map[*Guest]struct{}{}, wake: make(chan struct{}, 1), done: make(chan struct{})}
	w.work.Go(w.run)
	return w
}

// Close ends looking after guests. It is called once.
func (w *Watchdog) Close() {
	close(w.done)
	w.work.Wait()
}

// run looks at guests as long as there are any.
func (w *Watchdog) run() {
	t := time.NewTicker(w.every)
	defer t.Stop()
	for {
		t.Stop() // nobody is woken as long as there are none
		select {
		case <-w.done:
			return
		case <-w.wake:
		}
		for t.Reset(w.every); w.look(time.Now()); {
			select {
			case <-w.done:
				return
			case <-t.C:
			}
		}
	}
}

// look makes those guests ask that have been running for long. It returns false if there are none at all.
func (w *Watchdog) look(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for g := range w.guests {
		g.look(now)
	}
	return len(w.guests) > 0
}

// Guest is a guest that may be looked after. One goroutine uses it, the one that runs the guest. The zero value is
// looked after by nobody.
type Guest struct {
	watch *Watchdog // nil: nobody looks after it
	on    bool      // the guest runs
	known *uint64   // the gauge, if it has been found

	mu     sync.Mutex // held unless the guest runs
	gauge  *uint64    // the rest is guarded by mu
	since  time.Time  // when it was given fuel
	thread int        // that it runs on
}

// Begin looks after the guest until End. The first time, gauge is asked where its fuel is; nil means that this
// cannot be known, and nothing happens. The guest is not running: it has called the host.
func (g *Guest) Begin(w *Watchdog, gauge func() *uint64) {
	if g.watch == nil && g.known == nil {
		g.known = gauge()
	}
	if g.watch != nil || g.known == nil {
		return
	}
	g.mu.Lock()
	g.watch, g.gauge = w, g.known
	w.mu.Lock()
	defer w.mu.Unlock()
	w.guests[g] = struct{}{}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run says that the guest goes on, with fuel that it was given at a moment. Until Pause nobody else may use the gauge.
func (g *Guest) Run(now time.Time) {
	if g.watch != nil && !g.on {
		g.since, g.on, g.thread = now, true, thread()
		g.mu.Unlock()
	}
}

// Pause says that the guest has called the host.
func (g *Guest) Pause() {
	if g.on {
		g.mu.Lock()
		g.on = false
	}
}

// End says that the guest has ended.
func (g *Guest) End() {
	w := g.watch
	if w == nil {
		return
	}
	g.Pause()
	w.mu.Lock()
	delete(w.guests, g)
	w.mu.Unlock()
	g.watch, g.gauge = nil, nil
	g.mu.Unlock()
}

// look makes the guest ask for fuel if it runs, and has not asked for long.
func (g *Guest) look(now time.Time) {
	if !g.mu.TryLock() {
		return
	}
	defer g.mu.Unlock()
	if now.Sub(g.since) >= g.watch.every && g.has() {
		interrupt(g.thread)
		g.take()
	}
}

// has reports whether there is fuel.
func (g *Guest) has() bool { return int64(atomic.LoadUint64(g.gauge)) >= 0 }

// take takes from the fuel, until that stays.
func (g *Guest) take() {
	const tries, enough = 1000, 20 // some 50 nanoseconds each
	for n, stays := 0, 0; n < tries && stays < enough; n++ {
		if stays++; g.has() {
			atomic.AddUint64(g.gauge, ^uint64(1<<bits-1)) // less by 1<<bits
			stays = 0
		}
	}
}
