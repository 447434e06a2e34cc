package control

import "sync"

// mostAtOnce is how many deployments may go on at a time. They wait for compilers, hold a module each, and must not
// wait for one another. Further ones wait on the connection.
const mostAtOnce = 32

// mostWaits is how many requests may go on at a time that only wait. Further ones are refused.
const mostWaits = 1024

// beside is what goes on beside an endpoint, which is asked the next thing meanwhile.
type beside struct {
	places chan struct{} // has one for each thing that goes on

	mu      sync.Mutex
	stopped bool           // nothing is begun any more
	work    sync.WaitGroup // of what goes on; whoever begins something holds mu
}

// do has something done while the endpoint goes on, unless too much is done already: then it waits.
func (b *beside) do(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		f() // the context has ended, which it says at once
		return
	}
	b.places <- struct{}{}
	b.work.Go(func() {
		defer func() { <-b.places }()
		f()
	})
}

// offer has something done while the endpoint goes on, and reports whether there was a place for it.
func (b *beside) offer(f func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		f()
		return true
	}
	select {
	case b.places <- struct{}{}:
	default:
		return false
	}
	b.work.Go(func() {
		defer func() { <-b.places }()
		f()
	})
	return true
}

// end waits for what goes on.
func (b *beside) end() {
	b.mu.Lock()
	b.stopped = true
	b.mu.Unlock()
	b.work.Wait()
}
