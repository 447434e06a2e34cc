package fuel_test

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/module/leb"
	"github.com/polyvoke/polyvoke/runtimes/module/meter"
	"github.com/polyvoke/polyvoke/runtimes/module/rewrite"
	"github.com/polyvoke/polyvoke/runtimes/wasi/fuel"
	"github.com/polyvoke/polyvoke/runtimes/wasi/native"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// guest returns a module whose function _start, without parameters and results, calls another 2,000 times that counts
// to 1,000 and divides.
func guest() []byte {
	sized := func(n int, s string) string { return string(leb.AppendU32(nil, uint32(n))) + s }
	section := func(id byte, s string) string { return string([]byte{id}) + sized(len(s), s) }
	times := func(n int64, code string) string {
		s := "\x01\x01\x7f\x03\x40" + code + "\x20\x00\x41\x01\x6a\x22\x00\x41" + string(leb.AppendSigned(nil, n)) + "\x49\x0d\x00\x0b\x0b"
		return sized(len(s), s)
	}
	return []byte("\x00asm\x01\x00\x00\x00" + section(1, "\x01\x60\x00\x00") + section(3, "\x02\x00\x00") +
		section(7, "\x01\x06_start\x00\x00") + section(10, "\x02"+times(2_000, "\x10\x01")+times(1_000, "\x20\x00"+strings.Repeat("\x20\x00\x41\x01\x6a\x70", 4)+"\x1a")))
}

// host runs a guest, and gives it fuel.
type host struct {
	watch *fuel.Watchdog // nil: nobody looks after the guest
	guest fuel.Guest
	gauge *uint64
	given int64
	taken int64 // how often the guest asked though it had fuel
}

// refill is the hook of metering. It gives a portion in place of what is left.
func (h *host) refill(_ context.Context, stack []uint64) {
	const portion = 1 << 22
	h.guest.Pause()
	if h.watch != nil {
		h.guest.Begin(h.watch, func() *uint64 { return h.gauge })
	}
	left := fuel.Left(stack[0])
	if left >= 0 {
		h.taken++
	}
	h.given += portion - left
	stack[0] = portion
	h.guest.Run(time.Now())
}

// run runs a guest and returns how much fuel it has used.
func (h *host) run(t *testing.T, binary []byte) int64 {
	ctx := t.Context()
	r := wazero.NewRuntime(ctx)
	defer r.Close(ctx)
	i64 := []api.ValueType{api.ValueTypeI64}
	_, err := r.NewHostModuleBuilder(meter.HookModule).NewFunctionBuilder().
		WithGoFunction(api.GoFunc(h.refill), i64, i64).Export(meter.HookName).Instantiate(ctx)
	if err != nil {
		t.Error(err)
		return 0
	}
	m, err := r.InstantiateWithConfig(ctx, binary, wazero.NewModuleConfig().WithStartFunctions())
	if err != nil {
		t.Error(err)
		return 0
	}
	gauge := m.ExportedGlobal(meter.FuelName).(api.MutableGlobal)
	h.gauge = native.Gauge(m, gauge)
	_, err = m.ExportedFunction("_start").Call(ctx)
	h.guest.End()
	if err != nil {
		t.Error(err)
	}
	return h.given - fuel.Left(gauge.Get())
}

// TestHammerWatchdog checks that guests use exactly as much fuel when some is taken from them all the time as when none
// is.
func TestHammerWatchdog(t *testing.T) {
	binary, _, err := rewrite.Rewrite(guest(), rewrite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	plain := new(host)
	want := plain.run(t, binary)
	if plain.gauge == nil {
		t.Skip("this build does not see the engine's globals, so nobody can be made to ask")
	}
	if want < 10_000_000 {
		t.Fatalf("the guest uses %d units of fuel", want)
	}
	w := fuel.NewWatchdog(10 * time.Microsecond)
	defer w.Close()
	var all sync.WaitGroup
	var taken atomic.Int64
	others := runtime.GOMAXPROCS(0) - 1 // the watch needs a processor, as in earnest it has one
	for range max(1, others) {
		all.Go(func() {
			for range 10 {
				h := &host{watch: w}
				if got := h.run(t, binary); got != want {
					t.Errorf("the guest has used %d units of fuel, not %d", got, want)
				}
				taken.Add(h.taken)
			}
		})
	}
	if all.Wait(); taken.Load() == 0 && others > 0 && runtime.GOOS == "linux" {
		t.Error("no guest has been made to ask")
	}
	t.Logf("guests were made to ask %d times", taken.Load())
}

// TestGuestAsks has a guest that does not ask be made to, again and again, but not while it is with the host, and not
// after its end.
func TestGuestAsks(t *testing.T) {
	w := fuel.NewWatchdog(time.Microsecond)
	defer w.Close()
	const portion = 1000
	gauge := uint64(portion)
	where := func() *uint64 { return &gauge }
	var g fuel.Guest
	g.Pause() // nobody looks after it
	g.Run(time.Now())
	g.End()
	for range 3 {
		g.Begin(w, where)
		g.Begin(w, where)
		for range 3 {
			g.Run(time.Now())
			for deadline := time.Now().Add(time.Minute); int64(atomic.LoadUint64(&gauge)) >= 0; {
				if time.Now().After(deadline) {
					t.Fatal("it is not made to ask")
				}
			}
			g.Pause()
			if got := fuel.Left(gauge); got != portion {
				t.Errorf("it has %d units of fuel", got)
			}
			gauge = portion
			for begin := time.Now(); time.Since(begin) < time.Millisecond; {
				if gauge != portion { // which -race looks at, too
					t.Fatal("it is made to ask while it is with the host")
				}
			}
		}
		g.End()
		g.End()
	}
	g = fuel.Guest{}
	g.Begin(w, func() *uint64 { return nil })
	g.Run(time.Now())
	g.Pause()
}

// TestLeft checks how much fuel gauges say there is.
func TestLeft(t *testing.T) {
	for _, want := range []int64{0, 1, -1, 1 << 20, -1 << 40, 1<<47 - 1, -1 << 47} {
		for taken := range int64(4) {
			if got := fuel.Left(uint64(want - taken<<48)); got != want {
				t.Errorf("%d, and taken from %d times, is %d", want, taken, got)
			}
		}
	}
}
