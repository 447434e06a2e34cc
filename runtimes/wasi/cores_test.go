package wasi_test

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// BenchmarkCores is calls on one processor and on two, in turns. x-cores is how many times as many the second are, by
// the median of pairs of turns; x-cpu how much more processor time each of them takes, which a machine that has other
// things to do as well changes less.
func BenchmarkCores(b *testing.B) {
	inGo, err := goGuest()
	if err != nil {
		b.Fatal(err)
	}
	r := newRuntime(b)
	for _, c := range []struct {
		name, kind string
		module     []byte
	}{{"c", runtimes.StartReset, runtimestest.Wasm()}, {"go", runtimes.StartCheckpoint, inGo}} {
		b.Run(fmt.Sprintf("%s/%s", c.name, c.kind), func(b *testing.B) {
			g, err := r.Compile(b.Context(), c.module, runtimes.Options{Start: c.kind, Args: []string{"echo"}})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				compareCores(b, g)
			}
		})
	}
}

// compareCores calls a program on one and on two processors in turns.
func compareCores(b *testing.B, g runtimes.Program) {
	const turns = 20
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var ratios, costs []float64
	var rate [2]float64
	for range turns {
		var cost [2]float64
		for i := range 2 {
			runtime.GOMAXPROCS(i + 1)
			rate[i], cost[i] = callsFor(b, g, i+1, 100*time.Millisecond)
		}
		ratios = append(ratios, rate[1]/rate[0])
		costs = append(costs, cost[1]/cost[0])
	}
	slices.Sort(ratios)
	slices.Sort(costs)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(rate[0], "calls/s-1")
	b.ReportMetric(rate[1], "calls/s-2")
	b.ReportMetric(ratios[turns/2], "x-cores")
	b.ReportMetric(costs[turns/2], "x-cpu")
}

// callsFor calls a program from some goroutines for some time, and returns how many calls a second there were, and
// how much processor time in nanoseconds each took.
func callsFor(b *testing.B, g runtimes.Program, callers int, how time.Duration) (rate, cost float64) {
	body := []byte("0123456789abcdef")
	var all sync.WaitGroup
	counts := make([]int, 16*callers) // far enough apart for the processors
	began, cpu := time.Now(), cpuTime()
	for i := range callers {
		all.Go(func() {
			n, p := 0, newEcho()
			for ; n%32 > 0 || time.Since(began) < how; n++ {
				p.run(b, g, body)
			}
			counts[16*i] = n
		})
	}
	all.Wait()
	n := 0
	for _, c := range counts {
		n += c
	}
	return float64(n) / time.Since(began).Seconds(), float64(cpuTime()-cpu) / float64(n)
}
