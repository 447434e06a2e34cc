package measure

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want float64
	}{
		{[]float64{3}, 3}, {[]float64{3, 1}, 2}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5},
	} {
		if got := Median(c.in); got != c.want {
			t.Errorf("%v: got %v, want %v", c.in, got, c.want)
		}
	}
	if got := Median(nil); !math.IsNaN(got) {
		t.Errorf("of nothing: got %v", got)
	}
	if in := []float64{2, 1}; Median(in) != 1.5 || in[0] != 2 {
		t.Errorf("the values were moved: %v", in)
	}
}

func TestQuantile(t *testing.T) {
	var d []time.Duration
	for i := 100; i > 0; i-- {
		d = append(d, time.Duration(i)*time.Microsecond)
	}
	for q, want := range map[float64]float64{0: 1, 0.5: 50, 0.99: 99, 0.991: 100, 1: 100} {
		if got := Quantile(d, q); got != want {
			t.Errorf("%v: got %v, want %v", q, got, want)
		}
	}
	if got := Quantile([]time.Duration{time.Millisecond}, 0.99); got != 1000 {
		t.Errorf("of one: got %v", got)
	}
	if got := Quantile(nil, 0.5); !math.IsNaN(got) {
		t.Errorf("of nothing: got %v", got)
	}
}

// series returns slices of 10 calls with the given processor times a call.
func series(micros ...time.Duration) (s Series) {
	for _, m := range micros {
		s = append(s, Sample{Calls: 10, CPU: 10 * m * time.Microsecond, Wall: time.Second, Allocs: 30, Bytes: 400,
			Latencies: []time.Duration{m * time.Microsecond}})
	}
	return s
}

func TestSeries(t *testing.T) {
	s := series(5, 1, 3)
	for what, c := range map[string][2]float64{
		"CPU": {s.CPU(), 3}, "rate": {s.Rate(), 10}, "allocs": {s.Allocs(), 3}, "bytes": {s.Bytes(), 40},
		"p50": {s.Latency(0.5), 3}, "p99": {s.Latency(0.99), 5},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: got %v, want %v", what, c[0], c[1])
		}
	}
}

// A disturbance that falls on both of a pair does not change their ratio, and slices without a partner do not count.
func TestRatio(t *testing.T) {
	base, mine := series(10, 100, 10), series(20, 200, 20, 1, 1, 1, 1)
	if got := mine.Ratio(base, Sample.CPUPerCall); got != 2 {
		t.Errorf("ratio: got %v", got)
	}
	if got := mine.Added(base); got != 10 {
		t.Errorf("added: got %v", got)
	}
	if got := mine.Ratio(nil, Sample.CPUPerCall); !math.IsNaN(got) {
		t.Errorf("without a base: got %v", got)
	}
}

func TestSlice(t *testing.T) {
	for _, c := range []struct{ calls, callers, latencies int }{
		{1, 0, 1}, {1, 16, 1}, {100, 1, 100}, {100, 16, 100}, {5000, 3, 1000},
	} {
		var made atomic.Int64
		var busy [16]atomic.Bool
		s, err := Slice{Calls: c.calls, Callers: c.callers}.Run(t.Context(), func(ctx context.Context, caller int) error {
			if _, ok := ctx.Deadline(); !ok {
				return errors.New("no deadline")
			}
			if busy[caller].Swap(true) {
				return errors.New("two calls of one caller at a time")
			}
			defer busy[caller].Store(false)
			made.Add(1)
			return nil
		})
		if err != nil || s.Calls != c.calls || int(made.Load()) != c.calls || len(s.Latencies) != c.latencies || s.Wall <= 0 {
			t.Errorf("%+v: made %d, got %d calls, %d latencies and the error %v", c, made.Load(), s.Calls, len(s.Latencies), err)
		}
	}
}

func TestSliceError(t *testing.T) {
	failure := errors.New("failure")
	var made atomic.Int64
	_, err := Slice{Calls: 1000, Callers: 4}.Run(t.Context(), func(context.Context, int) error {
		if made.Add(1) == 10 {
			return failure
		}
		return nil
	})
	if !errors.Is(err, failure) || made.Load() > 20 {
		t.Errorf("got %v after %d calls", err, made.Load())
	}
}

// Processor time grows with work.
func TestCPU(t *testing.T) {
	before, deadline := CPU(), time.Now().Add(10*time.Second)
	for CPU() < before+5*time.Millisecond {
		if time.Now().After(deadline) {
			t.Fatal("10 s of work took less than 5 ms of processor time")
		}
	}
}
