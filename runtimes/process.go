package runtimes

import (
	"context"
	"io"
	"strconv"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/recording"
)

// Process is one run of a program: what it gets, where its output goes, and, after Run has
// returned, what it used. It has the shape of os/exec.Cmd.
type Process struct {
	// Args is argv; Args[0] is the function's name. Nil means no arguments at all. An
	// argument must not contain a NUL byte.
	Args []string

	// Env is the environment as "NAME=value" entries. Nil means an empty environment: unlike
	// with os/exec, the host's is never inherited. Entries must not contain a NUL byte. If
	// a name comes twice, the last value counts.
	Env []string

	// Stdin is read to its end, or not at all. Nil means that it is empty. A Reader that
	// blocks is given up when the run ends; its Read may then still be going on, so that the
	// Reader must not be used again.
	Stdin io.Reader

	// Stdout and Stderr take every byte that the process writes, in order. Nil discards
	// them. An error from Write ends the process (see Program.Run). If they are the same
	// Writer, at most one goroutine calls Write at a time. A Taker can make the process wait.
	Stdout, Stderr io.Writer

	// Files is what the process sees below /request/. Nil means an empty folder. At its top only FileNames are seen.
	// Besides there are Options.Mounts and, in /dev, stdin, stdout, stderr, null, zero, random, urandom and fd.
	Files files.Tree

	// Mounts are the trees of this process for those of Options.Mounts that have none. One without is an empty folder
	// that cannot be changed. A path that is not among these is an error. An operation of a tree can go on when Run has
	// returned, unless the tree is files.Inline, but its context has ended.
	Mounts []Mount

	// Wait waits until done is closed or ctx ends, and returns the error of ctx in that case. The process needs no
	// processor until then: it waits for a time, for stdin, for room in a Taker or for a file, or its code is still being
	// compiled. done may
	// be nil, which is never closed. Nil means that the goroutine waits. A caller that schedules processes gives what
	// this one holds to others, and has it again, or not, when Wait returns. Any other error than that of ctx ends the
	// process, and Run returns it.
	Wait func(ctx context.Context, done <-chan struct{}) error

	// Yield is called when the process has used a slice of processor time, about a
	// millisecond, and after each further one. It may wait, so that processes take turns; an
	// error ends the process and is what Run returns. Nil means that the goroutine
	// yields. A runtime that cannot interrupt a process never calls it.
	Yield func(ctx context.Context) error

	// Begin is the moment from which the run's time counts, if the caller has just looked it up: a look at the clock is
	// a part of what a short run costs. Zero means when Run is called.
	Begin time.Time

	// Draws, if it is not nil, takes down what the process is given of time and entropy, from its start on, also if it
	// was started in advance. Run begins it anew. What a runtime cannot take down, Draws.Lost says. What the process
	// finds in Mounts is for the caller to take down.
	Draws *recording.Draws

	// Replay, if it is not nil, is what the process is given of time and entropy. No wait for a time takes any then, and
	// the process is a new one (StartFresh). A runtime that cannot do so ignores it.
	Replay *recording.Replay

	// Usage is set when Run returns, whatever Run returns.
	Usage Usage
}

// Usage is what one run took.
type Usage struct {
	// Start is how the process came to be: one of the Start constants but StartAuto, or "exec" for a
	// process of the operating system.
	Start string
	// Duration is the wall time from Process.Begin to the end.
	Duration time.Duration
	// Fuel is how much work it was, in units that depend on the runtime but not on the machine: the same program with
	// the same input uses the same fuel. It is never more than Options.Fuel. 0 if unknown.
	Fuel uint64
	// Memory is the most linear memory that the process had, in bytes. 0 if unknown.
	Memory uint64
}

// ExitError reports a process that ended itself with a code other than 0.
type ExitError struct {
	// Code is the exit code, as the process gave it: 1 to 255 where the caller wants to
	// be understood by everybody, but WASI has room for 32 bits.
	Code uint32
}

// Error returns the code in the words of os/exec.
func (e *ExitError) Error() string { return "exit status " + strconv.FormatUint(uint64(e.Code), 10) }

// TrapError reports a process that was ended because it did what no process may: it
// executed unreachable, divided by zero, left its memory or its stack.
type TrapError struct {
	// Reason is the engine's name for it, such as "unreachable" or "out of bounds memory access".
	Reason string
	// Stack is the guest's call stack, innermost first, if the engine knows it.
	Stack string
}

// Error returns the reason.
func (e *TrapError) Error() string { return "trap: " + e.Reason }

// FileNames are the names that can be at the top of Process.Files, whatever the request: a process that looks for
// others, such as for an optional file with settings, learns nothing about it.
var FileNames = []string{"client", "deadline", "headers", "id", "method", "params", "path", "query", "route", "subject"}
