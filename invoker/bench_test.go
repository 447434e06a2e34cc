package invoker_test

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

// Benchmarks of one call: make bench. The functions are the conformance suite's probe, a C
// program that copies stdin to stdout. Client, server and invoker share this process, so CPU is that
// of all three together, for both sides of a ratio.

// sizes are the bodies that are measured.
var sizes = []struct {
	name  string
	bytes int
}{{"16B", 16}, {"1KiB", 1 << 10}, {"64KiB", 64 << 10}}

// BenchmarkInvoke is a call that does not come by message: the invoker and the sandbox alone.
func BenchmarkInvoke(b *testing.B) {
	s := startServer(b)
	v := startInvoker(b, s)
	deployProbe(b, connect(b, s), "echo", protocol.Limits{Concurrency: 1000, Queue: 1000})
	for _, size := range sizes {
		for _, callers := range []int{1, 16, 128} {
			b.Run(fmt.Sprintf("size=%s/callers=%d", size.name, callers), func(b *testing.B) {
				body := bytes.Repeat([]byte("x"), size.bytes)
				b.ReportAllocs()
				cpu := cpuTime()
				side(b, callers, b.N, func(int) error {
					r := v.Invoke(b.Context(), &protocol.Request{Function: protocol.Ref{Name: "echo"}, Body: body})
					if r.Err != nil {
						return r.Err
					}
					return nil
				})
				b.ReportMetric(float64(cpuTime()-cpu)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

// BenchmarkCall is a call through NATS, over TCP on loopback, and beside it, in alternating slices, the
// same request to a native Go subscriber that echoes it. x-time and x-cpu are the ratios of the two.
func BenchmarkCall(b *testing.B) {
	s := startServer(b)
	startInvoker(b, s)
	deployProbe(b, connect(b, s), "echo",
		protocol.Limits{Concurrency: 1000, Queue: 1000, Timeout: protocol.Duration(time.Minute)})
	native := connect(b, s)
	if _, err := native.QueueSubscribe("native.echo", "q", func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
		b.Fatal(err)
	}
	if err := native.Flush(); err != nil {
		b.Fatal(err)
	}
	nc := connect(b, s)
	for _, size := range sizes {
		for _, callers := range []int{1, 16, 128} {
			b.Run(fmt.Sprintf("size=%s/callers=%d", size.name, callers), func(b *testing.B) {
				compare(b, nc, callers, bytes.Repeat([]byte("x"), size.bytes))
			})
		}
	}
}

// compare makes b.N calls of the function and as many of the native echo, in turns.
func compare(b *testing.B, nc *nats.Conn, callers int, body []byte) {
	ask := func(subject string) func(int) error {
		return func(int) error {
			m, err := nc.Request(subject, body, patience)
			if err == nil && len(m.Data) != len(body) {
				err = fmt.Errorf("reply %.100q %v", m.Data, m.Header)
			}
			return err
		}
	}
	var spent [2]struct{ wall, cpu time.Duration }
	const turns = 8
	b.ResetTimer()
	for turn := range 2 * turns {
		n := b.N / turns
		if turn < 2*(b.N%turns) {
			n++
		}
		began, cpu := time.Now(), cpuTime()
		side(b, callers, n, ask([]string{"native.echo", "fn.echo"}[turn%2]))
		spent[turn%2].wall += time.Since(began)
		spent[turn%2].cpu += cpuTime() - cpu
	}
	b.StopTimer()
	per := func(d time.Duration) float64 { return float64(d) / float64(b.N) }
	b.ReportMetric(per(spent[0].wall), "native-ns/op")
	b.ReportMetric(per(spent[1].wall), "ns/op")
	b.ReportMetric(per(spent[0].cpu), "native-cpu-ns/op")
	b.ReportMetric(per(spent[1].cpu), "cpu-ns/op")
	b.ReportMetric(float64(spent[1].wall)/float64(spent[0].wall), "x-time")
	if spent[0].cpu > 0 {
		b.ReportMetric(float64(spent[1].cpu)/float64(spent[0].cpu), "x-cpu")
	}
}

// side makes n calls from a number of callers.
func side(b *testing.B, callers, n int, call func(int) error) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(callers, n) {
		all.Go(func() {
			for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
				if err := call(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}
