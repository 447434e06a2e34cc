package jobs

import "time"

// pace is how quickly jobs of a function go here. So it is known how many to have in hand: enough that none waits for
// the network, and no more than there is time for. It starts slowly, as TCP does, and gives way where jobs wait for a
// processor, since others may have one.
type pace struct {
	most  int           // jobs that may run at a time
	took  time.Duration // an attempt; moving average, in which none counts for more than twice quickest
	limit float64       // jobs that run at a time without waiting for one another
	gap   time.Duration // from the end of one attempt to that of the next, while there is work; moving average
	ended time.Time     // when the last attempt did, if there was work then; else zero
}

const (
	firstLimit = 8
	quickest   = 100 * time.Microsecond // less is run by the receiver itself
	ahead      = 100 * time.Millisecond // of work lies in hand
	mostAhead  = 512                    // jobs
	worthwhile = 20 * time.Millisecond  // of work is what a request asks for at least
	longWait   = 100 * time.Millisecond // after it fewer jobs begin
	shortWait  = 25 * time.Millisecond  // after it more jobs begin
)

func (p *pace) begin() { p.limit = float64(min(firstLimit, p.most)) }

// add takes note of an attempt that ends now: how long it took, and how long it waited for its process to begin. more
// says that there is other work.
func (p *pace) add(took, waited time.Duration, now time.Time, more bool) {
	p.took = average(p.took, min(took, 2*quickest))
	if !p.ended.IsZero() {
		p.gap = average(p.gap, now.Sub(p.ended))
	}
	if p.ended = now; !more {
		p.ended = time.Time{}
	}
	switch {
	case waited > longWait:
		p.limit = max(1, p.limit-p.limit/8)
	case waited < shortWait:
		p.limit = min(float64(p.most), p.limit+1)
	}
}

// average returns a moving average with one more value.
func average(before, value time.Duration) time.Duration {
	if before == 0 {
		return value
	}
	return before + (value-before)/16
}

// inline reports whether a job is probably over sooner than another goroutine would have begun it.
func (p *pace) inline() bool { return p.took > 0 && p.took < quickest }

// room returns how many jobs may be in hand.
func (p *pace) room() int {
	n := max(1, int(p.limit))
	if p.gap > 0 {
		n = max(n, min(mostAhead, int(ahead/p.gap)))
	}
	return n
}

// few returns how many jobs are worth a request.
func (p *pace) few() int {
	if p.gap == 0 {
		return 1
	}
	return max(1, min(int(worthwhile/p.gap), p.room()/2))
}
