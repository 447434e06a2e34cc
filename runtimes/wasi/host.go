package wasi

import (
	"context"
	"errors"
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

	snapshotting context.Context // values for calls that snapshots are taken of

	// What fuel.go needs to know of a run.
	ctx    context.Context
	yield  func(ctx context.Context) error              // nil: the goroutine yields
	wait   func(context.Context, <-chan struct{}) error // nil: the goroutine waits
	sliced time.Time                                    // when its slice began
	supply fuel.Supply                                  // how much fuel it gets at a time
}

// sandboxKey is what a sandbox is called in the context of its calls.
type sandboxKey struct{}

// init makes the host that of a sandbox. start is the zero of the guests' monotonic clocks.
func (h *host) init(s *sandbox, start time.Time) {
	h.state.Start, h.state.Names = start, runtimes.FileNames
	h.state.Yield, h.state.Wait, h.state.Ending = s.tick, s.pause, s.quiet
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
	h.ctx, h.yield, h.wait, h.sliced, h.supply = ctx, p.Yield, p.Wait, now, fuel.Supply{Limit: h.supply.Limit}
	h.supply.Until, _ = ctx.Deadline()
	s := &h.state
	s.Args, s.Env, s.Files, s.Own = p.Args, p.Env, p.Files, p.Mounts
	s.Stdin, s.Stdout, s.Stderr = p.Stdin, p.Stdout, p.Stderr
	s.Draws, s.Replay = p.Draws, p.Replay
}

// pause waits on behalf of the process until done is closed.
func (s *sandbox) pause(ctx context.Context, done <-chan struct{}) error {
	s.memory.region.Leave()
	s.replace()
	s.guest.End()
	if s.host.wait == nil {
		return deadline.Await(ctx, done)
	}
	return s.host.wait(ctx, done)
}

// closeFiles closes what the process has left open, once it has ended. The error is that of the context, or of
// Process.Wait, if there was no time for that. A sandbox in which it panics is of no use any more.
func (s *sandbox) closeFiles() (late error) {
	var failed error
	func() {
		defer recovered(&failed)
		late = s.state.Finish()
	}()
	s.broken = s.broken || failed != nil
	return errors.Join(late, failed)
}

// end ends the run and gives up what it holds outside of the sandbox.
func (h *host) end() {
	h.state.Reset()
	h.ctx, h.yield, h.wait = nil, nil, nil
}

// Allocate implements experimental.MemoryAllocator. An instance has one memory.
func (h *host) Allocate(_, _ uint64) experimental.LinearMemory { return &h.memory }
