package jobs

import "time"

// pace is how quickly jobs of a function go here. So it is known how many to have in hand: enough that none waits for
// the network, and no more than there is time for. It starts slowly, as TCP does, and gives way where jobs wait for a
// processor, since others may have one.
type pace struct {
	most  int           // jobs that may run at a time
	took  time.Duration // an attempt, waiting included; moving average
	limit float64       // jobs that run at a time without waiting for one another
}

const (
	firstLimit = 8
	quickest   = 100 * time.Microsecond // less is run by the receiver itself
	quick      = 2 * time.Millisecond   // jobs that take less lie in hand before they begin
	ahead      = 100 * time.Millisecond // of work lies in hand
	mostAhead  = 256                    // jobs
	longWait   = 100 * time.Millisecond // after it fewer jobs begin
	shortWait  = 25 * time.Millisecond  // after it more jobs begin
)

func (p *pace) begin() { p.limit = float64(min(firstLimit, p.most)) }

// add takes note of an attempt, which waited for its process to begin.
func (p *pace) add(took, waited time.Duration) {
	if p.took == 0 {
		p.took = took
	}
	p.took += (took - p.took) / 8
	switch {
	case waited > longWait:
		p.limit = max(1, p.limit-p.limit/8)
	case waited < shortWait:
		p.limit = min(float64(p.most), p.limit+1)
	}
}

// inline reports whether a job is probably over sooner than another goroutine would have begun it.
func (p *pace) inline() bool { return p.took > 0 && p.took < quickest }

// room returns how many jobs may be in hand.
func (p *pace) room() int {
	n := max(1, int(p.limit))
	if p.took > 0 && p.took < quick {
		n = max(n, min(mostAhead, int(ahead/p.took)))
	}
	return n
}

// few returns how many jobs are worth a request.
func (p *pace) few() int {
	if p.took > 0 && p.took < quick {
		return p.room() / 2
	}
	return 1
}
