package jobs_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/invoker/jobs"
	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// round is how many jobs are worked off in one go.
const round = 20_000

// worker works off a queue of round jobs, each of which has its result stored before it is acknowledged, until stop is
// called.
type worker struct {
	name  string
	start func(b *bench, queue string) (stop func())
}

// bench is a server in a process of its own, and a client.
type bench struct {
	testing.TB
	server  *jobs.Child
	nc      *nats.Conn
	js      jetstream.JetStream
	results jetstream.KeyValue
	invoker *invoker.Invoker
}

// BenchmarkJobs works off the same jobs in several ways, in turns, and says how much processor time of the client and
// of the server each job takes. The ratios are those of a C function that echoes to what people write with nats.go.
func BenchmarkJobs(b *testing.B) {
	bb := newBench(b)
	workers := []worker{{"idiomatic", idiomatic}, {"async", async}, {"front", echoing}, {"C", inC}}
	used := make([]time.Duration, len(workers))
	b.ResetTimer()
	for i := range b.N {
		for k, w := range workers {
			used[k] += bb.measure(w, fmt.Sprintf("q%d-%d", i, k))
		}
	}
	for k, w := range workers {
		b.ReportMetric(float64(used[k].Nanoseconds())/1000/round/float64(b.N), w.name+"-us/job")
	}
	b.ReportMetric(float64(used[3])/float64(used[0]), "x-idiomatic")
	b.ReportMetric(float64(used[3])/float64(used[1]), "x-async")
	b.ReportMetric(0, "ns/op")
}

func newBench(b *testing.B) *bench {
	child := jobs.StartChild(b)
	nc, err := nats.Connect(child.URL)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(nc.Close)
	bb := &bench{TB: b, server: child, nc: nc, js: registrytest.JetStream(b, nc)}
	bb.results, err = bb.js.CreateKeyValue(b.Context(),
		jetstream.KeyValueConfig{Bucket: "results", LimitMarkerTTL: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	bb.serve()
	return bb
}

// serve starts an invoker.
func (b *bench) serve() {
	reg, err := registry.Open(b.Context(), b.js, registry.Config{})
	if err != nil {
		b.Fatal(err)
	}
	rt, err := wasi.New(b.Context(), wasi.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = rt.Close(context.Background()) })
	b.invoker = invokertest.Serve(b, b.nc, &invoker.Invoker{Registry: reg, Runtime: rt}).Invoker
}

// measure returns the processor time that a worker and the server take for a round.
func (b *bench) measure(w worker, queue string) time.Duration {
	b.Helper()
	st := store.New(b.js, store.Config{})
	fn := &protocol.Function{Name: queue, Job: &protocol.Job{Concurrency: 5000}}
	if _, err := st.MakeQueue(b.Context(), fn); err != nil {
		b.Fatal(err)
	}
	if w.name == "C" {
		if _, _, err := b.invoker.Registry.Put(b.Context(), *fn, runtimestest.Wasm()); err != nil {
			b.Fatal(err)
		}
		for r := (&protocol.Reply{Err: &protocol.Error{}}); r.Err != nil; {
			r = b.invoker.Invoke(b.Context(), &protocol.Request{Function: protocol.Ref{Name: queue}})
		}
	}
	body := []byte("0123456789abcdef")
	for range round {
		if _, err := b.js.PublishAsync("job."+queue, body); err != nil {
			b.Fatal(err)
		}
	}
	<-b.js.PublishAsyncComplete()
	before := jobs.CPU() + b.server.CPU()
	stop := w.start(b, queue)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for left := uint64(1); left > 0; <-tick.C {
		s, err := b.js.Stream(b.Context(), protocol.QueueStream(queue))
		if err != nil {
			b.Fatal(err)
		}
		left = s.CachedInfo().State.Msgs
	}
	used := jobs.CPU() + b.server.CPU() - before
	stop()
	if err := st.RemoveQueue(b.Context(), queue); err != nil {
		b.Fatal(err)
	}
	return used
}

// consume starts what people use to consume.
func (b *bench) consume(queue string, each func(jetstream.Msg)) (stop func()) {
	c, err := b.js.Consumer(b.Context(), protocol.QueueStream(queue), store.Consumer)
	if err != nil {
		b.Fatal(err)
	}
	running, err := c.Consume(each)
	if err != nil {
		b.Fatal(err)
	}
	return running.Stop
}

// key returns the key of a job's result.
func key(m jetstream.Msg) string {
	meta, err := m.Metadata()
	if err != nil {
		panic(err)
	}
	return meta.Stream + "." + fmt.Sprint(meta.Sequence.Stream)
}

// idiomatic is what people write: 64 goroutines, each stores a result and acknowledges the job.
func idiomatic(b *bench, queue string) (stop func()) {
	places := make(chan struct{}, 64)
	var running sync.WaitGroup
	end := b.consume(queue, func(m jetstream.Msg) {
		places <- struct{}{}
		running.Go(func() {
			defer func() { <-places }()
			if _, err := b.results.Put(b.Context(), key(m), m.Data()); err != nil {
				b.Error(err)
			}
			_ = m.Ack()
		})
	})
	return func() { end(); running.Wait() }
}

// async is the best that people write: results are published without waiting.
func async(b *bench, queue string) (stop func()) {
	type open struct {
		stored jetstream.PubAckFuture
		m      jetstream.Msg
	}
	results, done := make(chan open, 8192), make(chan struct{})
	go func() {
		defer close(done)
		for r := range results {
			select {
			case <-r.stored.Ok():
				_ = r.m.Ack()
			case err := <-r.stored.Err():
				b.Error(err)
			}
		}
	}()
	end := b.consume(queue, func(m jetstream.Msg) {
		f, err := b.js.PublishMsgAsync(&nats.Msg{Subject: "$KV.results." + key(m), Data: m.Data()})
		if err != nil {
			b.Error(err)
			return
		}
		results <- open{f, m}
	})
	return func() { end(); close(results); <-done }
}

// echoer is a Caller that echoes.
type echoer struct{}

// Call implements protocol.Caller.
func (echoer) Call(_ context.Context, r *protocol.Request) (*protocol.Reply, error) {
	return &protocol.Reply{ID: r.ID, Body: append([]byte(nil), r.Body...),
		Report: &protocol.Report{Duration: 1}}, nil
}

// echoing is the front alone.
func echoing(b *bench, queue string) (stop func()) { return b.front(queue, echoer{}) }

// inC is the front with a C function that echoes.
func inC(b *bench, queue string) (stop func()) { return b.front(queue, b.invoker) }

func (b *bench) front(queue string, caller protocol.Caller) (stop func()) {
	f := jobs.New(jobs.Config{JetStream: b.js, Caller: caller, Later: nowhere{}})
	f.Apply(&protocol.Function{Name: queue, Job: &protocol.Job{Concurrency: 5000}})
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

// nowhere is a Later for jobs that never wait.
type nowhere struct{}

// Make implements jobs.Later.
func (nowhere) Make(context.Context) error { return nil }

// Put implements jobs.Later.
func (nowhere) Put(context.Context, string, string, time.Time, *nats.Msg) error {
	return fmt.Errorf("no job is to wait")
}
