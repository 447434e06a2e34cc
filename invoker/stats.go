package invoker

import (
	"math/bits"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// stats counts what an endpoint of a function did. All methods may be called from several
// goroutines, and none waits.
type stats struct {
	requests  atomic.Int64
	errors    atomic.Int64
	nanos     atomic.Int64 // of all requests together, from receipt to reply
	cold      atomic.Int64
	lastError atomic.Pointer[string]
	times     histogram
}

func newStats() *stats { return new(stats) }

// count adds a call that is about to be answered, to its endpoint's figures.
func (f *function) count(c *call, r *protocol.Reply) {
	s := c.endpoint
	took := time.Since(c.received)
	s.requests.Add(1)
	s.nanos.Add(int64(took))
	s.times.add(took)
	if r.Err != nil {
		s.errors.Add(1)
		text := strconv.Itoa(r.Err.Code) + ":" + protocol.CleanValue(r.Err.Error(), protocol.MaxErrorText)
		s.lastError.Store(&text)
	}
}

// last returns the last error as CODE:TEXT, the way ADR-32 writes it, or "".
func (s *stats) last() string {
	if p := s.lastError.Load(); p != nil {
		return *p
	}
	return ""
}

// figures returns the function's figures for s, one of its endpoints.
func (f *function) figures(s *stats) protocol.Stats {
	f.mu.Lock()
	out := protocol.Stats{InFlight: f.running, Waiting: len(f.queue)}
	if f.latest != nil {
		m := f.latest.manifest
		out.Digest, out.Language, out.Version = m.Digest, m.Language, m.Version
		out.Start = protocol.StartFresh
	}
	f.mu.Unlock()
	out.Requests, out.Errors, out.Cold = s.requests.Load(), s.errors.Load(), s.cold.Load()
	out.P50, out.P99 = s.times.quantile(0.50), s.times.quantile(0.99)
	return out
}

// histogram counts durations in buckets of which each is 1/16 of a power of two wide, so that a
// quantile is right to about 6 %, in the manner of HdrHistogram.
type histogram struct {
	buckets [41 * 16]atomic.Int64 // up to 2^44 ns, about five hours
}

// bucketOf returns the bucket of d: below 16 ns d itself, then the exponent and four bits.
func bucketOf(d time.Duration) int {
	n := uint64(max(d, 0))
	if n < 16 {
		return int(n)
	}
	e := bits.Len64(n) - 5
	return min(e*16+int(n>>e), len(histogram{}.buckets)-1)
}

// middleOf returns a duration in the middle of a bucket.
func middleOf(bucket int) time.Duration {
	if bucket < 16 {
		return time.Duration(bucket)
	}
	e := bucket/16 - 1
	low := uint64(16+bucket%16) << e
	return time.Duration(low + 1<<e/2)
}

// add counts one duration.
func (h *histogram) add(d time.Duration) { h.buckets[bucketOf(d)].Add(1) }

// quantile returns the duration that the share q of all durations does not exceed; 0 without any.
func (h *histogram) quantile(q float64) time.Duration {
	var total int64
	var counts [len(h.buckets)]int64
	for i := range h.buckets {
		counts[i] = h.buckets[i].Load()
		total += counts[i]
	}
	rank := int64(q * float64(total))
	for i, n := range counts {
		if rank -= n; rank < 0 {
			return middleOf(i)
		}
	}
	return 0
}
