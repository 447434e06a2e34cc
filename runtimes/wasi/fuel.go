package wasi

import (
	"context"
	"runtime"
	"slices"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/module/meter"
	"github.com/polyvoke/polyvoke/runtimes/module/rewrite"
	"github.com/polyvoke/polyvoke/runtimes/wasi/fuel"
	"github.com/polyvoke/polyvoke/runtimes/wasi/native"
	"github.com/tetratelabs/wazero/api"
)

// Modules are metered: they count their own work as fuel, and call the host when a portion of it
// is used up. So a process ends at its deadline, whatever it does; native code that cannot be
// preempted does not hold up the collector for long; and processes take turns.

// slice is how long a process runs until it yields. Yielding after every portion would move it
// from thread to thread, which makes code 30 to 40 % slower.
const slice = time.Millisecond

// watched is how much of its slice a process has used when it begins to be looked after, see package fuel: short
// ones need not be.
const watched = slice / 4

// largeMemory is more than how many bytes of memory make a process's first portion small.
const largeMemory = 2 << 20

// refill is called when a portion of fuel is used up, or has taken long, with what the gauge says, and returns what
// it is to say. It ends a process that has none left, before anything that depends on time.
func refill(ctx context.Context, _ api.Module, stack []uint64) {
	s := ctx.Value(sandboxKey{}).(*sandbox)
	s.guest.Pause()
	left := fuel.Left(stack[0])
	// This asks one clock, where time.Now asks two.
	now := s.sliced.Add(time.Since(s.sliced))
	more, enough := s.supply.Refill(now, left)
	if !enough {
		s.state.Stop(runtimes.ErrFuel)
	}
	if s.supply.Given > startFuel && s.state.BeforeRead != nil {
		s.state.Stop(errLate)
	}
	s.state.LiveAt(now)
	s.tickAt(now)
	if s.sliced.After(now) { // others have run
		now = s.sliced
	}
	if now.Sub(s.sliced) >= watched {
		s.guest.Begin(s.program.runtime.watchdog, s.gauge)
	}
	s.supply.Go(now, more)
	stack[0] = uint64(left + more)
	s.guest.Run(now)
}

// fund gives the process a first portion.
func (s *sandbox) fund() {
	s.supply.Large = s.memory.size > largeMemory
	left := fuel.Left(s.globals[0].Get())
	more := s.supply.Fund(s.sliced, left)
	s.globals[0].Set(uint64(left + more))
	s.supply.Go(s.sliced, more)
}

// gauges returns the exported globals that rewriting adds: the fuel, the stack, and what else there is.
func gauges(r *rewrite.Report) []string {
	list := []string{meter.FuelName, meter.StackName}
	if r.Module.Analysis.Exceptions {
		list = append(list, meter.ThrownName)
	}
	if r.Unwind != nil {
		list = append(list, rewrite.UncaughtName)
	}
	return list
}

// used returns how much fuel the process has used.
func (s *sandbox) used() uint64 {
	if len(s.globals) == 0 {
		return 0 // there is no instance: it failed at its start
	}
	return s.supply.Used(fuel.Left(s.globals[0].Get()))
}

// overflowed reports whether the process has run out of stack.
func (s *sandbox) overflowed() bool {
	return len(s.globals) > 0 && int64(s.globals[1].Get()) == meter.Overflow
}

// uncaught reports whether the process has trapped because nothing caught an exception.
func (s *sandbox) uncaught() bool {
	i := slices.Index(s.program.globals, rewrite.UncaughtName)
	return i >= 0 && i < len(s.globals) && s.globals[i].Get() != 0
}

// gauge returns where the fuel is that is left.
func (s *sandbox) gauge() *uint64 { return native.Gauge(s.instance, s.globals[0]) }

// tick lets others run if the process has used a slice.
func (s *sandbox) tick() {
	s.tickAt(time.Now())
	s.guest.Run(s.sliced)
}

// tickAt is tick at a moment that has just been looked up. A process that has used a slice is looked after from the
// beginning of the next one.
func (s *sandbox) tickAt(now time.Time) {
	if now.Sub(s.sliced) < slice {
		return
	}
	s.memory.region.Leave()
	s.replace()
	s.guest.End()
	var err error
	if s.yield != nil {
		err = s.yield(s.ctx)
	} else {
		runtime.Gosched()
	}
	s.state.Live() // the context's own error goes first
	if err != nil {
		s.state.Stop(err)
	}
	s.sliced = time.Now()
	s.guest.Begin(s.program.runtime.watchdog, s.gauge)
}
