// Package measure takes figures: processor time and latencies of a slice of calls, and their medians
// and quantiles over many slices.
package measure

import (
	"math"
	"slices"
	"time"
)

// Sample is what one slice of calls took.
type Sample struct {
	Calls int           `json:"calls"`
	CPU   time.Duration `json:"cpu"`  // of the process and of the children that it has waited for
	Wall  time.Duration `json:"wall"` // from the first call's start to the last one's end

	// Latencies are those of at most about a thousand calls, evenly picked, in no order.
	Latencies []time.Duration `json:"latencies"`

	Allocs uint64 `json:"allocs"` // objects that Go allocated; 0 for what is not Go
	Bytes  uint64 `json:"bytes"`  // and their size
}

// CPUPerCall is the processor time of one call in microseconds.
func (s Sample) CPUPerCall() float64 { return micros(s.CPU) / float64(s.Calls) }

// Rate is how many calls a second there were.
func (s Sample) Rate() float64 { return float64(s.Calls) / s.Wall.Seconds() }

// micros is a duration in microseconds.
func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// Median returns the middle of values, or the mean of the two in the middle; NaN without any.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(values))
	m := len(s) / 2
	if len(s)%2 == 1 {
		return s[m]
	}
	return (s[m-1] + s[m]) / 2
}

// Quantile returns the smallest of the durations that the share q of them does not exceed, in
// microseconds; NaN without any. It sorts them.
func Quantile(d []time.Duration, q float64) float64 {
	if len(d) == 0 {
		return math.NaN()
	}
	slices.Sort(d)
	rank := int(math.Ceil(q*float64(len(d)))) - 1
	return micros(d[min(max(rank, 0), len(d)-1)])
}

// Series is the slices of one contestant, in the order in which they were taken.
type Series []Sample

// CPU is the median over the slices of the processor time of one call, in microseconds.
func (s Series) CPU() float64 { return Median(s.each(Sample.CPUPerCall)) }

// Least is the least processor time of one call of all slices, in microseconds: what a call takes while the machine
// does nothing else. It is NaN without any.
func (s Series) Least() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	return slices.Min(s.each(Sample.CPUPerCall))
}

// Rate is the median over the slices of the calls a second.
func (s Series) Rate() float64 { return Median(s.each(Sample.Rate)) }

// Allocs is the median over the slices of the objects that one call allocates.
func (s Series) Allocs() float64 {
	return Median(s.each(func(x Sample) float64 { return float64(x.Allocs) / float64(x.Calls) }))
}

// Bytes is the median over the slices of the bytes that one call allocates.
func (s Series) Bytes() float64 {
	return Median(s.each(func(x Sample) float64 { return float64(x.Bytes) / float64(x.Calls) }))
}

// Latency is the quantile q of the latencies of all slices, in microseconds.
func (s Series) Latency(q float64) float64 {
	var all []time.Duration
	for _, x := range s {
		all = append(all, x.Latencies...)
	}
	return Quantile(all, q)
}

// each returns a figure of every slice.
func (s Series) each(f func(Sample) float64) []float64 {
	out := make([]float64, len(s))
	for i, x := range s {
		out[i] = f(x)
	}
	return out
}

// Ratio is the median, over slices that were taken beside each other, of a figure of s divided by that
// of base. Slices without a partner do not count.
func (s Series) Ratio(base Series, f func(Sample) float64) float64 {
	var ratios []float64
	for i := range min(len(s), len(base)) {
		ratios = append(ratios, f(s[i])/f(base[i]))
	}
	return Median(ratios)
}

// Added is the median, over slices that were taken beside each other, of the processor time of a call
// that s needs beyond base, in microseconds.
func (s Series) Added(base Series) float64 {
	var added []float64
	for i := range min(len(s), len(base)) {
		added = append(added, s[i].CPUPerCall()-base[i].CPUPerCall())
	}
	return Median(added)
}
