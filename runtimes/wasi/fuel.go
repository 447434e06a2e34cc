package wasi

import (
	"context"
	"runtime"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/polyvoke/polyvoke/runtimes/module/meter"
)

// Modules are metered: they count their own work as fuel, and call the host when a portion of it
// is used up. So a process ends at its deadline, whatever it does; native code that cannot be
// preempted does not hold up the collector for long; and processes take turns.
const (
	// slice is how long a process runs until it yields. Yielding after every portion would move it
	// from thread to thread, which makes code 30 to 40 % slower.
	slice = time.Millisecond
	// stack is how many bytes of stack a recursion may use, by the estimate of package meter: what
	// Linux gives a process.
	stack = 8 << 20
)

// hostKey is what the host of a run is called in the context of its calls.
type hostKey struct{}

// exportMeter offers the function that metered modules call.
func exportMeter(ctx context.Context, engine wazero.Runtime) error {
	i64 := []api.ValueType{api.ValueTypeI64}
	_, err := engine.NewHostModuleBuilder(meter.HookModule).NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(refill), i64, i64).Export(meter.HookName).Instantiate(ctx)
	return err
}

// refill is called with what fuel is left, which is below zero, and returns what to go on with.
func refill(ctx context.Context, _ api.Module, stack []uint64) {
	h := ctx.Value(hostKey{}).(*host)
	now := time.Now()
	more := h.pace.next(now)
	h.state.Live()
	h.tickAt(now)
	h.pace.since = now
	if h.sliced.After(now) { // others have run
		h.pace.since = h.sliced
	}
	h.fuel += more
	stack[0] += uint64(more)
}

// tick lets others run if the process has used a slice.
func (h *host) tick() { h.tickAt(time.Now()) }

// tickAt is tick at a moment that has just been looked up.
func (h *host) tickAt(now time.Time) {
	if now.Sub(h.sliced) < slice {
		return
	}
	var err error
	if h.yield != nil {
		err = h.yield(h.ctx)
	} else {
		runtime.Gosched()
	}
	h.state.Live() // the context's own error goes first
	if err != nil {
		h.state.Stop(err)
	}
	h.sliced = time.Now()
}

// read takes over what an instance's gauges say at its end.
func (h *host) read(instance api.Module) {
	left := instance.ExportedGlobal(meter.FuelName).Get() // may be below zero
	h.used = uint64(h.fuel) - left
	h.overflow = int32(instance.ExportedGlobal(meter.StackName).Get()) < 0
}
