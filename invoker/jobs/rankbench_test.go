package jobs

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// BenchmarkPriority runs jobs of a function without priorities, and of one that has got a job with one: all that it costs
// to sort them.
func BenchmarkPriority(b *testing.B) {
	for _, p := range []string{"", "normal", "low"} {
		b.Run(fmt.Sprintf("priority=%q", p), func(b *testing.B) {
			w := newBench(b)
			f := w.start(callerFunc(func(context.Context, *protocol.Request) *protocol.Reply { return success("x") }))
			f.Apply(function("f"))
			f.Synced()
			if p != "" {
				w.outcome("f", w.publish("job.f", "", protocol.HeaderPriority, "high"))
			}
			w.outcome("f", w.publish("job.f", ""))
			used, begun := CPU(), time.Now()
			w.flood("job.f", p, b.N)
			if w.empty("f"); p != "" {
				w.ranksEmpty("f")
			}
			b.ReportMetric(float64(b.N)/time.Since(begun).Seconds(), "jobs/s")
			b.ReportMetric(float64((CPU()-used).Microseconds())/float64(b.N), "cpu-us/job")
		})
	}
}

// BenchmarkOvertake says how long a job waits until it begins that comes behind 5,000 others of which each takes 5 ms, four
// at a time, and how many of them begin meanwhile: those that run, if it has a priority.
func BenchmarkOvertake(b *testing.B) {
	for _, p := range []string{"normal", "high"} {
		b.Run("priority="+p, func(b *testing.B) {
			for range b.N {
				w := newBench(b)
				began := make(chan time.Time, 1)
				f := w.start(callerFunc(func(_ context.Context, r *protocol.Request) *protocol.Reply {
					if string(r.Body) == "mine" {
						began <- time.Now()
						return success("x")
					}
					time.Sleep(5 * time.Millisecond)
					return success("x")
				}))
				f.Apply(function("f", func(j *protocol.Job) { j.Concurrency = 4 }))
				f.Synced()
				w.outcome("f", w.publish("job.f", "", protocol.HeaderPriority, "low"))
				w.flood("job.f", map[string]string{"high": "low"}[p], 5000)
				sent := time.Now()
				w.publish("job.f", "mine", protocol.HeaderPriority, p)
				b.ReportMetric(float64((<-began).Sub(sent).Microseconds())/1000, "ms-to-begin")
				f.end()
			}
		})
	}
}
