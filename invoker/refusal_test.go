package invoker_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// The measure of BenchmarkRefusal: calls sleep, so that the machine is not what they wait for.
const (
	refusalSlots = 4
	refusalWork  = 20 * time.Millisecond // of a call
	refusalTimes = 3                     // the capacity
)

// BenchmarkRefusal asks a function for three times what it can do, and says how soon the excess is told so, and
// what share of the capacity is used.
func BenchmarkRefusal(b *testing.B) {
	s := startServer(b)
	startInvoker(b, s)
	nc := connect(b, s)
	deploy(b, nc, protocol.Function{Name: "slow", Args: []string{"sleep", "20"},
		Limits: protocol.Limits{Concurrency: refusalSlots, Queue: refusalSlots}}, runtimestest.Wasm())
	var mu sync.Mutex
	var refused []time.Duration
	answered := 0
	var calls sync.WaitGroup
	pause := refusalWork / refusalSlots / refusalTimes
	n := 0
	b.ResetTimer()
	begun := time.Now()
	for ; n < max(b.N, 100); time.Sleep(time.Millisecond) {
		for ; time.Duration(n)*pause < time.Since(begun); n++ {
			calls.Go(func() {
				at := time.Now()
				r, err := tryCall(nc, "fn.slow", nil)
				took := time.Since(at)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err != nil:
					b.Error(err)
				case r.Err == nil:
					answered++
				case r.Err.Code == protocol.CodeTooMany:
					refused = append(refused, took)
				default:
					b.Error(r.Err)
				}
			})
		}
	}
	asked := time.Since(begun)
	calls.Wait()
	if len(refused) == 0 {
		b.Fatal("no call is refused")
	}
	slices.Sort(refused)
	inMs := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(inMs(refused[len(refused)/2]), "p50-refused-ms")
	b.ReportMetric(inMs(refused[len(refused)*99/100]), "p99-refused-ms")
	b.ReportMetric(float64(answered)*float64(refusalWork)/refusalSlots/float64(asked), "x-capacity")
	b.ReportMetric(0, "ns/op")
}
