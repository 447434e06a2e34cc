// Package exit says what polyvoke's exit codes mean, and which one an error has.
package exit

import (
	"context"
	"errors"

	"github.com/polyvoke/polyvoke/protocol"
)

// The exit codes of polyvoke itself. A function's own code passes through call and run.
const (
	Failed      = 1   // anything that has no code of its own, such as a file that cannot be read
	Usage       = 2   // the command, or what it was given, is wrong
	Timeout     = 124 // the deadline passed first, as with timeout(1)
	Platform    = 125 // NATS, the invoker or the sandbox failed, not the function
	NotRunnable = 126 // the module cannot be run
	NotFound    = 127 // no such function
	Interrupted = 130 // Ctrl-C
)

// Error is an error with an exit code. Without a message nothing is printed.
type Error struct {
	Code int
	Msg  string
	Err  error // the cause; nil if Msg says it all
}

// Error returns the message.
func (e *Error) Error() string { return e.Msg }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Of returns the exit code of an error.
func Of(err error) int {
	var x *Error
	var p *protocol.Error
	switch {
	case errors.As(err, &x):
		return x.Code
	case errors.Is(err, context.Canceled): // whatever it interrupted
		return Interrupted
	case errors.As(err, &p):
		return OfCode(p.Code)
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	}
	return Failed
}

// OfCode returns the exit code for an error code that came without one.
func OfCode(code int) int {
	switch code {
	case protocol.CodeBadRequest, protocol.CodeTooLarge, protocol.CodeHeaders:
		return Usage
	case protocol.CodeNotFound:
		return NotFound
	case protocol.CodeRefused:
		return NotRunnable
	case protocol.CodeTimeout:
		return Timeout
	}
	return Platform
}

// OfProcess returns the exit code for a process's own code: the same, as far as the
// operating system has room for it.
func OfProcess(code int) int {
	if code > 255 {
		return 255
	}
	return code
}
