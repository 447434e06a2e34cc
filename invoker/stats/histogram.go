package stats

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Histogram counts durations in buckets, each 1/16 of a power of two wide, in the manner of HdrHistogram. So a quantile
// is right to about 6 %. Its zero value is ready to use; all methods may be called from several goroutines.
type Histogram struct {
	buckets [41 * 16]atomic.Int64 // up to 2^44 ns, about five hours
}

// bucketOf returns the bucket of d: below 16 ns d itself, then the exponent and four bits.
func bucketOf(d time.Duration) int {
	n := uint64(max(d, 0))
	if n < 16 {
		return int(n)
	}
	e := bits.Len64(n) - 5
	return min(e*16+int(n>>e), len(Histogram{}.buckets)-1)
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

// Add counts one duration.
func (h *Histogram) Add(d time.Duration) { h.buckets[bucketOf(d)].Add(1) }

// Quantile returns the duration that the share q of all durations does not exceed; 0 without any.
func (h *Histogram) Quantile(q float64) time.Duration {
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
