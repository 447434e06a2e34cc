package wasi

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/tetratelabs/wazero/sys"
)

// errClosed is what Compile and Run return after Close.
var errClosed = errors.New("the runtime or the program has been closed")

// refused returns the error of a module that will not run, or not with its options.
func refused(format string, args ...any) error {
	return &runtimes.ModuleError{Reason: fmt.Sprintf(format, args...)}
}

// errEngine is a panic that came out of the engine.
var errEngine = errors.New("the engine failed")

// recovered makes an error of a panic.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v", errEngine, p)
	}
}

// outcome turns what the engine says about the end of a run into the error that Run returns.
func (s *sandbox) outcome(ctx context.Context, err error) error {
	if cause := s.state.Err(); cause != nil {
		return cause
	}
	if err == nil {
		return nil
	}
	err = runError(ctx, err)
	var t *runtimes.TrapError
	switch {
	case !errors.As(err, &t):
	case s.overflowed():
		t.Reason = "stack overflow"
	case s.uncaught():
		t.Reason = "uncaught exception"
	}
	if s.memory.refused && failedByItself(err) {
		return fmt.Errorf("%w: %w", runtimes.ErrMemory, err)
	}
	return err
}

// trapped is how the engine's errors about traps begin.
const trapped = "wasm error: "

// runError turns the error of a call whose context was ctx into that of package runtimes: nil, a *runtimes.ExitError, a
// *runtimes.TrapError, or the context's own.
func runError(ctx context.Context, err error) error {
	if err == nil || err == context.Canceled || err == context.DeadlineExceeded {
		return err // there was no call if it was too late to make an instance
	}
	var exit *sys.ExitError
	if !errors.As(err, &exit) {
		return trapError(err)
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

// trapError turns the engine's error about a trap, which has the guest's stack in its text, into a TrapError.
func trapError(err error) error {
	text, _, _ := strings.Cut(err.Error(), "\n\nGo runtime stack trace:")
	reason, stack, _ := strings.Cut(text, "\nwasm stack trace:\n")
	reason = strings.TrimPrefix(reason, trapped)
	return &runtimes.TrapError{Reason: reason, Stack: strings.ReplaceAll(strings.TrimSpace(stack), "\n\t", "\n")}
}

// failedByItself reports whether a process that ended with an error of runError failed by what it did, not by what
// happened to it.
func failedByItself(err error) bool {
	switch err.(type) {
	case *runtimes.ExitError, *runtimes.TrapError:
		return true
	}
	return false
}

// leavesBroken reports whether an instance cannot serve another call after one that ended with err, as the engine says
// it: the engine was left in the middle of something. After exits and traps it was not.
func leavesBroken(err error) bool {
	if err == nil {
		return false // most runs: without a variable on the heap
	}
	var exit *sys.ExitError
	return !errors.As(err, &exit) && !strings.HasPrefix(err.Error(), trapped)
}
