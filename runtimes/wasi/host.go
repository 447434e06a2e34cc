package wasi

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/experimental/sysfs"
	"github.com/tetratelabs/wazero/sys"
)

// host is the host's side of one run: all that the guest's calls of WASI come to. The engine's
// description of it, config, is costly to make and refers to the host only, not to the run;
// so hosts are used for one run after another. One goroutine uses a host at a time.
type host struct {
	base      wazero.ModuleConfig // without arguments and environment
	withEnv   wazero.ModuleConfig // base with env
	config    wazero.ModuleConfig // withEnv with args
	args, env []string

	// These belong to the run. The context is kept because the engine calls Readers,
	// Writers and clocks without one.
	ctx            context.Context
	process        *runtimes.Process
	memory         memory
	stdin          input
	stdout, stderr output
	entropy        entropy
	files          files
	fuel           int64     // that was given to the process
	sliced         time.Time // when its slice began
	overflow       bool      // the process ran out of stack
	err            error     // why the host has ended the process, if it has
}

// newHost returns a host without a run.
func newHost() *host {
	h := &host{}
	h.stdin.host, h.stdout.host, h.stderr.host, h.entropy.host = h, h, h, h
	mount := wazero.NewFSConfig().(sysfs.FSConfig).WithSysFSMount(newMount(&h.files), "/request")
	h.base = wazero.NewModuleConfig().
		WithName(""). // several instances cannot have the same name, but all can have none
		WithStartFunctions().
		WithStdin(&h.stdin).WithStdout(&h.stdout).WithStderr(&h.stderr).
		WithRandSource(&h.entropy).
		WithSysWalltime().WithSysNanotime().
		WithNanosleep(h.nanosleep).WithOsyield(h.yield).
		WithFSConfig(mount)
	h.withEnv, h.config = h.base, h.base
	return h
}

// begin prepares the host for a run.
func (h *host) begin(ctx context.Context, p *runtimes.Process, r *region, limit uint64) {
	h.ctx, h.process = ctx, p
	h.memory = memory{region: r, limit: limit}
	h.stdin.begin(p.Stdin)
	h.stdout.w, h.stderr.w = p.Stdout, p.Stderr
	h.files.fsys = p.Files
	if !slices.Equal(h.args, p.Args) || !slices.Equal(h.env, p.Env) {
		h.setStrings(p)
	}
}

// setStrings puts arguments and environment into the config. Each entry of the environment makes
// the engine copy the config, so an environment that is still the same is kept.
func (h *host) setStrings(p *runtimes.Process) {
	if !slices.Equal(h.env, p.Env) {
		h.env, h.withEnv = slices.Clone(p.Env), h.base
		for _, e := range h.env {
			name, value, _ := strings.Cut(e, "=")
			h.withEnv = h.withEnv.WithEnv(name, value)
		}
	}
	h.args = slices.Clone(p.Args)
	h.config = h.withEnv.WithArgs(h.args...)
}

// end gives up what the run holds outside of the sandbox.
func (h *host) end() {
	h.stdin.end()
	h.files.end()
}

// reset forgets the run.
func (h *host) reset() {
	h.ctx, h.process, h.err, h.fuel, h.overflow = nil, nil, nil, 0, false
	h.memory = memory{}
	h.stdout.w, h.stderr.w = nil, nil
}

// Allocate implements experimental.MemoryAllocator. An instance has one memory.
func (h *host) Allocate(_, _ uint64) experimental.LinearMemory { return &h.memory }

// stop ends the process because of an error. It does not return: the panic passes through the
// guest to the engine, which hands an ExitError on as it is, without making a stack trace.
func (h *host) stop(err error) {
	if h.err == nil {
		h.err = err
	}
	panic(sys.NewExitError(1))
}

// live ends the process if its context has ended.
func (h *host) live() {
	if err := h.ctx.Err(); err != nil {
		h.stop(err)
	}
	// The context's own timer is late when all processors are busy.
	if deadline, ok := h.ctx.Deadline(); ok && !time.Now().Before(deadline) {
		h.stop(context.DeadlineExceeded)
	}
}

// nanosleep is what poll_oneoff calls to wait.
func (h *host) nanosleep(ns int64) {
	if err := h.sleep(time.Duration(ns)); err != nil {
		h.live() // the context's own error goes first
		h.stop(err)
	}
	h.live()
}

// sleep waits for d to pass, or for the context to end.
func (h *host) sleep(d time.Duration) error {
	if h.process.Sleep != nil {
		return h.process.Sleep(h.ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-h.ctx.Done():
		return h.ctx.Err()
	}
}

// yield is what sched_yield calls.
func (h *host) yield() {
	h.live()
	h.tick()
}

// outcome turns what the engine says about the end of a run into the error that Run returns.
func (h *host) outcome(ctx context.Context, err error) error {
	if h.err != nil {
		return h.err
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

// entropy is the guest's source of random bytes.
type entropy struct{ host *host }

// Read implements io.Reader. It reads a piece at a time, so that a deadline is seen between them.
func (e *entropy) Read(b []byte) (int, error) {
	e.host.live()
	return rand.Read(b[:min(len(b), 1<<16)])
}

// output is stdout or stderr.
type output struct {
	host *host
	w    io.Writer // nil discards
}

// Write implements io.Writer. A guest may ignore an error, so an error ends it here.
func (o *output) Write(b []byte) (int, error) {
	o.host.live()
	if o.w == nil {
		return len(b), nil
	}
	n, err := o.w.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		o.host.stop(err)
	}
	return n, nil
}
