//go:build toolchain

package devloop_test

import (
	"slices"
	"testing"
	"time"
)

// rate is the load of the benchmark, in calls a second, whether they are answered or not.
const rate = 200

// inGo is as large as the function that a project in Go begins with.
var inGo = greeter{"go", "main.go", `package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
)

func main() {
	body, err := io.ReadAll(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(70)
	}
	request := struct{ Name string }{Name: string(body)}
	if json.Valid(body) {
		err = json.Unmarshal(body, &request)
	}
	fmt.Fprintln(os.Stderr, "greeting", request.Name, err)
	fmt.Print(%d)
}
`}

// BenchmarkDev edits functions under load, one in C and one in Go, and says how many calls failed and how long it was
// from the end of a build until the function answered. An operation is an edit with its build: for a hundred of them,
// -benchtime 100x.
func BenchmarkDev(b *testing.B) {
	for _, g := range []greeter{inC, inGo} {
		b.Run(g.language, func(b *testing.B) { benchmark(b, g) })
	}
}

// benchmark edits a function under load.
func benchmark(b *testing.B, g greeter) {
	d := start(b, g)
	l := &load{b: d}
	l.live.Store(1)
	stop := make(chan struct{})
	l.running.Go(func() {
		tick := time.NewTicker(time.Second / rate)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				l.running.Go(l.call)
			}
		}
	})
	var swaps, builds []time.Duration
	begin := time.Now()
	for b.Loop() {
		e := d.edit()
		if e.Err != nil {
			b.Fatal(e.Err)
		}
		l.live.Store(int64(d.number))
		swaps, builds = append(swaps, e.Swapped), append(builds, e.Built)
	}
	took := time.Since(begin)
	close(stop)
	l.running.Wait()
	if n := l.failed.Load(); n > 0 {
		b.Errorf("%d of %d calls failed, such as: %s", n, l.calls.Load(), *l.first.Load())
	}
	slices.Sort(swaps)
	slices.Sort(builds)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(float64(l.failed.Load()), "failed")
	b.ReportMetric(float64(l.calls.Load())/took.Seconds(), "calls/s")
	b.ReportMetric(ms(builds[len(builds)/2]), "p50-build-ms")
	b.ReportMetric(ms(swaps[len(swaps)/2]), "p50-live-ms")
	b.ReportMetric(ms(swaps[len(swaps)-1]), "max-live-ms")
}
