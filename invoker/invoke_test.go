package invoker_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/invoker/stats"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// askProbe returns a request to the conformance suite's probe.
func askProbe(args ...string) *protocol.Request {
	return &protocol.Request{Function: protocol.Ref{Name: "probe"}, Args: args}
}

// TestInvokeInEachState calls what is there and what is not, in each state of an invoker: only one that serves may say
// that there is no such function.
func TestInvokeInEachState(t *testing.T) {
	s := startServer(t)
	nc := connect(t, s)
	first := startInvoker(t, s)
	deployProbe(t, nc, "probe", protocol.Limits{})
	missing := &protocol.Request{Function: protocol.Ref{Name: "missing"}}
	first.end(t)
	wantError(t, *first.Invoke(t.Context(), missing), 503, "ending")

	reg, err := registry.Open(t.Context(), registrytest.JetStream(t, nc), registry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	compile := make(chan struct{})
	v := &invoker.Invoker{Registry: reg, Runtime: gated{sandbox, compile}}
	wantError(t, *v.Invoke(t.Context(), askProbe()), 503, "does not serve yet")
	if v.State() != invoker.Idle {
		t.Errorf("state %v", v.State())
	}
	ready := make(chan struct{})
	v.Ready = func() { close(ready) }
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- v.Serve(ctx, nc) }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	eventually(t, "the start", tick.C, func() bool { return v.State() == invoker.Starting })
	wantError(t, *v.Invoke(t.Context(), missing), 503, "starting")
	wantError(t, *v.Invoke(t.Context(), askProbe()), 503, "")
	close(compile)
	<-ready
	if v.State() != invoker.Serving {
		t.Errorf("state %v", v.State())
	}
	wantError(t, *v.Invoke(t.Context(), missing), 404, "there is no function missing")
	if r := v.Invoke(t.Context(), askProbe()); r.Err != nil {
		t.Error(r.Err)
	}
	stop()
	if err := <-done; err != nil || v.State() != invoker.Ending {
		t.Errorf("state %v, %v", v.State(), err)
	}
	wantError(t, *v.Invoke(t.Context(), askProbe()), 503, "ending")
}

// gated is a runtime that compiles nothing before its channel is closed.
type gated struct {
	runtimes.Runtime
	open <-chan struct{}
}

func (g gated) Compile(ctx context.Context, module []byte, o runtimes.Options) (runtimes.Program, error) {
	<-g.open
	return g.Runtime.Compile(ctx, module, o)
}

// TestInvokeHammer calls without a pause while invokers start, serve and end. A function that is there is never said
// not to be.
func TestInvokeHammer(t *testing.T) {
	s := startServer(t)
	nc := connect(t, s)
	keeps := startInvoker(t, s)
	deployProbe(t, nc, "probe", protocol.Limits{Concurrency: 1000, Queue: 1000})
	for range 3 {
		reg, err := registry.Open(t.Context(), registrytest.JetStream(t, nc), registry.Config{})
		if err != nil {
			t.Fatal(err)
		}
		v := &invoker.Invoker{Registry: reg, Runtime: sandbox}
		ready := make(chan struct{})
		v.Ready = func() { close(ready) }
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		var served, refused atomic.Int64
		var ended atomic.Bool
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() {
				for !ended.Load() {
					switch r := v.Invoke(t.Context(), askProbe()); {
					case r.Err == nil:
						served.Add(1)
					case r.Err.Code == protocol.CodeUnavailable || r.Err.Code == protocol.CodeTooMany:
						refused.Add(1)
					default:
						t.Errorf("in state %v: %v", v.State(), r.Err)
						return
					}
				}
			})
		}
		go func() { done <- v.Serve(ctx, nc) }()
		<-ready
		tick := time.NewTicker(time.Millisecond)
		eventually(t, "some calls", tick.C, func() bool { return served.Load() > 100 })
		tick.Stop()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		ended.Store(true)
		callers.Wait()
		if refused.Load() == 0 {
			t.Error("no call came too early or too late")
		}
	}
	keeps.end(t)
}

// TestPatient fills a function's queue. A call that waits as long as it may is answered in the end; one that waits too
// long, or whose caller does not, is told so.
func TestPatient(t *testing.T) {
	s := startServer(t)
	v := startInvoker(t, s, func(v *invoker.Invoker) { v.Slots = 1 })
	nc := connect(t, s)
	deployProbe(t, nc, "probe", protocol.Limits{Concurrency: 1, Queue: 1, Timeout: protocol.Duration(time.Minute)})
	running, end := context.WithCancel(t.Context())
	var calls sync.WaitGroup
	invoke := func(ctx context.Context, r *protocol.Request, code int) {
		calls.Go(func() {
			got := v.Invoke(ctx, r)
			if code == 0 && got.Err != nil || code != 0 && (got.Err == nil || got.Err.Code != code) {
				t.Errorf("%v: %v, want code %d", r.Args, got.Err, code)
			}
		})
	}
	patient := func(args ...string) *protocol.Request {
		r := askProbe(args...)
		r.Patient = true
		return r
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	invoke(running, askProbe("sleep", "60000"), 503)
	eventually(t, "the first call's start", tick.C, func() bool { return inFlight(t, nc, "probe") == 1 })
	invoke(t.Context(), askProbe(), 0)
	eventually(t, "a full queue", tick.C, func() bool { return waiting(t, nc, "probe") == 1 })

	leaves, leave := context.WithCancel(t.Context())
	invoke(leaves, patient(), 503)
	soon := patient()
	soon.Timeout = 50 * time.Millisecond
	invoke(t.Context(), soon, 504)
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	invoke(short, patient(), 504)
	for range 5 {
		invoke(t.Context(), patient(), 0)
	}
	eventually(t, "only those that may", tick.C, func() bool { return waiting(t, nc, "probe") == 1+1+5 })
	leave()
	eventually(t, "one less", tick.C, func() bool { return waiting(t, nc, "probe") == 1+5 })
	end()
	calls.Wait()
}

// TestInvokeForTrigger runs a call that stands for a trigger: its reply goes where that says.
func TestInvokeForTrigger(t *testing.T) {
	s := startServer(t)
	v := startInvoker(t, s)
	nc := connect(t, s)
	deploy(t, nc, protocol.Function{Name: "probe", Triggers: []protocol.Trigger{
		{Subject: "orders.*", To: "done.{1}"}, {Subject: "orders.*", Queue: "other", To: "other.{1}"},
	}}, runtimestest.Wasm())
	sub, err := nc.SubscribeSync("*.eu")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		trigger protocol.TriggerKey
		to      string
	}{
		{protocol.TriggerKey{Subject: "orders.*"}, "done.eu"},
		{protocol.TriggerKey{Subject: "orders.*", Queue: "other"}, "other.eu"},
		{protocol.TriggerKey{}, ""},
		{protocol.TriggerKey{Subject: "gone.*"}, ""},
		{protocol.TriggerKey{Subject: "orders.*", Queue: "fn-probe"}, "done.eu"},
	} {
		r := &protocol.Request{Function: protocol.Ref{Name: "probe"},
			Subject: "orders.eu", Trigger: c.trigger, Body: []byte("tea")}
		if reply := v.Invoke(t.Context(), r); reply.Err != nil || string(reply.Body) != "tea" {
			t.Errorf("%v: %+v", c.trigger, reply)
		}
		if c.to == "" {
			continue
		}
		if m, err := sub.NextMsg(patience); err != nil || m.Subject != c.to || string(m.Data) != "tea" {
			t.Errorf("%v: %+v, %v", c.trigger, m, err)
		}
	}
	if n, _, _ := sub.Pending(); n != 0 {
		t.Errorf("%d messages more than there should be", n)
	}
}

// witness is an Observer that remembers.
type witness struct {
	mu    sync.Mutex
	open  int
	ended []stats.Call
}

func (w *witness) Begin(c *stats.Call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.Received.IsZero() || c.Request == nil || c.Function.Name == "" {
		panic("what a call begins with is not known")
	}
	w.open++
}

func (w *witness) End(c *stats.Call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open--
	kept := *c
	kept.Request = &protocol.Request{Args: slices.Clone(c.Request.Args)}
	w.ended = append(w.ended, kept)
}

// TestObserver checks what an observer is told of calls, whatever becomes of them.
func TestObserver(t *testing.T) {
	s := startServer(t)
	w := &witness{}
	v := startInvoker(t, s, func(v *invoker.Invoker) { v.Observers = []stats.Observer{w} })
	nc := connect(t, s)
	deployProbe(t, nc, "probe", protocol.Limits{Input: 1000})
	call(t, nc, "fn.probe", []byte("0123456789"))
	call(t, nc, "fn.probe.exit.77", nil)
	call(t, nc, "fn.probe", make([]byte, 2000))
	call(t, nc, "fn.probe", nil, "Fn-Timeout", "never")
	if r := v.Invoke(t.Context(), askProbe("exit", "65")); r.Err == nil {
		t.Error("no error")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open != 0 || len(w.ended) != 5 {
		t.Fatalf("%d calls have not ended, %d have", w.open, len(w.ended))
	}
	for i, want := range []struct {
		code, exit int
		in, out    int64
		ran        bool
	}{
		{0, 0, 10, 10, true}, {403, 77, 0, 0, true}, {413, -1, 2000, 0, false},
		{400, -1, 0, 0, false}, {400, 65, 0, 0, true},
	} {
		c := w.ended[i]
		if c.Code != want.code || c.Exit != want.exit || c.In != want.in || want.code == 0 && c.Out != want.out {
			t.Errorf("call %d: %+v", i, c)
		}
		if ran := c.Start != "" && c.Fuel > 0 && c.Function.Version == "1"; ran != want.ran || c.Took <= 0 {
			t.Errorf("call %d: %+v", i, c)
		}
	}
}

// The limit of a request takes the place of the function's own time, whichever is longer, and its caller's time bounds
// both.
func TestInvokeLimit(t *testing.T) {
	s := startServer(t)
	v := startInvoker(t, s)
	nc := connect(t, s)
	deployProbe(t, nc, "probe", protocol.Limits{Timeout: protocol.Duration(time.Minute)})
	deployProbe(t, nc, "short", protocol.Limits{Timeout: protocol.Duration(time.Millisecond)})
	for _, c := range []struct {
		name           string
		limit, timeout time.Duration
		code           int
		text           string
	}{
		{"probe", 50 * time.Millisecond, 0, 504, "50ms (job.timeout)"},
		{"probe", time.Minute, 50 * time.Millisecond, 504, protocol.HeaderTimeout},
		{"short", 100 * time.Millisecond, 0, 504, "100ms (job.timeout)"},
		{"short", 0, 0, 504, "1ms (limits.timeout)"},
	} {
		r := askProbe("loop")
		r.Function.Name, r.Limit, r.Timeout = c.name, c.limit, c.timeout
		wantError(t, *v.Invoke(t.Context(), r), c.code, c.text)
	}
}
