package jobs

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker/invokertest/await"
	"github.com/polyvoke/polyvoke/protocol"
)

// BenchmarkKeys runs jobs of a hundred keys: all that a key costs, beside a function without one.
func BenchmarkKeys(b *testing.B) {
	for _, key := range []string{"", "{1}"} {
		b.Run(fmt.Sprintf("key=%q", key), func(b *testing.B) {
			w := newBench(b)
			f := w.start(callerFunc(func(context.Context, *protocol.Request) *protocol.Reply { return success("x") }))
			f.Apply(function("f", func(j *protocol.Job) { j.Key = key }))
			w.outcome("f", w.publish("job.f.a", ""))
			begun := time.Now()
			for i := range b.N {
				if _, err := w.js.PublishAsync(fmt.Sprint("job.f.k", i%100), []byte("x")); err != nil {
					b.Fatal(err)
				}
			}
			<-w.js.PublishAsyncComplete()
			w.empty("f")
			if key != "" {
				await.Until(w.t, "the end of all lines", func() bool {
					_, left, _, err := w.st.LookAtTurns(b.Context(), "f")
					return err == nil && left == 0
				})
			}
			b.ReportMetric(float64(b.N)/time.Since(begun).Seconds(), "jobs/s")
		})
	}
}
