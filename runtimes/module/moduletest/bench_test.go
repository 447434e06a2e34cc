//go:build unix

package moduletest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/module/rewrite"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// loads are guests that compute, and the parameter to call them with: some milliseconds each.
func loads() map[string]struct {
	binary []byte
	param  uint64
} {
	count := loop + "\x20\x01\x41\x01\x6a\x22\x01\x20\x00\x49\x0d\x00" + end + "\x20\x01" // while ++i < n
	fib := "\x20\x00\x41\x02\x48\x04\x7f\x20\x00\x05\x20\x00\x41\x01\x6b\x10\x00\x20\x00\x41\x02\x6b\x10\x00\x6a" + end
	return map[string]struct {
		binary []byte
		param  uint64
	}{
		"tight loop": {(&guest{pages: 1, locals: "\x01\x01\x7f", bodies: []string{count}}).buildTyped(intType), 20_000_000},
		"fib":        {(&guest{pages: 1, bodies: []string{fib}}).buildTyped(intType), 27},
		"rounds":     {(&guest{pages: 1, locals: "\x01\x08\x7f", bodies: []string{rounds()}}).buildTyped(intType), 40_000},
	}
}

// rounds returns 64 rounds like those of SHA-256, over a message in memory, as often as the parameter says. Its eight
// words of state are locals that take turns.
func rounds() string {
	var s strings.Builder
	s.WriteString(loop)
	for k := range 64 {
		word := func(i int) string { return "\x20" + number(1+(i-k+64)%8) }
		set := func(i int) string { return "\x21" + number(1+(i-k+64)%8) }
		turned := func(i int, by, and int64) string {
			return word(i) + constant(by) + "\x78" + word(i) + constant(and) + "\x78\x73" // rotr, xor
		}
		a, b, c, d, e, f, g, h := 0, 1, 2, 3, 4, 5, 6, 7
		s.WriteString(word(h) + turned(e, 6, 11) + "\x6a" + word(g) + word(e) + word(f) + word(g) + "\x73\x71\x73\x6a")
		s.WriteString(constant(0) + "\x28\x02" + number(4*k) + "\x6a" + set(h))
		s.WriteString(word(d) + word(h) + "\x6a" + set(d))
		s.WriteString(word(h) + turned(a, 2, 13) + "\x6a" + word(a) + word(b) + "\x71" + word(c) + word(a) + word(b) + "\x72\x71\x72\x6a" + set(h))
	}
	return s.String() + "\x20\x00\x41\x01\x6b\x22\x00\x0d\x00" + end + "\x20\x01" // while --n
}

// function compiles a guest and returns its entry.
func function(tb testing.TB, b []byte) api.Function {
	tb.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCoreFeatures(features))
	tb.Cleanup(func() { r.Close(ctx) })
	if err := (&gauge{slice: 1_000_000}).offer(ctx, r); err != nil {
		tb.Fatal(err)
	}
	m, err := r.InstantiateWithConfig(ctx, b, wazero.NewModuleConfig().WithStartFunctions())
	if err != nil {
		tb.Fatal(err)
	}
	return m.ExportedFunction("_start")
}

// cpu returns the processor time that the process has used.
func cpu(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkMeter compares processor time with metering, and with a bound of the stack too, to that without either.
// The three alternate, so that what else the machine does falls on all of them. It reports the median and the
// smallest ratio of all rounds.
func BenchmarkMeter(b *testing.B) {
	for name, load := range loads() {
		b.Run(name, func(b *testing.B) {
			forms := make([]api.Function, 0, 3)
			for _, o := range []rewrite.Options{{Unmetered: true}, {}, {Stack: 1 << 20}} {
				out, _, err := rewrite.Rewrite(load.binary, o)
				if err != nil {
					b.Fatal(err)
				}
				forms = append(forms, function(b, out))
			}
			var times [3][]float64
			var want uint64
			for b.Loop() {
				for i, f := range forms {
					before := cpu(b)
					got, err := f.Call(context.Background(), load.param)
					if err != nil {
						b.Fatal(err)
					}
					times[i] = append(times[i], float64(cpu(b)-before))
					if want == 0 {
						want = got[0]
					}
					if got[0] != want {
						b.Fatalf("form %d: got %d, want %d", i, got[0], want)
					}
				}
			}
			for _, t := range times {
				slices.Sort(t)
			}
			for i, unit := range []string{"metered", "bounded"} {
				median, least := times[i+1][len(times[i+1])/2]/times[0][len(times[0])/2], times[i+1][0]/times[0][0]
				b.ReportMetric(median, unit+"/plain")
				b.ReportMetric(least, unit+"/plain-min")
			}
		})
	}
}

// throwing are guests that open a try_table, and throw, as often as the parameter says.
func throwing() map[string][]byte {
	build := func(bodies ...string) []byte { return (&guest{pages: 1, bodies: bodies}).buildTyped(intType) }
	while := func(code string) string {
		return loop + code + "\x20\x00\x41\x01\x6b\x22\x00\x0d\x00" + end + "\x20\x00" // while --n
	}
	try := func(code string) string { return block + "\x1f\x40\x01\x00\x00\x00" + code + end + end }
	deeper := "\x20\x00\x04\x7f\x20\x00\x41\x01\x6b\x10\x01\x05\x08\x00" + end // n ? f(n-1) : throw
	return map[string][]byte{
		"try":                     build(while(try("\x41\x01\x10\x01\x1a")), "\x20\x00\x45\x04\x40\x08\x00"+end+"\x20\x00"),
		"throw":                   build(while(try("\x08\x00"))),
		"throw again":             build(while(try("\x02\x69\x1f\x40\x01\x03\x00\x08\x00" + end + "\x00" + end + "\x0a"))), // by reference
		"throw through 10 calls":  build(while(try("\x41\x09\x10\x01\x1a")), deeper),
		"throw through 100 calls": build(while(try("\x41\xe3\x00\x10\x01\x1a")), deeper),
	}
}

// BenchmarkUnwind compares the processor time of exceptions that are lowered to that of the engine's own. Both are
// unmetered, and alternate. It reports the time of a turn in both forms, each the least of all rounds, and their
// ratio. Each round is on a new instance, since the engine becomes slower with each exception.
func BenchmarkUnwind(b *testing.B) {
	const turns = 1000
	for name, binary := range throwing() {
		b.Run(name, func(b *testing.B) {
			var least [2]float64
			for b.Loop() {
				for i, keep := range []bool{true, false} {
					out, _, err := rewrite.Rewrite(binary, rewrite.Options{Unmetered: true, KeepExceptions: keep})
					if err != nil {
						b.Fatal(err)
					}
					f := function(b, out)
					before := cpu(b)
					if _, err := f.Call(context.Background(), turns); err != nil {
						b.Fatal(err)
					}
					if took := float64(cpu(b)-before) / turns; least[i] == 0 || took < least[i] {
						least[i] = took
					}
				}
			}
			b.ReportMetric(least[0], "engine-ns/turn")
			b.ReportMetric(least[1], "lowered-ns/turn")
			b.ReportMetric(least[0]/least[1], "engine/lowered")
		})
	}
}

// BenchmarkRewrite rewrites the probe, of 23 KB.
func BenchmarkRewrite(b *testing.B) {
	probe := runtimestest.Wasm()
	for _, stack := range []int32{0, 1 << 20} {
		b.Run(fmt.Sprintf("stack=%d", stack), func(b *testing.B) {
			b.SetBytes(int64(len(probe)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := rewrite.Rewrite(probe, rewrite.Options{Stack: stack}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
