package invoker_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/invokertest/await"
	"github.com/polyvoke/polyvoke/protocol"
)

// The tests in this file are named after what an earlier service of the same design got
// wrong: one that ran WASI processes on NATS, and was given up.

func TestG1ReplyIsAllOfStdout(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s)
	nc := connect(t, s)
	deployProbe(t, nc, "probe", protocol.Limits{})
	const n = 100_000
	want := make([]byte, n)
	for i := range want {
		want[i] = byte(i % 251)
	}
	if r := call(t, nc, fmt.Sprintf("fn.probe.drip.%d", n), nil); !bytes.Equal(r.Body, want) {
		t.Errorf("%d writes: got %d bytes, %v", n, len(r.Body), r.Err)
	}
}

func TestG2NothingRetainedPerCall(t *testing.T) {
	s := startServer(t)
	v := startInvoker(t, s)
	nc := connect(t, s)
	deployProbe(t, nc, "probe", protocol.Limits{})
	round := func(n int) {
		for range n {
			r := v.Invoke(t.Context(), &protocol.Request{Function: protocol.Ref{Name: "probe"}, Body: []byte("x")})
			if r.Err != nil {
				t.Fatal(r.Err)
			}
		}
	}
	round(2000)
	// What grows once is a cache or a thread; a leak grows in every round.
	var grown []string
	for range 3 {
		before := measure(t)
		round(10_000)
		after := measure(t)
		t.Logf("before %v, after %v", before, after)
		grown = nil
		for i, name := range []string{"heap", "RSS", "goroutines", "descriptors"} {
			if float64(after[i]) > 1.05*float64(before[i])+2 {
				grown = append(grown, fmt.Sprintf("%s grew from %d to %d", name, before[i], after[i]))
			}
		}
		if len(grown) == 0 {
			return
		}
	}
	t.Errorf("in each 10,000 calls, at last %q", grown)
}

// measure returns heap bytes, resident bytes, goroutines and open descriptors, at rest.
func measure(t *testing.T) [4]int {
	t.Helper()
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	out := [4]int{int(m.HeapInuse), 0, runtime.NumGoroutine(), 0}
	if runtime.GOOS == "linux" {
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(status), "VmRSS:")
		kb, err := strconv.Atoi(strings.Fields(rest)[0])
		if err != nil {
			t.Fatal(err)
		}
		out[1] = kb << 10
		fds, err := filepath.Glob("/proc/self/fd/*")
		if err != nil {
			t.Fatal(err)
		}
		out[3] = len(fds)
	}
	return out
}

func TestG3DeadlineEndsTheGuest(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s)
	nc := connect(t, s)
	deployProbe(t, nc, "probe", protocol.Limits{Timeout: protocol.Duration(200 * time.Millisecond)})
	for _, mode := range []string{"loop", "sleep.60000", "stubborn-stderr"} {
		wantError(t, call(t, nc, "fn.probe."+mode, nil), 504, "did not end within 200ms (limits.timeout)")
	}
	// The caller's time counts if it is shorter.
	wantError(t, call(t, nc, "fn.probe.loop", nil, "Fn-Timeout", "50ms"), 504,
		"did not end within 50ms, the time of its caller (Fn-Timeout)")
	// On a busy machine 200 ms can be too short even for this.
	await.Until(t, "an answer afterwards", func() bool { return string(call(t, nc, "fn.probe", []byte("alive")).Body) == "alive" })
}

func TestG4CallsRunSideBySide(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s, func(v *invoker.Invoker) { v.Slots = 2 })
	nc := connect(t, s)
	deployProbe(t, nc, "probe", protocol.Limits{Timeout: protocol.Duration(patience)})
	deployProbe(t, nc, "other", protocol.Limits{Timeout: protocol.Duration(5 * time.Second)})
	var calls sync.WaitGroup
	began := time.Now()
	for range 20 {
		calls.Go(func() {
			if r, err := tryCall(nc, "fn.probe.sleep.1000", nil); err != nil || string(r.Body) != "awake" {
				t.Errorf("%v %+v", err, r)
			}
		})
	}
	calls.Wait()
	if took := time.Since(began); took > 8*time.Second { // two at a time would take ten
		t.Errorf("20 calls of a second took %v", took)
	}

	// A call that never ends delays neither its own function's calls nor another's.
	stuck := nc.NewRespInbox()
	answer, err := nc.SubscribeSync(stuck)
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.PublishRequest("fn.other.loop", stuck, nil); err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"fn.other", "fn.probe"} {
		if r := call(t, nc, subject, []byte("x")); string(r.Body) != "x" {
			t.Errorf("%s beside a call that is stuck: %+v", subject, r)
		}
	}
	if m, err := answer.NextMsg(patience); err != nil || m.Header.Get(protocol.HeaderErrorCode) != "504" {
		t.Errorf("the stuck call: %v, %v", m, err)
	}
}

func TestG5EveryFailureAnswers(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s)
	nc := connect(t, s)
	limits := protocol.Limits{Timeout: protocol.Duration(patience), Memory: 8 << 20, Output: 1 << 20, Input: 1 << 10}
	deployProbe(t, nc, "probe", limits)
	limits.Timeout = protocol.Duration(300 * time.Millisecond)
	deployProbe(t, nc, "brief", limits)
	for _, c := range []struct {
		args string
		code int
		text string
		exit int
	}{
		{"exit.1", 500, "exit code 1", 1},
		{"exit.64", 400, "exit code 64 (wrong arguments)", 64},
		{"exit.65", 400, "exit code 65 (bad data)", 65},
		{"exit.66", 404, "exit code 66", 66},
		{"exit.69", 503, "exit code 69", 69},
		{"exit.75", 503, "exit code 75", 75},
		{"exit.77", 403, "exit code 77", 77},
		{"exit.255", 500, "exit code 255", 255},
		{"trap", 500, "trapped: unreachable", -1},
		{"recurse", 500, "trapped", -1},
		{"loop", 504, "limits.timeout", -1},
		{"sleep.5000", 504, "limits.timeout", -1},
		{"grow.100", 507, "memory limit of 8MiB", -1},
		{"flood", 502, "more than 1MiB", -1},
		{"stubborn", 502, "more than 1MiB", -1},
	} {
		name := "fn.probe."
		if c.code == 504 {
			name = "fn.brief."
		}
		r := call(t, nc, name+c.args, nil)
		wantError(t, r, c.code, c.text)
		if r.Exit != c.exit || len(r.Body) == 0 {
			t.Errorf("%s: exit %d, body %q", c.args, r.Exit, r.Body)
		}
	}
	deployProbe(t, nc, "frugal", protocol.Limits{Fuel: 5_000_000, Stack: 64 << 10})
	r := call(t, nc, "fn.frugal.loop", nil, "Fn-Report", "1")
	wantError(t, r, 504, "used up its fuel of 5000000: raise limits.fuel")
	if r.Report == nil || r.Report.Fuel != 5_000_000 {
		t.Errorf("the report of a call that used up its fuel: %+v", r.Report)
	}
	wantError(t, call(t, nc, "fn.probe", make([]byte, 1<<10+1)), 413, "limits.input")
	wantError(t, call(t, nc, "fn.probe", nil, "Fn-Timeout", "soon"), 400, "Fn-Timeout")
	if r := call(t, nc, "fn.probe", []byte("alive")); string(r.Body) != "alive" {
		t.Errorf("afterwards: %+v", r)
	}
}

func TestG6TwoInvokersOneRun(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s)
	nc := connect(t, s)
	deploy(t, nc, protocol.Function{Name: "probe", Triggers: []protocol.Trigger{{Subject: "orders.*.created"}},
		Limits: protocol.Limits{Queue: 2000, Timeout: protocol.Duration(time.Minute)}}, probe())
	startInvoker(t, s) // it finds the function in the registry
	const n = 500
	answers := make(chan *nats.Msg, 2*n)
	inbox := nc.NewRespInbox()
	sub, err := nc.ChanSubscribe(inbox, answers)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	for range n {
		if err := nc.PublishRequest("fn.probe", inbox, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := nc.Publish("orders.eu.created", nil); err != nil { // runs the mode "eu", which fails
			t.Fatal(err)
		}
	}
	for i := range n {
		select {
		case m := <-answers:
			if string(m.Data) != "x" {
				t.Errorf("%q %v", m.Data, m.Header)
			}
		case <-time.After(patience):
			t.Fatalf("%d of %d answered", i, n)
		}
	}
	runs := func(endpoint string) (sum, most int) {
		for _, st := range statsOf(t, nc, "probe", 2) {
			for _, e := range st.Endpoints {
				if e.Name == endpoint {
					sum += e.NumRequests
					most = max(most, e.NumRequests)
				}
			}
		}
		return
	}
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	eventually(t, "a run of each message", ticker.C, func() bool {
		a, _ := runs("call")
		b, _ := runs("trigger-1")
		return a >= n && b >= n
	})
	if len(answers) != 0 {
		t.Errorf("%d calls were answered twice", len(answers))
	}
	for _, e := range []string{"call", "trigger-1"} {
		if sum, most := runs(e); sum != n || most == n {
			t.Errorf("%s: %d messages made %d runs, %d of them in one invoker", e, n, sum, most)
		}
	}
}

func TestG7LimitsHold(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s, func(v *invoker.Invoker) { v.Slots = 4 })
	nc := connect(t, s)
	deployProbe(t, nc, "size", protocol.Limits{Input: 1000, Output: 1000})
	if r := call(t, nc, "fn.size", make([]byte, 1000)); r.Err != nil || len(r.Body) != 1000 {
		t.Errorf("at the limit: %v", r.Err)
	}
	wantError(t, call(t, nc, "fn.size", make([]byte, 1001)), 413, "limits.input")
	wantError(t, call(t, nc, "fn.size.drip.1001", nil), 502, "limits.output")

	// Two may run, one may wait; the fourth is refused at once.
	deployProbe(t, nc, "few", protocol.Limits{Concurrency: 2, Queue: 1, Timeout: protocol.Duration(10 * time.Second)})
	answers := make(chan *nats.Msg, 4)
	inbox := nc.NewRespInbox()
	sub, err := nc.ChanSubscribe(inbox, answers)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	for range 4 {
		if err := nc.PublishRequest("fn.few.sleep.300", inbox, nil); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for range 4 {
		select {
		case m := <-answers:
			got = append(got, string(m.Data)+m.Header.Get(protocol.HeaderErrorCode))
		case <-time.After(patience):
			t.Fatalf("only %q answered", got)
		}
	}
	if !strings.HasSuffix(got[0], "429") || !slices.Equal(got[1:], []string{"awake", "awake", "awake"}) {
		t.Errorf("answers in order: %q", got)
	}
}

func TestWaitingCallMeetsItsDeadline(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s, func(v *invoker.Invoker) { v.Slots = 1 })
	nc := connect(t, s)
	deployProbe(t, nc, "one", protocol.Limits{Concurrency: 1, Timeout: protocol.Duration(10 * time.Second)})
	first := make(chan protocol.Reply, 1)
	go func() {
		r, err := tryCall(nc, "fn.one.sleep.1000", nil)
		if err != nil {
			t.Error(err)
		}
		first <- r
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	eventually(t, "the first call's start", tick.C, func() bool { return inFlight(t, nc, "one") == 1 })
	wantError(t, call(t, nc, "fn.one", nil, "Fn-Timeout", "50ms"), 504, "while the call waited")
	if r := <-first; string(r.Body) != "awake" {
		t.Errorf("the first call: %+v", r)
	}
}
