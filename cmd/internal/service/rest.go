package service

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// When a process counts as being at rest, and when that is worth a collection.
const (
	lookEvery = 5 * time.Second
	atRest    = 4 << 20  // bytes that it allocates between two looks, at most
	worth     = 32 << 20 // bytes that it has allocated since it was last collected late, at least
	soon      = 2        // looks after which it is collected first, for what the work has left
	late      = 9        // and again, for what has ended for want of work since then
)

// RestCollector gives memory back to the system when the process has little to do, until ctx ends. Go keeps as much as
// the next collection would begin at, which is five times what lives (see TuneCollector): after a thousand deployments
// that is most of what the process takes.
func RestCollector(ctx context.Context) {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	var r rester
	for {
		select {
		case <-t.C:
			if r.due(allocated()) {
				debug.FreeOSMemory()
			}
		case <-ctx.Done():
			return
		}
	}
}

// rester decides when to give memory back.
type rester struct {
	last, freed uint64 // bytes that had been allocated at the last look, and when memory was last given back late
	looks       int    // at which the process was at rest, in a row
}

// due reports whether memory is to be given back now. It is told how many bytes have been allocated so far.
func (r *rester) due(allocated uint64) bool {
	r.looks++
	if allocated-r.last >= atRest {
		r.looks = 0
	}
	r.last = allocated
	if allocated-r.freed < worth || r.looks != soon && r.looks < late {
		return false
	}
	if r.looks >= late {
		r.freed = allocated
	}
	return true
}

// allocated returns how many bytes the process has allocated on the heap since it began.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
