package jobs_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/jobs"
	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/invoker/triggers"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// batchSize is how many lines a batch of BenchmarkBatch has.
const batchSize = 100

// BenchmarkBatch has a C function echo jobs, events of a stream one by one, and events in batches, in turns. It says
// how much processor time of the client and of the server each job, event and line takes. All of it counts: the events
// are taken, become jobs, run, and have their results stored. The ratio is that of a line to a job.
func BenchmarkBatch(b *testing.B) {
	bb := newBench(b)
	job := worker{"C", inC}
	var direct, single, batched, ofServer time.Duration
	batches := uint64(0)
	b.ResetTimer()
	for i := range b.N {
		direct += bb.measure(job, fmt.Sprintf("d%d", i))
		single += bb.measureEvents(fmt.Sprintf("s%d", i), 0)
		batched += bb.measureEvents(fmt.Sprintf("b%d", i), batchSize)
		ofServer += bb.ofServer
		batches += bb.jobs
	}
	each := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / round / float64(b.N) }
	b.ReportMetric(each(direct), "us/job")
	b.ReportMetric(each(single), "us/event")
	b.ReportMetric(each(batched), "us/line")
	b.ReportMetric(each(ofServer), "server-us/line")
	b.ReportMetric(round*float64(b.N)/float64(batches), "lines/batch")
	b.ReportMetric(float64(batched)/float64(direct), "x-job")
	b.ReportMetric(float64(batched)/float64(single), "x-event")
	b.ReportMetric(0, "ns/op")
}

// measureEvents returns the processor time that a C function with a trigger, and the server, take for a round of events.
func (b *bench) measureEvents(name string, batch int) time.Duration {
	b.Helper()
	stream, err := b.js.CreateStream(b.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{name}})
	if err != nil {
		b.Fatal(err)
	}
	fn := &protocol.Function{Name: name, Job: &protocol.Job{Concurrency: 5000},
		Triggers: []protocol.Trigger{{Stream: name, Start: "all", Batch: batch}}}
	st := store.New(b.js, store.Config{})
	if _, err := st.MakeQueue(b.Context(), fn); err != nil {
		b.Fatal(err)
	}
	b.deploy(fn)
	for i := range round {
		if _, err := b.js.PublishAsync(name, fmt.Appendf(nil, `{"order":%d}`, i), jetstream.WithStallWait(time.Minute)); err != nil {
			b.Fatal(err)
		}
	}
	<-b.js.PublishAsyncComplete()
	before, server := jobs.CPU(), b.server.CPU()
	stopJobs := b.front(name, b.invoker)
	stopEvents := b.events(fn)
	b.awaitEvents(fn)
	b.ofServer = b.server.CPU() - server
	used := jobs.CPU() - before + b.ofServer
	stopEvents()
	stopJobs()
	if err := st.RemoveQueue(b.Context(), name); err != nil {
		b.Fatal(err)
	}
	if err := b.js.DeleteStream(b.Context(), stream.CachedInfo().Config.Name); err != nil {
		b.Fatal(err)
	}
	return used
}

// events starts to make jobs of the events of a function.
func (b *bench) events(fn *protocol.Function) (stop func()) {
	f := triggers.New(triggers.Config{JetStream: b.js})
	f.Apply(fn)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- f.Serve(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	}
}

// awaitEvents waits until all events of a function are jobs that are done.
func (b *bench) awaitEvents(fn *protocol.Function) {
	b.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for ; ; <-tick.C {
		if l := triggers.Lags(b.Context(), b.js, fn)[0]; l.Err != nil || l.Total() > 0 {
			continue
		}
		s, err := b.js.Stream(b.Context(), protocol.QueueStream(fn.Name))
		if err != nil {
			b.Fatal(err)
		}
		if state := s.CachedInfo().State; state.Msgs == 0 {
			b.jobs = state.LastSeq
			return
		}
	}
}

// deploy has the invoker serve the C function that echoes under a name.
func (b *bench) deploy(fn *protocol.Function) {
	b.Helper()
	if _, _, err := b.invoker.Registry.Put(b.Context(), *fn, runtimestest.Wasm()); err != nil {
		b.Fatal(err)
	}
	for r := (&protocol.Reply{Err: &protocol.Error{}}); r.Err != nil; {
		r = b.invoker.Invoke(b.Context(), &protocol.Request{Function: protocol.Ref{Name: fn.Name}})
	}
}
