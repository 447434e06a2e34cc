package wasi

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/module/meter"
)

// Modules are metered: they count their own work as fuel, and call the host when a portion of it
// is used up. So a process ends at its deadline, whatever it does; native code that cannot be
// preempted does not hold up the collector for long; and processes take turns.
const (
	// portion is how much fuel a process gets at a time: 10 to 100 microseconds of ordinary code.
	portion = 1_000_000
	// slice is how long a process runs until it yields. Yielding after every portion would move it
	// from thread to thread, which makes code 30 to 40 % slower.
	slice = time.Millisecond
	// maxStack is the largest limit of a stack, in bytes by the estimate of package meter. The engine
	// itself ends what takes 50,000,000 bytes, and real frames can be larger than the estimate.
	maxStack = 32 << 20
)

// stackLimit returns how many bytes of stack a recursion may use, by the estimate of package meter.
func stackLimit(o runtimes.Options) (int32, error) {
	stack := cmp.Or(o.Stack, runtimes.DefaultStack)
	if stack > maxStack {
		return 0, &runtimes.ModuleError{Reason: fmt.Sprintf("a stack limit of %d bytes is more than the %d MiB that a process may have here", stack, maxStack>>20)}
	}
	return int32(stack), nil
}

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
	more := h.portion()
	if h.fuelLimit > 0 && more < portion && int64(stack[0])+more < 0 {
		h.state.Stop(runtimes.ErrFuel) // before anything that depends on time
	}
	h.state.Live()
	h.tick()
	h.fuel += more
	stack[0] += uint64(more)
}

// portion returns how much fuel the process gets next: what the limit has left, if that is less.
func (h *host) portion() int64 {
	if h.fuelLimit == 0 {
		return portion
	}
	return int64(min(portion, h.fuelLimit-uint64(h.fuel)))
}

// tick lets others run if the process has used a slice.
func (h *host) tick() {
	if time.Since(h.sliced) < slice {
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
	if h.fuelLimit > 0 {
		h.used = min(h.used, h.fuelLimit) // what was asked for beyond it was not done
	}
	h.overflow = int32(instance.ExportedGlobal(meter.StackName).Get()) < 0
}
