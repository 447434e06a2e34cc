package wasi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/wasi/memory"
	"github.com/polyvoke/polyvoke/runtimes/wasi/preview1"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/sys"
)

// host is the host's side of a run: the guest's memory, and all that its calls of WASI come to. Hosts
// are used for one run after another. One goroutine uses a host at a time.
type host struct {
	memory linear
	state  preview1.State

	// What fuel.go needs to know of a run.
	ctx      context.Context
	yield    func(ctx context.Context) error // nil: the goroutine yields
	fuel     int64                           // that was given to the process
	used     uint64                          // of it, in the end
	sliced   time.Time                       // when its slice began
	pace     pace                            // how much fuel it gets at a time
	overflow bool                            // it ran out of stack
}

// newHost returns a host without a run. start is the zero of the guests' monotonic clocks.
func newHost(start time.Time) *host {
	h := &host{}
	h.state.Start = start
	h.state.Yield = h.tick
	h.state.Values = context.WithValue(experimental.WithMemoryAllocator(context.Background(), h), hostKey{}, h)
	return h
}

// begin prepares the host for a run, and returns the context of the guest.
func (h *host) begin(ctx context.Context, p *runtimes.Process, r *memory.Region, limit uint64) *preview1.Context {
	h.memory = linear{region: r, limit: limit}
	h.ctx, h.yield, h.fuel, h.used, h.overflow, h.sliced, h.pace = ctx, p.Yield, 0, 0, false, time.Now(), pace{}
	s := &h.state
	s.Args, s.Env, s.Stdin, s.Stdout, s.Stderr = p.Args, p.Env, p.Stdin, p.Stdout, p.Stderr
	s.Files, s.Sleep = p.Files, p.Sleep
	return s.Begin(ctx)
}

// end ends the run and gives up what it holds outside of the sandbox.
func (h *host) end() {
	h.state.Reset()
	h.ctx, h.yield = nil, nil
}

// Allocate implements experimental.MemoryAllocator. An instance has one memory.
func (h *host) Allocate(_, _ uint64) experimental.LinearMemory { return &h.memory }

// outcome turns what the engine says about the end of a run into the error that Run returns.
func (h *host) outcome(ctx context.Context, err error) error {
	if cause := h.state.Err(); cause != nil {
		return cause
	}
	if err == nil {
		return nil
	}
	err = ending(ctx, err)
	var t *runtimes.TrapError
	if h.overflow && errors.As(err, &t) {
		t.Reason = "stack overflow"
	}
	if h.memory.refused && byItself(err) {
		return fmt.Errorf("%w: %w", runtimes.ErrMemory, err)
	}
	return err
}

// byItself tells whether a process failed by what it did, not by what happened to it.
func byItself(err error) bool {
	switch err.(type) {
	case *runtimes.ExitError, *runtimes.TrapError:
		return true
	}
	return false
}

// ending turns the engine's errors into those of package runtimes.
func ending(ctx context.Context, err error) error {
	var exit *sys.ExitError
	if !errors.As(err, &exit) {
		return trap(err)
	}
	code := exit.ExitCode()
	// The engine uses two codes for contexts, but a guest may exit with any code.
	if cause := ctx.Err(); cause != nil && (code == sys.ExitCodeContextCanceled || code == sys.ExitCodeDeadlineExceeded) {
		return cause
	}
	if code == 0 {
		return nil
	}
	return &runtimes.ExitError{Code: code}
}

// trap turns the engine's error about a trap, which has the guest's stack in its text, into a TrapError.
func trap(err error) error {
	text, _, _ := strings.Cut(err.Error(), "\n\nGo runtime stack trace:")
	reason, stack, _ := strings.Cut(text, "\nwasm stack trace:\n")
	reason = strings.TrimPrefix(reason, "wasm error: ")
	return &runtimes.TrapError{Reason: reason, Stack: strings.ReplaceAll(strings.TrimSpace(stack), "\n\t", "\n")}
}
