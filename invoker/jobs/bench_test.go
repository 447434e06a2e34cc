package jobs_test

import (
	"context"
	"fmt"
	"slices"
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

	ofServer time.Duration // of what was measured last
	jobs     uint64        // of the events that were measured last
}

// BenchmarkJobs works off the same jobs in several ways, in turns, and says how much processor time of the client and
// of the server each job takes. The ratios are those of a C function that echoes to what people write with nats.go.
// Of those only deciding makes sure that a job has one result, and that it expires.
func BenchmarkJobs(b *testing.B) {
	bb := newBench(b)
	workers := []worker{{"idiomatic", idiomatic}, {"async", async}, {"deciding", deciding}, {"front", echoing}, {"C", inC}}
	used, ofServer := make([]time.Duration, len(workers)), make([]time.Duration, len(workers))
	b.ResetTimer()
	for i := range b.N {
		for k, w := range workers {
			used[k] += bb.measure(w, fmt.Sprintf("q%d-%d", i, k))
			ofServer[k] += bb.ofServer
		}
	}
	for k, w := range workers {
		b.ReportMetric(float64(used[k].Nanoseconds())/1000/round/float64(b.N), w.name+"-us/job")
		b.ReportMetric(float64(ofServer[k].Nanoseconds())/1000/round/float64(b.N), w.name+"-server-us/job")
	}
	inC := float64(used[len(used)-1])
	b.ReportMetric(inC/float64(used[0]), "x-idiomatic")
	b.ReportMetric(inC/float64(used[1]), "x-async")
	b.ReportMetric(inC/float64(used[2]), "x-deciding")
	b.ReportMetric(0, "ns/op")
}

// idleFunctions is how many functions with queues, and without jobs, BenchmarkIdle has.
const idleFunctions = 1000

// BenchmarkIdle works off jobs beside functions that have queues and no jobs, and with those asleep, in turns.
func BenchmarkIdle(b *testing.B) {
	bb := newBench(b)
	st := store.New(bb.js, store.Config{})
	idle := make([]*protocol.Function, idleFunctions)
	for i := range idle {
		idle[i] = &protocol.Function{Name: fmt.Sprint("idle", i), Job: &protocol.Job{}}
		if _, err := st.MakeQueue(b.Context(), idle[i]); err != nil {
			b.Fatal(err)
		}
	}
	alone := worker{"alone", echoing}
	var used [2]time.Duration
	b.ResetTimer()
	for i := range b.N {
		used[0] += bb.measure(alone, fmt.Sprintf("a%d", i))
		stop := bb.front(idle[0].Name, echoer{}, idle...)
		for _, fn := range idle {
			bb.awaitPull(fn.Name)
		}
		used[1] += bb.measure(alone, fmt.Sprintf("b%d", i))
		stop()
	}
	b.ReportMetric(float64(used[1])/float64(used[0]), "x-alone")
	b.ReportMetric(0, "ns/op")
}

// awaitPull waits until somebody waits for the jobs of a function.
func (b *bench) awaitPull(name string) {
	b.Helper()
	for {
		c, err := b.js.Consumer(b.Context(), protocol.QueueStream(name), store.Consumer)
		if err != nil {
			b.Fatal(err)
		}
		if c.CachedInfo().NumWaiting > 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// BenchmarkStart says how long it is from the publication of a job to its start, beside the round trip of a request.
func BenchmarkStart(b *testing.B) {
	bb := newBench(b)
	own, err := nats.Connect(bb.server.URL)
	if err != nil {
		b.Fatal(err)
	}
	defer own.Close()
	if _, err := own.Subscribe("echo", func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
		b.Fatal(err)
	}
	begun := make(chan time.Time, 1)
	caller := starter(begun)
	fn := &protocol.Function{Name: "start", Job: &protocol.Job{}}
	if _, err := store.New(bb.js, store.Config{}).MakeQueue(b.Context(), fn); err != nil {
		b.Fatal(err)
	}
	defer bb.front("start", caller)()
	var jobs, requests []time.Duration
	for range max(b.N, 100) {
		at := time.Now()
		if err := own.Publish("job.start", nil); err != nil {
			b.Fatal(err)
		}
		jobs = append(jobs, (<-begun).Sub(at))
		at = time.Now()
		if _, err := bb.nc.Request("echo", nil, time.Minute); err != nil {
			b.Fatal(err)
		}
		requests = append(requests, time.Since(at))
	}
	slices.Sort(jobs)
	slices.Sort(requests)
	b.ReportMetric(float64(jobs[len(jobs)/2].Nanoseconds())/1000, "p50-start-us")
	b.ReportMetric(float64(requests[len(requests)/2].Nanoseconds())/1000, "p50-request-us")
	b.ReportMetric(float64(jobs[len(jobs)/2])/float64(requests[len(requests)/2]), "x-request")
}

// starter is a Caller that says when it is called.
type starter chan time.Time

// Call implements protocol.Caller.
func (s starter) Call(ctx context.Context, r *protocol.Request) (*protocol.Reply, error) {
	s <- time.Now()
	return echoer{}.Call(ctx, r)
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
		b.deploy(fn)
	}
	body := []byte("0123456789abcdef")
	for range round {
		if _, err := b.js.PublishAsync("job."+queue, body, jetstream.WithStallWait(time.Minute)); err != nil {
			b.Fatal(err)
		}
	}
	<-b.js.PublishAsyncComplete()
	before, server := jobs.CPU(), b.server.CPU()
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
	b.ofServer = b.server.CPU() - server
	used := jobs.CPU() - before + b.ofServer
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
	return b.async(queue, func(m jetstream.Msg) *nats.Msg {
		return &nats.Msg{Subject: "$KV.results." + key(m), Data: m.Data()}
	})
}

// deciding is async with the records that jobs have: the first one is the outcome, and it expires.
func deciding(b *bench, queue string) (stop func()) {
	st := store.New(b.js, store.Config{})
	if err := st.Make(b.Context()); err != nil {
		b.Fatal(err)
	}
	return b.async(queue, func(m jetstream.Msg) *nats.Msg {
		r := protocol.Record{State: protocol.StateDone, Attempts: 1, Accepted: time.Now(), Reply: protocol.Reply{Body: m.Data()}}
		return st.RecordMessage(queue, key(m), &r, 0, 24*time.Hour)
	})
}

// async starts a consumer that publishes results without waiting, and acknowledges jobs whose results are stored.
func (b *bench) async(queue string, result func(jetstream.Msg) *nats.Msg) (stop func()) {
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
		f, err := b.js.PublishMsgAsync(result(m), jetstream.WithStallWait(time.Minute))
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

func (b *bench) front(queue string, caller protocol.Caller, others ...*protocol.Function) (stop func()) {
	f := jobs.New(jobs.Config{JetStream: b.js, Caller: caller, Later: nowhere{}})
	for _, fn := range others {
		f.Apply(fn)
	}
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
