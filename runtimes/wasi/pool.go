package wasi

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
)

// Idle sandboxes end when nobody has needed them for a while.
const (
	// shedAfter is when an idle sandbox gives back the memory that it does not share with others.
	shedAfter = 5 * time.Second
	// endAfter is when it ends. A parked one that is used once ends in any case then.
	endAfter = 30 * time.Second
	// overhead is about what a sandbox takes besides its memory, in bytes: the instance and its native stack.
	overhead = 32 << 10
	// failedWait is how long nothing is parked after a failure, times the square of how many there were in a row.
	failedWait = 10 * time.Millisecond
	// mostFailedWait is the longest such wait.
	mostFailedWait = time.Minute
	// mostReady is how many sandboxes of a program are parked that are used once.
	mostReady = 64
)

// list is one of the lists of a pool.
type list int

// The lists of a pool.
const (
	clean  list = iota // sandboxes before the entry runs
	parked             // sandboxes that wait where stdin is read first
	lists
)

// pool keeps the idle sandboxes of a program. Any number of goroutines may use it.
type pool struct {
	runtime *Runtime

	ctx     context.Context // ends with the pool
	cancel  context.CancelFunc
	fillers sync.WaitGroup

	mu      sync.Mutex
	idle    [lists][]*sandbox // the one used last comes last, and goes first
	ready   int               // how many sandboxes are to be parked, by how many were needed at a time
	filling bool              // somebody parks them
	failed  int               // how many in a row could not be parked
	again   time.Time         // not before this are more to be parked, if some failed
	closed  bool
}

// init makes the pool ready for use.
func (p *pool) init(r *Runtime) {
	p.runtime = r
	p.ctx, p.cancel = context.WithCancel(context.Background())
}

// take returns the sandbox used last, or nil.
func (p *pool) take(l list) *sandbox {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle[l])
	if n == 0 {
		return nil
	}
	s := p.idle[l][n-1]
	p.idle[l][n-1] = nil
	p.idle[l] = p.idle[l][:n-1]
	p.runtime.idleBytes.Add(-s.cost())
	return s
}

// put keeps a sandbox, or closes it when the pool is closed. If that is more than may be idle, the ones that are
// longest idle end.
func (p *pool) put(l list, s *sandbox) {
	s.idle, s.shed = time.Now(), false
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		s.close()
		return
	}
	if l == parked {
		p.failed = 0
	}
	p.idle[l] = append(p.idle[l], s)
	total := p.runtime.idleBytes.Add(s.cost())
	p.mu.Unlock()
	if total > p.runtime.idleMost {
		p.runtime.evict()
	}
}

// cost returns about how many bytes an idle sandbox takes. It does not change while the sandbox is in a pool,
// but by shed.
func (s *sandbox) cost() int64 {
	cost := int64(overhead)
	if s.parked != nil {
		cost += int64(s.parked.stack) * int64(1+len(s.parked.snapshots)) // that of the function, and those to go on with
		if s.parked.again {
			cost += int64(s.parked.own)
		}
	}
	if s.parked != nil && s.parked.image == nil {
		return cost + int64(s.memory.size) // nothing says how much of it was written
	}
	return cost + int64(s.memory.region.Private())
}

// oldest returns when the sandbox that is longest idle was used, and which list it is on.
func (p *pool) oldest() (at time.Time, l list, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, idle := range p.idle {
		if len(idle) > 0 && (!ok || idle[0].idle.Before(at)) {
			at, l, ok = idle[0].idle, list(i), true
		}
	}
	return at, l, ok
}

// drop takes sandboxes off a list, at most n, that are idle since a time or longer.
func (p *pool) drop(l list, since time.Time, n int) []*sandbox {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := 0
	for i < min(n, len(p.idle[l])) && !p.idle[l][i].idle.After(since) {
		p.runtime.idleBytes.Add(-p.idle[l][i].cost())
		i++
	}
	gone := slices.Clone(p.idle[l][:i])
	p.idle[l] = slices.Delete(p.idle[l], 0, i)
	if l == parked {
		p.ready = max(p.ready-i, 0)
	}
	return gone
}

// sweep ends what has been idle for long, and has what has been idle for a while give memory back.
func (p *pool) sweep(now time.Time) {
	for l := range lists {
		for _, s := range p.drop(l, now.Add(-endAfter), math.MaxInt) {
			s.close()
		}
	}
	for _, s := range p.shedAll(now.Add(-shedAfter)) {
		s.close()
	}
}

// shedAll has all that are idle since a time or longer give memory back. It returns those that have lost theirs, which
// are on no list any more.
func (p *pool) shedAll(since time.Time) (lost []*sandbox) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range lists {
		p.idle[l] = slices.DeleteFunc(p.idle[l], func(s *sandbox) bool {
			if s.idle.After(since) || p.shed(s) {
				return false
			}
			p.runtime.idleBytes.Add(-s.cost())
			lost = append(lost, s)
			return true
		})
	}
	return lost
}

// shed gives the memory back that a sandbox does not share with others, if that is possible. It returns false if the
// sandbox is of no use any more, or keeps a large native stack that a call has made grow.
func (p *pool) shed(s *sandbox) bool {
	if s.shed || s.parked != nil && s.parked.image == nil {
		return true
	}
	s.shed = true
	before := s.cost()
	err := s.memory.region.Shed()
	if s.parked != nil {
		s.parked.thin()
	}
	p.runtime.idleBytes.Add(s.cost() - before)
	return err == nil && nativeStack(s.start) <= startStack && nativeStack(s.run) <= startStack
}

// refill has more sandboxes parked if fewer wait than are needed at a time. missed tells that one was needed
// that was not there.
func (g *program) refill(missed bool) {
	p := &g.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed > 0 && time.Now().Before(p.again) {
		return
	}
	if missed || p.ready == 0 {
		p.ready = min(p.ready+1, mostReady)
	}
	if !p.filling && !p.closed {
		p.filling = true
		p.fillers.Go(g.fill)
	}
}

// fill parks sandboxes until enough wait.
func (g *program) fill() {
	for g.pool.wanting() {
		s, err := g.newParked()
		if err != nil {
			g.pool.giveUp(time.Now())
			return
		}
		g.pool.put(parked, s)
	}
}

// wanting tells whether more sandboxes are to be parked. If it returns false, filling has ended.
func (p *pool) wanting() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.filling = !p.closed && len(p.idle[parked]) < p.ready
	return p.filling
}

// giveUp ends filling, until the next sandbox is missed. What fails again and again is tried ever less often: a start
// can take all of its time, and the starts of other programs wait for it.
func (p *pool) giveUp(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.filling, p.ready = false, 0
	p.failed++
	p.again = now.Add(min(time.Duration(p.failed*p.failed)*failedWait, mostFailedWait))
}

// newParked returns a sandbox that is parked for one run.
func (g *program) newParked() (*sandbox, error) {
	select {
	case g.runtime.starts <- struct{}{}:
		defer func() { <-g.runtime.starts }()
	case <-g.pool.ctx.Done():
		return nil, g.pool.ctx.Err()
	}
	ctx, cancel := context.WithTimeout(g.pool.ctx, g.runtime.startTime)
	defer cancel()
	s := g.pool.take(clean)
	if s == nil {
		var err error
		if s, err = g.openKept(ctx); err != nil {
			return nil, err
		}
	}
	if err := s.park(ctx, &runtimes.Process{}, false); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// close ends all that is idle, and waits for what is being parked.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cancel()
	p.fillers.Wait()
	for l := range lists {
		for s := p.take(l); s != nil; s = p.take(l) {
			s.close()
		}
	}
}
