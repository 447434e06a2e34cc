package stats

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestHistogram(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 {
		t.Error("an empty Histogram has a median")
	}
	r := rand.New(rand.NewPCG(1, 2))
	var all []time.Duration
	for range 10_000 {
		d := time.Duration(r.ExpFloat64() * float64(time.Millisecond))
		all = append(all, d)
		h.Add(d)
	}
	slices.Sort(all)
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 0.999} {
		got, want := h.Quantile(q), all[int(q*float64(len(all)))]
		if ratio := float64(got) / float64(want); ratio < 0.93 || ratio > 1.07 {
			t.Errorf("quantile %v is %v, want %v to 6 %%", q, got, want)
		}
	}
}

func TestBuckets(t *testing.T) {
	last := -1
	for d := time.Duration(0); d < 10*time.Hour; d += d/40 + 1 {
		b := bucketOf(d)
		if b < last {
			t.Fatalf("%v is in bucket %d, below %d", d, b, last)
		}
		if m := middleOf(b); d < 4*time.Hour && (m < d*93/100 || m > d*107/100+1) {
			t.Fatalf("the middle of %v's bucket is %v", d, m)
		}
		last = b
	}
	if bucketOf(-1) != 0 {
		t.Error("a clock that goes back must not panic")
	}
}

func TestHammerHistogram(t *testing.T) {
	var h Histogram
	var all sync.WaitGroup
	const each = 10_000
	for range 8 {
		all.Go(func() {
			for i := range each {
				h.Add(time.Duration(i))
				if i%1000 == 0 {
					h.Quantile(0.99)
				}
			}
		})
	}
	all.Wait()
	var total int64
	for i := range h.buckets {
		total += h.buckets[i].Load()
	}
	if total != 8*each {
		t.Errorf("%d of %d were counted", total, 8*each)
	}
}
