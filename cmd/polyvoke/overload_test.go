package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// The measure of TestOverload. OVERLOAD_TIME is the variable that changes overloadTime.
const (
	overloadTime  = 4 * time.Second
	overloadSlots = 4                     // calls that an invoker runs at a time, and as many wait
	overloadWork  = 20 * time.Millisecond // of a call
	overloadTimes = 3                     // the capacity
)

// TestOverload asks for three times what invokers can do, by jobs and by calls. Jobs queue and none is lost, calls are
// refused with 429 soon, and jobs of another function go on. How soon and how much slower is logged: a busy machine says
// nothing about that, so the bounds here are wide.
func TestOverload(t *testing.T) {
	w := newWorld(t)
	s := session(t, w.url)
	for _, name := range []string{"flooded", "other"} {
		f := protocol.Function{Name: name, Args: []string{"attempt", "0", fmt.Sprint(overloadWork.Milliseconds())},
			Limits: protocol.Limits{Concurrency: overloadSlots, Queue: overloadSlots}, Job: &protocol.Job{}}
		ctx, cancel := context.WithTimeout(t.Context(), deployTime)
		if _, err := s.Deploy(ctx, f, runtimestest.Wasm()); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	length := duration(t, "OVERLOAD_TIME", overloadTime)
	o := &overload{t: t, s: s, sent: map[string]time.Time{}, took: map[string][]time.Duration{}}
	sub, err := s.Subscribe("$KV."+protocol.BucketResults+".>", o.ended)
	if err == nil {
		err = sub.SetPendingLimits(-1, -1)
	}
	if err != nil {
		t.Fatal(err)
	}
	for o.publish("other") != nil || o.publish("flooded") != nil { // invokers make queues when they hear of the function
		time.Sleep(50 * time.Millisecond)
	}
	pause := overloadWork / (overloadSlots * chaosInvokers) / overloadTimes
	o.trickle(length / 2)
	alone := o.figures("other")
	var flood sync.WaitGroup
	ctx, stop := context.WithTimeout(t.Context(), length)
	defer stop()
	flooded := 0
	flood.Go(func() {
		for begun := time.Now(); ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
			for ctx.Err() == nil && time.Duration(flooded)*pause < time.Since(begun) && o.publish("flooded") == nil {
				flooded++
			}
		}
	})
	o.trickle(length)
	flood.Wait()
	beside := o.figures("other")
	o.await()
	t.Logf("jobs of another function: %v alone, %v beside a flood of %d, which is %.1f times as long", alone, beside, flooded,
		float64(beside.p50)/float64(alone.p50))
	if beside.p50 > 20*alone.p50+time.Second {
		t.Errorf("jobs of another function took %v, and %v before", beside, alone)
	}
	o.call(pause, length)
}

// overload publishes jobs and calls, and measures them.
type overload struct {
	t *testing.T
	s *connect.Session

	mu   sync.Mutex
	n    int
	sent map[string]time.Time // by job, those that have not ended
	took map[string][]time.Duration
}

// publish publishes a job.
func (o *overload) publish(name string) error {
	o.mu.Lock()
	o.n++
	id := fmt.Sprint("j", o.n)
	o.sent[name+"."+id] = time.Now()
	o.mu.Unlock()
	m := &nats.Msg{Subject: protocol.RootJob + "." + name, Header: nats.Header{protocol.HeaderID: {id}}}
	_, err := o.s.JS.PublishMsg(o.t.Context(), m)
	if err != nil {
		o.mu.Lock()
		delete(o.sent, name+"."+id)
		o.mu.Unlock()
	}
	return err
}

// ended takes the record of a job.
func (o *overload) ended(m *nats.Msg) {
	key := strings.TrimPrefix(m.Subject, "$KV."+protocol.BucketResults+".")
	name, _, _ := strings.Cut(key, ".")
	o.mu.Lock()
	defer o.mu.Unlock()
	if at, ok := o.sent[key]; ok {
		o.took[name] = append(o.took[name], time.Since(at))
		delete(o.sent, key)
	}
}

// trickle publishes a job of the other function now and then.
func (o *overload) trickle(length time.Duration) {
	for end := time.Now().Add(length); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err := o.publish("other"); err != nil {
			o.t.Errorf("a job is refused: %v", err)
		}
	}
}

// latency is how long something took.
type latency struct {
	n        int
	p50, p99 time.Duration
}

func (l latency) String() string { return fmt.Sprintf("p50 %v p99 %v (%d)", l.p50, l.p99, l.n) }

func latencyOf(took []time.Duration) latency {
	slices.Sort(took)
	if len(took) == 0 {
		return latency{}
	}
	return latency{len(took), took[len(took)/2].Round(time.Millisecond / 10), took[len(took)*99/100].Round(time.Millisecond / 10)}
}

// figures returns how long jobs took since the last figures.
func (o *overload) figures(name string) latency {
	o.mu.Lock()
	defer o.mu.Unlock()
	took := o.took[name]
	o.took[name] = nil
	return latencyOf(took)
}

// await waits until all jobs have ended.
func (o *overload) await() {
	o.t.Helper()
	for end := time.Now().Add(5 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		o.mu.Lock()
		left := len(o.sent)
		o.mu.Unlock()
		if left == 0 {
			return
		}
		if time.Now().After(end) {
			o.t.Fatalf("%d jobs have no outcome", left)
		}
	}
}

// call calls the function three times as often as it can answer.
func (o *overload) call(pause, length time.Duration) {
	var mu sync.Mutex
	var calls sync.WaitGroup
	codes, refused := map[string]int{}, []time.Duration(nil)
	echoes := o.echo(length)
	for begun, n := time.Now(), 0; time.Since(begun) < length; time.Sleep(5 * time.Millisecond) {
		for ; time.Duration(n)*pause < time.Since(begun); n++ {
			calls.Go(func() {
				at := time.Now()
				m, err := o.s.RequestWithContext(o.t.Context(), "fn.flooded", nil)
				if err != nil {
					o.t.Errorf("a call has no answer: %v", err)
					return
				}
				took, code := time.Since(at), m.Header.Get(protocol.HeaderErrorCode)
				mu.Lock()
				defer mu.Unlock()
				if codes[code]++; code == "429" {
					refused = append(refused, took)
				}
			})
		}
	}
	calls.Wait()
	l := latencyOf(refused)
	o.t.Logf("calls by code: %v; refused after %v; a message to the server and back meanwhile %v", codes, l, <-echoes)
	if codes["429"] == 0 || codes[""] == 0 || codes["429"]+codes[""]+codes["504"] != sum(codes) {
		o.t.Errorf("calls by code: %v", codes)
	}
	if l.p50 > time.Second {
		o.t.Errorf("calls are refused after %v", l)
	}
}

// echo measures how long a message takes to the server and back to this process, which no invoker sees: what of a call's
// time is the machine's.
func (o *overload) echo(length time.Duration) <-chan latency {
	out := make(chan latency, 1)
	sub, err := o.s.SubscribeSync(o.s.NewInbox())
	if err != nil {
		o.t.Fatal(err)
	}
	go func() {
		var took []time.Duration
		for begun := time.Now(); time.Since(begun) < length; time.Sleep(5 * time.Millisecond) {
			at := time.Now()
			if o.s.Publish(sub.Subject, nil) == nil {
				if _, err := sub.NextMsg(time.Minute); err == nil {
					took = append(took, time.Since(at))
				}
			}
		}
		_ = sub.Unsubscribe()
		out <- latencyOf(took)
	}()
	return out
}

// sum returns how many calls have an answer.
func sum(codes map[string]int) (n int) {
	for _, count := range codes {
		n += count
	}
	return n
}
