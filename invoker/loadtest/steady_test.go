package loadtest

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// fewCalls is how many calls TestSteady makes unless STEADY_CALLS says otherwise: see `make steady`.
	fewCalls = 20_000
	// longRun is from how many on idle sandboxes should be as many as there will ever be after three tenths.
	longRun = 500_000
	// throughNATS is one in how many of them comes by message.
	throughNATS = 10
	// callers is how many make them.
	callers = 8
	// parts is after how many parts of the calls it is looked at what the process holds.
	parts = 10
)

// deed is a call and what must come of it.
type deed struct {
	function string
	body     string
	want     string
	code     int
	timeout  time.Duration // 0: the function's
	weight   int           // how often it comes
}

// troupe deploys the functions of TestSteady, in all start kinds, and returns what is done with them.
func troupe(t *testing.T, nc *nats.Conn) []deed {
	modules := map[string][]byte{"c": sample(t, "greet-c"), "rust": sample(t, "greet-rust"), "go": sample(t, "greet-go")}
	var all []deed
	for _, kind := range []string{
		protocol.StartFresh, protocol.StartReset, protocol.StartPrefork, protocol.StartCheckpoint,
	} {
		for language, module := range modules {
			weight := 10
			if language == "go" && kind != protocol.StartCheckpoint {
				weight = 1 // its start takes milliseconds
			}
			name := language + "-" + kind
			deploy(t, nc, protocol.Function{Name: name, Start: kind}, module)
			all = append(all, deed{function: name, body: hello, want: welcome, weight: 10 * weight},
				deed{function: name, body: `{"name":7}`, code: protocol.CodeBadRequest, weight: weight})
		}
		name := "rogue-" + kind
		limits := protocol.Limits{Memory: 1 << 20, Output: 64 << 10}
		deploy(t, nc, protocol.Function{Name: name, Start: kind, Limits: limits}, rogue())
		all = append(all, deed{function: name, body: "back", want: "back", weight: 30},
			deed{function: name, body: doTrap, code: protocol.CodeFailed, weight: 3},
			deed{function: name, body: doExit, code: protocol.CodeBadRequest, weight: 3},
			deed{function: name, body: doLoop, code: protocol.CodeTimeout, weight: 1, timeout: 5 * time.Millisecond},
			deed{function: name, body: doGrow, code: protocol.CodeMemory, weight: 3},
			deed{function: name, body: doFlood, code: protocol.CodeBadOutput, weight: 3})
	}
	slices.SortFunc(all, cmpDeeds)
	return all
}

// cmpDeeds puts deeds in an order that is the same in each run.
func cmpDeeds(a, b deed) int {
	return cmp.Or(strings.Compare(a.function, b.function), strings.Compare(a.body, b.body))
}

// draw picks a deed by its weight.
func draw(all []deed, r *rand.Rand) deed {
	total := 0
	for _, d := range all {
		total += d.weight
	}
	n := r.IntN(total)
	for _, d := range all {
		if n -= d.weight; n < 0 {
			return d
		}
	}
	panic("weights do not add up")
}

// do makes the call.
func (d deed) do(ctx context.Context, v *invoker.Invoker, nc *nats.Conn) error {
	r := &protocol.Reply{}
	if nc != nil {
		m := &nats.Msg{Subject: "fn." + d.function, Data: []byte(d.body)}
		if d.timeout > 0 {
			m.Header = nats.Header{protocol.HeaderTimeout: {d.timeout.String()}}
		}
		got, err := ask(nc, m)
		if err != nil {
			return err
		}
		r = &got
	} else {
		r = v.Invoke(ctx,
			&protocol.Request{Function: protocol.Ref{Name: d.function}, Body: []byte(d.body), Timeout: d.timeout})
	}
	code := 0
	if r.Err != nil {
		code = r.Err.Code
	}
	if d.code == protocol.CodeTimeout && code == protocol.CodeTooMany {
		return nil // so little time that the queue would not have moved in it
	}
	if code != d.code || code == 0 && string(r.Body) != d.want {
		return fmt.Errorf("%s of %q: got %d %v and %.100q, want %d and %q",
			d.function, d.body, code, r.Err, r.Body, d.code, d.want)
	}
	return nil
}

// holding is what the process holds.
type holding struct {
	resident, heap          uint64 // bytes
	descriptors, goroutines int
	p50, p99                time.Duration // of the calls of this part in process
	took                    time.Duration // all of it
}

// hold looks at what the process holds once garbage is gone.
func hold(t *testing.T) holding {
	t.Helper()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	h := holding{heap: m.HeapAlloc, goroutines: runtime.NumGoroutine()}
	var err error
	if h.resident, err = resident(); err != nil {
		t.Fatal(err)
	}
	if h.descriptors, err = descriptors(); err != nil {
		t.Fatal(err)
	}
	return h
}

// part makes some of the calls, and returns how long each of those in process took, in order.
func part(t *testing.T, v *invoker.Invoker, nc *nats.Conn, all []deed,
	seed uint64, took []time.Duration) []time.Duration {
	var next, timed atomic.Int64
	var end sync.WaitGroup
	for caller := range callers {
		r := rand.New(rand.NewPCG(seed, uint64(caller)))
		end.Go(func() {
			for next.Add(1) <= int64(len(took)) && !t.Failed() {
				d := draw(all, r)
				through := nc
				if r.IntN(throughNATS) > 0 {
					through = nil
				}
				began := time.Now()
				if err := d.do(t.Context(), v, through); err != nil {
					t.Error(err)
				}
				if through == nil {
					took[timed.Add(1)-1] = time.Since(began)
				}
			}
		})
	}
	end.Wait()
	in := took[:timed.Load()]
	slices.Sort(in)
	return in
}

// TestSteady makes many calls of functions in C, Rust and Go on all start kinds, of which some trap, exit with 65,
// never end, take too much memory or write too much, in process and one in ten through NATS. Every one must end as it
// should, and the process must hold no more in the end than after three tenths. The NATS server and the clients are
// in the same process, so what they hold counts.
func TestSteady(t *testing.T) {
	calls := fewCalls
	if text := os.Getenv("STEADY_CALLS"); text != "" {
		var err error
		if calls, err = strconv.Atoi(text); err != nil || calls < parts {
			t.Fatalf("STEADY_CALLS is %q: it must be a number of at least %d", text, parts)
		}
	}
	s := startServer(t)
	v := startInvoker(t, s)
	nc := connect(t, s)
	all := troupe(t, nc)
	took := make([]time.Duration, calls/parts)
	var held [parts]holding
	for i := range held {
		began := time.Now()
		in := part(t, v, nc, all, uint64(i), took)
		spent := time.Since(began)
		if t.Failed() {
			t.FailNow()
		}
		held[i] = hold(t)
		h := &held[i]
		h.took, h.p50, h.p99 = spent, quantile(in, 0.5), quantile(in, 0.99)
		t.Logf("%2d: %7d calls in %6.1f s: resident %6.1f MiB, heap %5.1f MiB, "+
			"%d descriptors, %d goroutines, p50 %.3f ms, p99 %.2f ms",
			i+1, len(took), h.took.Seconds(), float64(h.resident)/(1<<20), float64(h.heap)/(1<<20),
			h.descriptors, h.goroutines, milliseconds(h.p50), milliseconds(h.p99))
	}
	third, last := held[2], held[parts-1]
	// Goroutines and descriptors come and go: some calls' in NATS, and those that start processes in advance.
	const some = 8
	more := third.resident / 20
	if calls < longRun {
		more += 16 << 20 // there are still sandboxes to be made for as many calls as ever come at a time
	}
	if last.resident > third.resident+more {
		t.Errorf("%d bytes are in memory, where %d were", last.resident, third.resident)
	}
	if last.descriptors > third.descriptors+some || last.goroutines > third.goroutines+some {
		t.Errorf("%d descriptors and %d goroutines, where %d and %d were",
			last.descriptors, last.goroutines, third.descriptors, third.goroutines)
	}
}
