package measure

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Call is one call by one of several callers; calls of one caller never overlap.
type Call func(ctx context.Context, caller int) error

// Slice says how calls are made.
type Slice struct {
	Calls   int           `json:"calls"`
	Callers int           `json:"callers"` // how many at a time; 0 means one
	Pause   time.Duration `json:"pause"`   // of a caller before each of its calls; 0 means none
}

// patience is how long a slice may take before its context ends.
const patience = 5 * time.Minute

// kept is about how many latencies a slice keeps.
const kept = 1000

// Run makes the calls and returns what they took, or the first error, after which no more are made.
// The context of the calls has a deadline, as that of a service's has.
func (s Slice) Run(ctx context.Context, call Call) (Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	t := &tally{slice: s, every: int64(max(1, s.Calls/kept))}
	t.latencies = make([]time.Duration, 0, 2*kept)

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, begin := CPU(), time.Now()
	var all sync.WaitGroup
	for caller := range min(max(1, s.Callers), s.Calls) {
		all.Go(func() { t.work(ctx, caller, call) })
	}
	all.Wait()
	wall, spent := time.Since(begin), CPU()-cpu
	runtime.ReadMemStats(&after)
	return Sample{Calls: s.Calls, CPU: spent, Wall: wall, Latencies: t.latencies,
		Allocs: after.Mallocs - before.Mallocs, Bytes: after.TotalAlloc - before.TotalAlloc}, t.err
}

// tally is what the callers of one slice share.
type tally struct {
	slice Slice
	every int64 // every such call's latency is kept
	next  atomic.Int64

	mu        sync.Mutex
	latencies []time.Duration
	err       error
}

// work makes calls until all are made.
func (t *tally) work(ctx context.Context, caller int, call Call) {
	var pacer Pacer
	for {
		i := t.next.Add(1)
		if i > int64(t.slice.Calls) {
			return
		}
		if err := pacer.Wait(ctx, t.slice.Pause); err != nil {
			t.note(0, err)
			return
		}
		timed := i%t.every == 0
		var begin time.Time
		if timed {
			begin = time.Now()
		}
		err := call(ctx, caller)
		if timed || err != nil {
			t.note(time.Since(begin), err)
		}
	}
}

// note keeps a latency, or ends the slice.
func (t *tally) note(d time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		t.latencies = append(t.latencies, d)
		return
	}
	if t.err == nil {
		t.err = err
	}
	t.next.Store(int64(t.slice.Calls))
}
