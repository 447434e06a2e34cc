package hostiletest

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// all asks for all start kinds and crowds.
var all = flag.Bool("all", false, "with -bench Hostile: all start kinds and crowds, not one")

// crowds are how many calls there are at once, and what is promised about how long after its deadline each ends:
// nearly all (99 of 100), and every one. A good function beside them is promised an answer within goodPromise, nearly
// always.
func crowds() []crowd {
	return []crowd{
		{n: 10, pages: 512, patience: 100 * time.Millisecond, nearly: 10 * time.Millisecond, every: 50 * time.Millisecond},
		{n: 100, pages: 64, patience: 500 * time.Millisecond, nearly: 250 * time.Millisecond, every: 250 * time.Millisecond},
	}
}

const goodPromise = 100 * time.Millisecond

type crowd struct {
	n, pages      int           // pages are what each has of memory
	patience      time.Duration // the deadline; a first slice of each comes before any takes turns
	nearly, every time.Duration
}

// BenchmarkHostile runs each attack in crowds with a deadline, beside a good function that is called every
// millisecond, and reports in milliseconds how late calls ended (late-p99, late-max), how long the good function took
// (good-p99), and the longest that a goroutine waited which wants to run every millisecond (gap). The line "all" sums
// up, and its log names what was missed.
//
// Without the flag -all it takes one start kind, and one crowd, so that it can run often.
func BenchmarkHostile(b *testing.B) {
	kinds, crowds := starts(b), crowds()
	if !*all {
		kinds, crowds = []string{runtimes.StartReset}, crowds[:1]
	}
	for _, start := range kinds {
		for _, c := range crowds {
			b.Run(fmt.Sprintf("%s/n=%d", start, c.n), func(b *testing.B) { c.bench(b, start) })
		}
	}
}

// bench runs all attacks in a crowd.
func (c crowd) bench(b *testing.B, start string) {
	r, s := newRuntime(b, wasi.Config{}), newSlots()
	good, err := r.Compile(b.Context(), runtimestest.Wasm(), runtimes.Options{Start: start})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("nobody", func(b *testing.B) { // what the machine does by itself
		f := c.measure(b, func() []result { return idle(b.Context(), c.n, c.patience) }, good, s)
		f.report(b)
	})
	var sum figures
	var missed []string
	for _, a := range attacks(c.pages) {
		b.Run(a.name, func(b *testing.B) {
			g := a.compiled(b, r, start, 2*c.pages<<16)
			defer g.Close(b.Context())
			f := c.measure(b, func() []result { return a.rush(b, g, s, c) }, good, s)
			f.report(b)
			if m := f.missed(c); m != "" {
				missed = append(missed, a.name+": "+m)
			}
			sum.add(f)
		})
	}
	b.Run("all", func(b *testing.B) {
		for b.Loop() { // nothing: the figures are those of the others
		}
		sum.report(b)
		b.ReportMetric(float64(len(missed)), "missed")
		b.Logf("missed by:\n%s", strings.Join(missed, "\n"))
	})
}

// figures are what is measured.
type figures struct {
	late []time.Duration
	good []time.Duration
	gap  time.Duration
}

func (f *figures) add(g figures) {
	f.late, f.good, f.gap = append(f.late, g.late...), append(f.good, g.good...), max(f.gap, g.gap)
}

// rush runs an attack in a crowd, all at once. It may end at the deadline, whatever it would have done later.
func (a *attack) rush(b *testing.B, g runtimes.Program, s slots, c crowd) []result {
	results := a.round(b.Context(), g, s, c.n, c.patience)
	for _, r := range results {
		if !either(a.want, deadline()).is(r.err) {
			b.Errorf("got the error %v, want %s", r.err, a.want.what)
		}
	}
	return results
}

// idle waits for n deadlines at once.
func idle(ctx context.Context, n int, patience time.Duration) []result {
	results := make([]result, n)
	var all sync.WaitGroup
	for i := range results {
		all.Go(func() {
			at := time.Now().Add(patience)
			ctx, cancel := context.WithDeadline(ctx, at)
			defer cancel()
			<-ctx.Done()
			results[i].late = time.Since(at)
		})
	}
	all.Wait()
	return results
}

// measure takes the figures of rounds.
func (c crowd) measure(b *testing.B, round func() []result, good runtimes.Program, s slots) (f figures) {
	runtime.GC()
	gap := heartbeat()
	end := beside(b, good, s, time.Millisecond)
	for b.Loop() {
		for _, r := range round() {
			f.late = append(f.late, max(r.late, 0))
		}
	}
	f.good, f.gap = end(), gap()
	return f
}

// heartbeat measures the longest time between two beats of a goroutine that wants to run every millisecond.
func heartbeat() (end func() time.Duration) {
	stop, longest := make(chan struct{}), make(chan time.Duration)
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		var gap time.Duration
		for last := time.Now(); ; {
			select {
			case <-tick.C:
				gap, last = max(gap, time.Since(last)), time.Now()
			case <-stop:
				longest <- max(gap, time.Since(last))
				return
			}
		}
	}()
	return func() time.Duration {
		close(stop)
		return <-longest
	}
}

// report reports figures in milliseconds.
func (f *figures) report(b *testing.B) {
	for name, d := range map[string]time.Duration{
		"late-p99-ms": p99(f.late), "late-max-ms": p(f.late, 1), "good-p99-ms": p99(f.good), "gap-ms": f.gap,
	} {
		b.ReportMetric(float64(d.Microseconds())/1000, name)
	}
	b.ReportMetric(0, "ns/op") // it is the deadline
}

// missed says which promise was not kept, or returns "".
func (f *figures) missed(c crowd) string {
	switch {
	case p99(f.late) > c.nearly:
		return fmt.Sprintf("99 of 100 ended up to %v late, promised were %v", p99(f.late), c.nearly)
	case p(f.late, 1) > c.every:
		return fmt.Sprintf("one ended %v late, promised were %v", p(f.late, 1), c.every)
	case p99(f.good) > goodPromise:
		return fmt.Sprintf("99 of 100 good calls took up to %v, promised were %v", p99(f.good), goodPromise)
	}
	return ""
}

func p99(d []time.Duration) time.Duration { return p(d, 0.99) }

// p returns a quantile.
func p(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	d = slices.SortedFunc(slices.Values(d), cmp.Compare)
	return d[min(int(q*float64(len(d))), len(d)-1)]
}
