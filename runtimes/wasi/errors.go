package wasi

import (
	"context"
	"errors"
	"strings"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/tetratelabs/wazero/sys"
)

// trapped is how the engine's errors about traps begin.
const trapped = "wasm error: "

// runError turns the error of a call whose context was ctx into that of package runtimes: nil, a *runtimes.ExitError, a
// *runtimes.TrapError, or the context's own.
func runError(ctx context.Context, err error) error {
	if err == nil || err == context.Canceled || err == context.DeadlineExceeded { // there was no call if it was too late to make an instance
		return err
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

// failedByItself tells whether a process that ended with an error which runError has returned failed by what it did, not by what
// happened to it.
func failedByItself(err error) bool {
	switch err.(type) {
	case *runtimes.ExitError, *runtimes.TrapError:
		return true
	}
	return false
}

// leavesBroken tells whether an instance of which a call ended with err, as the engine says it, cannot serve another one:
// the engine was left in the middle of something. Exits and traps are no such thing.
func leavesBroken(err error) bool {
	if err == nil {
		return false // most runs: without a variable on the heap
	}
	var exit *sys.ExitError
	return !errors.As(err, &exit) && !strings.HasPrefix(err.Error(), trapped)
}
