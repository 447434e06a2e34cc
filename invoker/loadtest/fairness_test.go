package loadtest

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// The load of the tests of fairness, in calls a second.
const (
	quickRate = 1000
	slowRate  = 200
)

// neighbour is a function that wants more than there is.
type neighbour struct {
	name     string
	function protocol.Function
	module   func(testing.TB) []byte
	body     string
	code     int // of a call that was not refused
}

// neighbours are those that the echo is tried beside.
func neighbours(burn int64) []neighbour {
	probe := func(testing.TB) []byte { return runtimestest.Wasm() }
	greet := func(t testing.TB) []byte { return sample(t, "greet-go") }
	return []neighbour{
		{name: "burns 100 ms", module: func(testing.TB) []byte { return counting(burn) }},
		{name: "never ends", module: probe, code: protocol.CodeTimeout,
			function: protocol.Function{Args: []string{"loop"},
				Limits: protocol.Limits{Timeout: protocol.Duration(500 * time.Millisecond)}}},
		{name: "Go, prefork", module: greet, body: hello, function: protocol.Function{Start: protocol.StartPrefork}},
		{name: "Go, fresh", module: greet, body: hello, function: protocol.Function{Start: protocol.StartFresh}},
	}
}

// pair deploys the echo and a neighbour, and sends both their streams.
func pair(t testing.TB, s *server.Server, n neighbour, how time.Duration,
	clock func() time.Duration) (quick, slow *stream) {
	t.Helper()
	quick = newQuick(t, s)
	quick.clock = clock
	n.function.Name = "slow"
	deploy(t, quick.nc, n.function, n.module(t))
	slow = &stream{nc: connect(t, s), subject: "fn.slow", body: []byte(n.body), rate: slowRate}
	var both sync.WaitGroup
	both.Go(func() { quick.run(t, how) })
	both.Go(func() { slow.run(t, how) })
	both.Wait()
	return quick, slow
}

// newQuick deploys the echo and returns its stream.
func newQuick(t testing.TB, s *server.Server) *stream {
	t.Helper()
	nc := connect(t, s)
	deploy(t, nc, protocol.Function{Name: "quick"}, runtimestest.Wasm())
	return &stream{nc: nc, subject: "fn.quick", body: []byte("0123456789abcdef"), rate: quickRate}
}

// TestFairness checks that every call is answered when a function wants twenty times what there is, and that what is
// refused carries 429. The echo beside it must be answered well, but for what a machine that stands still for long
// costs.
func TestFairness(t *testing.T) {
	for _, n := range neighbours(100_000_000) {
		if n.function.Start == protocol.StartFresh {
			continue // it says nothing new here
		}
		t.Run(n.name, func(t *testing.T) {
			s := startServer(t)
			startInvoker(t, s)
			quick, slow := pair(t, s, n, 1500*time.Millisecond, nil)
			for i, a := range quick.results() {
				well := a.code == 0 && a.body == string(quick.body)
				if !a.came || a.err != nil || !well && a.code != protocol.CodeTooMany {
					t.Fatalf("call %d of the echo: got %+v", i, a)
				}
			}
			for i, a := range slow.results() {
				if !a.came || a.err != nil || a.code != n.code && a.code != protocol.CodeTooMany && a.code != protocol.CodeTimeout {
					t.Fatalf("call %d of its neighbour: got %+v", i, a)
				}
			}
			sum := slow.sum()
			if good := len(quick.sum().took[0]); good < len(quick.results())/2 {
				t.Errorf("only %d calls of the echo were answered well", good)
			}
			t.Logf("the echo: %v; its neighbour: %v", quick.sum(), sum)
			if n.name == "burns 100 ms" && len(sum.took[protocol.CodeTooMany]) == 0 {
				t.Error("twenty processors were asked for, and nothing was refused")
			}
		})
	}
}

// BenchmarkFairness is the echo at 1,000 calls a second beside nobody, and beside functions at 200 calls a second
// that want more than there is. Server and clients are in this process, the invoker has one of its own. It says which
// targets were hit. How much processor time the invoker uses between a call and its answer is what latency there
// would be on a machine that does nothing else, times the processors that it was busy on.
func BenchmarkFairness(b *testing.B) {
	burn := int64(0)
	for i := -1; i < len(neighbours(0)); i++ {
		name := "alone"
		if i >= 0 {
			name = neighbours(0)[i].name
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s := startServer(b)
				clock := processorTime(startChild(b, s))
				if i < 0 {
					quick := newQuick(b, s)
					quick.clock = clock
					quick.run(b, fairTime)
					judge(b, quick.sum(), nil)
					continue
				}
				if burn == 0 {
					burn = calibrate(b, connect(b, s))
				}
				quick, slow := pair(b, s, neighbours(burn)[i], fairTime, clock)
				sum := slow.sum()
				judge(b, quick.sum(), &sum)
			}
		})
	}
}

// fairTime is how long BenchmarkFairness looks at each neighbour.
const fairTime = 4 * time.Second

// calibrate returns from what a module must count down to take 100 ms.
func calibrate(b *testing.B, nc *nats.Conn) int64 {
	const from = 20_000_000
	deploy(b, nc, protocol.Function{Name: "calibrate"}, counting(from))
	best := time.Duration(1 << 62)
	for range 10 {
		r, err := ask(nc, &nats.Msg{Subject: "fn.calibrate", Header: nats.Header{protocol.HeaderReport: {"1"}}})
		if err != nil || r.Err != nil || r.Report == nil {
			b.Fatalf("got %+v and the error %v", r, err)
		}
		best = min(best, r.Report.Duration)
	}
	return from * int64(100*time.Millisecond) / int64(best)
}

// judge reports what was seen, and which targets were hit.
func judge(b *testing.B, quick summary, slow *summary) {
	b.ReportMetric(0, "ns/op")
	target := func(name string, got, most float64) {
		b.ReportMetric(got, name)
		verdict := "hit"
		if got > most {
			verdict = "MISSED"
		}
		fmt.Printf("    %-24s %8.2f, target %5.1f: %s\n", name, got, most, verdict)
	}
	fmt.Printf("%s (GOMAXPROCS %d)\n    echo: %v\n", b.Name(), runtime.GOMAXPROCS(0), quick)
	fmt.Printf("    processor time of the invoker meanwhile: p50 %.2f ms, p99 %.2f ms\n",
		milliseconds(quantile(quick.busy, 0.5)), milliseconds(quantile(quick.busy, 0.99)))
	target("echo-p50-ms", quick.at(0, 0.5), 0.5)
	target("echo-p99-ms", quick.at(0, 0.99), 10)
	unanswered := quick.unanswered
	if slow != nil {
		fmt.Printf("    slow: %v\n", *slow)
		unanswered += slow.unanswered
		target("refused-p50-ms", slow.at(protocol.CodeTooMany, 0.5), 1)
	}
	target("unanswered", float64(unanswered), 0)
}
