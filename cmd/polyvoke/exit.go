package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/protocol"
)

// The exit codes of polyvoke itself. A function's own code passes through call and run.
const (
	exitFailed      = 1   // anything that has no code of its own, such as a file that cannot be read
	exitUsage       = 2   // the command, or what it was given, is wrong
	exitTimeout     = 124 // the deadline passed first, as with timeout(1)
	exitPlatform    = 125 // NATS, the invoker or the sandbox failed, not the function
	exitNotRunnable = 126 // the module cannot be run
	exitNotFound    = 127 // no such function
	exitInterrupted = 130 // Ctrl-C
)

// exitError is an error with an exit code. Without a message nothing is printed.
type exitError struct {
	code int
	msg  string
	err  error
}

// Error returns the message.
func (e *exitError) Error() string { return e.msg }

// Unwrap returns the cause.
func (e *exitError) Unwrap() error { return e.err }

// usageError says what is wrong with a command line, and how it is meant.
func usageError(cmd *cobra.Command, format string, a ...any) error {
	msg := fmt.Sprintf(format, a...)
	return &exitError{code: exitUsage, msg: fmt.Sprintf("%s\nusage: %s\n%s --help tells more", msg, cmd.UseLine(), cmd.CommandPath())}
}

// exit prints an error, if there is one to print, and returns the exit code.
func (c *cli) exit(err error) int {
	if err == nil {
		return 0
	}
	msg := err.Error()
	if exitOf(err) == exitInterrupted {
		msg = "interrupted"
	}
	if msg != "" {
		p := c.paint(c.stderr)
		fmt.Fprintf(c.stderr, "%s %s\n", p.Red("polyvoke:"), strings.TrimSpace(msg))
	}
	return exitOf(err)
}

// exitOf returns the exit code of an error.
func exitOf(err error) int {
	var x *exitError
	var p *protocol.Error
	switch {
	case errors.As(err, &x):
		return x.code
	case errors.Is(err, context.Canceled): // whatever it interrupted
		return exitInterrupted
	case errors.As(err, &p):
		return exitOfCode(p.Code)
	case errors.Is(err, context.DeadlineExceeded):
		return exitTimeout
	}
	return exitFailed
}

// exitOfCode returns the exit code for an error code that came without one.
func exitOfCode(code int) int {
	switch code {
	case protocol.CodeBadRequest, protocol.CodeTooLarge:
		return exitUsage
	case protocol.CodeNotFound:
		return exitNotFound
	case protocol.CodeRefused:
		return exitNotRunnable
	case protocol.CodeTimeout:
		return exitTimeout
	}
	return exitPlatform
}

// exitOfProcess returns the exit code for a process's own code: the same, as far as the
// operating system has room for it.
func exitOfProcess(code int) int {
	if code > 255 {
		return 255
	}
	return code
}
