package wasi

import (
	"context"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/deadline"
	"github.com/polyvoke/polyvoke/runtimes/wasi/fuel"
	"github.com/polyvoke/polyvoke/runtimes/wasi/preview1"
	"github.com/tetratelabs/wazero/experimental"
)

// host is the host's side of a sandbox: the guest's memory, and all that its calls of WASI come to. One
// goroutine uses a host at a time.
type host struct {
	memory linear
	state  preview1.State
	values context.Context // what calls of the guest find besides what is in the context of the run

	snapshotting context.Context // values for calls of which snapshots are taken

	// What fuel.go needs to know of a run.
	ctx    context.Context
	yield  func(ctx context.Context) error                  // nil: the goroutine yields
	sleep  func(ctx context.Context, d time.Duration) error // nil: a timer
	sliced time.Time                                        // when its slice began
	supply fuel.Supply                                      // how much fuel it gets at a time
}

// sandboxKey is what a sandbox is called in the context of its calls.
type sandboxKey struct{}

// init makes the host that of a sandbox. start is the zero of the guests' monotonic clocks.
func (h *host) init(s *sandbox, start time.Time) {
	h.state.Start, h.state.Names = start, runtimes.FileNames
	h.state.Yield, h.state.Sleep, h.state.Ending = s.tick, s.pause, s.quiet
	h.values = context.WithValue(experimental.WithMemoryAllocator(context.Background(), h), sandboxKey{}, s)
	h.snapshotting = experimental.WithSnapshotter(h.values)
}

// begin prepares the host for a run that begins now, and returns the context of the guest.
func (h *host) begin(ctx context.Context, p *runtimes.Process, now time.Time) *preview1.Context {
	h.prepare(ctx, p, now)
	h.state.Values = h.values
	return h.state.Begin(ctx)
}

// prepare sets what belongs to a run.
func (h *host) prepare(ctx context.Context, p *runtimes.Process, now time.Time) {
	h.ctx, h.yield, h.sleep, h.sliced, h.supply = ctx, p.Yield, p.Sleep, now, fuel.Supply{Limit: h.supply.Limit}
	h.supply.Until, _ = ctx.Deadline()
	s := &h.state
	s.Args, s.Env, s.Stdin, s.Stdout, s.Stderr, s.Files = p.Args, p.Env, p.Stdin, p.Stdout, p.Stderr, p.Files
}

// pause lets time pass for the process.
func (s *sandbox) pause(ctx context.Context, d time.Duration) error {
	s.memory.region.Leave()
	s.replace()
	s.guest.End()
	if s.sleep == nil {
		return deadline.Wait(ctx, d)
	}
	return s.sleep(ctx, d)
}

// end ends the run and gives up what it holds outside of the sandbox.
func (h *host) end() {
	h.state.Reset()
	h.ctx, h.yield, h.sleep = nil, nil, nil
}

// Allocate implements experimental.MemoryAllocator. An instance has one memory.
func (h *host) Allocate(_, _ uint64) experimental.LinearMemory { return &h.memory }
