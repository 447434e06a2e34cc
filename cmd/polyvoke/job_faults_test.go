package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// jobFaultTime is how long a fault of TestJobFaults lasts. JOB_FAULT_TIME changes it.
const jobFaultTime = 3 * time.Second

// jobFault is something that happens to what jobs are kept in. What it deletes is named by loses.
type jobFault struct {
	name  string
	begin func(w *world) (end func() error, err error)
	loses bool // jobs of that time, with what it deletes; others must get their outcome
}

// jobFaults are the faults of TestJobFaults.
func jobFaults(mounted bool) []jobFault {
	deleted := func(stream string, loses bool) jobFault {
		return jobFault{"deletion of " + stream, func(w *world) (func() error, error) {
			return deleting(stream)(w, nil)
		}, loses}
	}
	all := []jobFault{
		{"the server is away", func(w *world) (func() error, error) {
			w.server.signal(syscall.SIGSTOP)
			return func() error { w.server.signal(syscall.SIGCONT); return nil }, nil
		}, false},
		deleted("FN_DEAD", false),
		deleted("KV_fn_marks", false),
		deleted("FN_LATER", true),
		deleted("KV_fn_results", true),
		deleted(protocol.QueueStream("plain"), true),
		deleted(protocol.TurnStream("keyed"), true),
	}
	if mounted {
		all = append(all, jobFault{"full disk", func(w *world) (func() error, error) { return fillDisk(w, nil) }, false})
	}
	return all
}

// TestJobFaults has jobs accepted and run, most of them twice, while what they are kept in is deleted, the server is away
// or its disk is full. Whatever was accepted and not deleted has its outcome soon after, without a restart; what is
// refused is refused with an error that a publisher knows.
func TestJobFaults(t *testing.T) {
	length := duration(t, "JOB_FAULT_TIME", jobFaultTime)
	w := newWorld(t)
	s := session(t, w.url)
	for _, f := range []protocol.Function{
		{Name: "plain", Job: &protocol.Job{}}, {Name: "keyed", Job: &protocol.Job{Key: "header Order"}},
	} {
		f.Args, f.Job.AckWait = []string{"attempt", "1"}, protocol.Duration(2*time.Second)
		f.Job.Backoff = protocol.Backoff{First: protocol.Duration(100 * time.Millisecond), Most: protocol.Duration(time.Second)}
		ctx, cancel := context.WithTimeout(t.Context(), deployTime)
		if _, err := s.Deploy(ctx, f, runtimestest.Wasm()); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	f := &faulty{t: t, s: s, refused: map[string]int{}}
	f.well("deployment", time.Now())
	for _, one := range jobFaults(w.mounted) {
		f.suffer(w, one, length)
	}
	t.Logf("%d jobs; refused: %v", f.last, f.refused)
}

// faulty publishes jobs through faults.
type faulty struct {
	t       *testing.T
	s       *connect.Session
	last    int // number of the last job
	refused map[string]int
}

// publish publishes a job of each function, and returns those that were accepted.
func (f *faulty) publish() (accepted []string) {
	f.last++
	for _, name := range []string{"plain", "keyed"} {
		id := fmt.Sprint("j", f.last)
		m := &nats.Msg{Subject: protocol.RootJob + "." + name, Data: []byte(id), Header: nats.Header{
			protocol.HeaderID: {id}, "Order": {strconv.Itoa(f.last % 5)}}}
		ctx, cancel := context.WithTimeout(f.t.Context(), time.Second)
		_, err := f.s.JS.PublishMsg(ctx, m, jetstream.WithRetryAttempts(0))
		cancel()
		if err == nil {
			accepted = append(accepted, protocol.ResultKey(name, id))
			continue
		}
		var api *jetstream.APIError
		known := errors.As(err, &api) || errors.Is(err, jetstream.ErrNoStreamResponse) ||
			errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrConnectionClosed) ||
			errors.Is(err, nats.ErrReconnectBufExceeded)
		if !known {
			f.t.Errorf("a job is refused with %v", err)
		}
		f.refused[err.Error()]++
	}
	return accepted
}

// suffer has jobs run through one fault.
func (f *faulty) suffer(w *world, one jobFault, length time.Duration) {
	f.t.Helper()
	var accepted []string
	for range 20 {
		accepted = append(accepted, f.publish()...)
	}
	end, err := one.begin(w)
	if err != nil {
		f.t.Fatalf("%s: %v", one.name, err)
	}
	if end != nil {
		stop := time.Now().Add(length)
		for time.Now().Before(stop) {
			accepted = append(accepted, f.publish()...)
		}
		if err := end(); err != nil {
			f.t.Fatal(err)
		}
	}
	ended := time.Now()
	f.well(one.name, ended)
	if one.loses {
		return
	}
	slices.Sort(accepted)
	for _, job := range accepted {
		f.await(one.name, job, 2*time.Minute)
	}
}

// well waits until new jobs are accepted and done.
func (f *faulty) well(after string, since time.Time) {
	f.t.Helper()
	done := map[string]bool{}
	for len(done) < 2 {
		if time.Since(since) > 2*time.Minute {
			f.t.Fatalf("after %s: only jobs of %v are done", after, done)
		}
		var waiting sync.WaitGroup
		var mu sync.Mutex
		for _, job := range f.publish() {
			waiting.Go(func() {
				if f.outcome(job, 5*time.Second) == protocol.StateDone {
					mu.Lock()
					defer mu.Unlock()
					done[job[:strings.IndexByte(job, '.')]] = true
				}
			})
		}
		waiting.Wait()
	}
	f.t.Logf("well again %s after %s", time.Since(since).Round(10*time.Millisecond), after)
}

// await waits for a job to be done.
func (f *faulty) await(during, job string, within time.Duration) {
	f.t.Helper()
	if state := f.outcome(job, within); state != protocol.StateDone {
		f.t.Errorf("%s, accepted before or during %s, is %q", job, during, state)
	}
}

// outcome waits for the outcome of a job.
func (f *faulty) outcome(job string, within time.Duration) protocol.JobState {
	name, id, _ := strings.Cut(job, ".")
	st := store.New(f.s.JS, store.Config{})
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(f.t.Context(), time.Second)
		r, ok, err := st.Record(ctx, name, id)
		cancel()
		if err == nil && ok && r.State.Decided() {
			return r.State
		}
	}
	return ""
}
