// Package runtimes says what it means to run a function as a process.
//
// In goes a module's bytes; out comes a [Program] that can be run any number of times, each
// time as a fresh [Process] in the sense of os/exec: arguments, environment, stdin, stdout,
// stderr, an exit code, and nothing that remains from the run before. Whether a sandbox
// is really new or has been put back is the business of the package that implements
// [Runtime]; no caller can tell. The conformance suite in runtimestest says the same thing
// as tests, with os/exec itself as the oracle.
package runtimes

import (
	"context"

	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/recording"
)

// Runtime turns modules into programs. All methods may be called from several goroutines.
type Runtime interface {
	// Compile checks a module and translates it once, so that running it is quick. The
	// module's bytes may be reused by the caller after Compile has returned.
	//
	// # Errors
	//
	// A module that this runtime will not run, or not with these options, gives a *[ModuleError]; a cancelled context
	// gives an error that is context.Canceled or context.DeadlineExceeded. If the process has no more memory,
	// descriptors or disk for it, the error is an *exhausted.Error.
	Compile(ctx context.Context, module []byte, o Options) (Program, error)

	// Close frees what the runtime holds, its programs included. Runs that are still going
	// must have ended; Compile and Run fail afterwards.
	Close(ctx context.Context) error
}

// Program is a compiled module. All methods may be called from several goroutines.
type Program interface {
	// Run runs the program once as the process p and returns when it has ended. p must
	// not be used by two runs at the same time.
	//
	// # Errors
	//
	// Exit code 0 is nil. Otherwise the error is, in the sense of errors.As and errors.Is:
	//   - *[ExitError]: the process ended itself with another code;
	//   - *[TrapError]: it was ended because it did what no process may (on Unix: a signal);
	//   - context.DeadlineExceeded, context.Canceled: ctx ended, and the process with it;
	//   - [ErrMemory]: it failed after it was refused memory that it asked for; the ExitError
	//     or TrapError with which it failed is in the chain too;
	//   - [ErrFuel]: it was ended because it would have done more work than Options.Fuel;
	//   - the error that Stdout or Stderr returned from Write: a process whose output is
	//     refused is ended, whatever it does afterwards ([ErrOutput] for a [CapWriter]);
	//   - the error that Stdin returned from Read, other than io.EOF, or that Wait returned:
	//     the process is ended at once.
	//
	// Of several the first that happened counts; a process that ended by itself before its
	// context did is judged by its exit code, if there was time to close its files. Any other
	// error means that the process could not be started at all: a wrong Process, a closed
	// Program, no memory left.
	Run(ctx context.Context, p *Process) error

	// Start returns how the program's processes come to be, as far as it is known before a run; Usage.Start says how
	// one process did. It does not wait.
	Start() Start

	// Close frees the program. Runs that are still going must have ended.
	Close(ctx context.Context) error
}

// Options are the limits and choices that hold for all runs of a program. The zero value
// is ready to use.
type Options struct {
	// Memory is the most linear memory a process may have, in bytes, rounded down to pages of
	// 64 KiB. 0 means DefaultMemory. A module that needs more to begin with is refused.
	Memory uint64

	// Stack is how many bytes of native stack the calls of a process may take, by an estimate that is the
	// same on any machine. One that needs more is ended with a *TrapError. 0 means DefaultStack. A stack that the
	// runtime has no room for is refused.
	Stack uint64

	// Fuel is the most work that a process may do, in the unit of Usage.Fuel. One that would do more is
	// ended with ErrFuel, at the same place each time. 0 means no limit.
	Fuel uint64

	// Optimize says how far the code is optimized: one of the Optimize constants.
	Optimize Optimization

	// Start says how processes come to be: one of the Start constants. Empty means StartAuto. A kind
	// that is not possible for the module is refused.
	Start string

	// Args and Env are those that most processes of this program will have. A runtime may start
	// processes with them before they are asked for; those with other ones are no less right, but
	// may take longer.
	Args, Env []string

	// Mounts are folders that each process sees besides /request. What is in a Tree must not change. Without one, each
	// process has its own, see Process.Mounts: the names of folders are the same for all, so that a process can be
	// started before it is known what is in them.
	Mounts []Mount

	// Renews reports whether a process renews what it has drawn of time and entropy before it first reads stdin, so
	// that StartAuto may come to StartCheckpoint whatever the process has looked at.
	Renews bool

	// Interpreter is what runs a script, by its name, or as NAME@VERSION. It is empty for a module.
	Interpreter string

	// Varies reports whether the environment differs from process to process. Then no process can be started before it
	// is asked for: StartPrefork and StartCheckpoint are not possible.
	Varies bool

	// Setup is what an initialization that is run once, for all processes to begin with, is given of time and entropy:
	// what Draws.Setup says of a process that is to be replayed. Nil means what the runtime gives it.
	Setup *recording.Draws

	// Line names a line of modules. Each is an edit of the one before, such as the states of a function that somebody
	// works on. A runtime may then return a program sooner that takes longer for some of its first runs. Empty means
	// that there are none.
	Line string
}

// Part says which of the functions that a module defines a program has, counted from 0.
type Part struct {
	// Without says by number which functions are left out. A process that calls one of them ends with a *TrapError;
	// any other runs as in the whole program. Nil means that none is left out.
	Without []bool
	// Called makes the program remember which functions have been called.
	Called bool
}

// Parter is a Runtime that can leave functions out.
type Parter interface {
	Runtime

	// CompilePart is Compile for a part of a module. A part that is not possible for the module is the whole, which
	// remembers nothing.
	CompilePart(ctx context.Context, module []byte, o Options, p Part) (Program, error)
}

// Caller is a Program of Parter.CompilePart.
type Caller interface {
	Program

	// Called returns which functions have been called in runs that have ended, in their order. It is nil if that is
	// not known. It may be called after Close, too.
	Called() []bool
}

// Mount is a folder of the processes of a program. Its path is absolute and clean, and neither "/" nor "/request".
type Mount = files.Mount

// DefaultMemory is the memory limit of a process when Options names none: 128 MiB.
const DefaultMemory uint64 = 128 << 20

// DefaultStack is the limit of a process's stack when Options names none: 8 MiB, what Linux gives a process.
const DefaultStack uint64 = 8 << 20

// Optimization says how far the code of a module is optimized. What a process does is the same, but for its fuel and for
// how long it takes.
type Optimization uint8

// The levels of optimization. The zero value is the one for most programs.
const (
	OptimizeAll   Optimization = iota // all that the runtime knows
	OptimizeCheap                     // what takes little time when the module is compiled
	OptimizeNone                      // only what the sandbox needs to be safe
)

// The ways in which a process can come to be, as Options.Start asks for them and Usage.Start reports them.
const (
	// StartAuto leaves the choice to the runtime.
	StartAuto = "auto"
	// StartFresh is a new sandbox for every process.
	StartFresh = "fresh"
	// StartReset is a sandbox that has been used and whose whole state has been put back: what
	// the process can see is the same as in a new one.
	StartReset = "reset"
	// StartPrefork is a process that was started before its request came, waits where it first
	// reads stdin, and serves one request.
	StartPrefork = "prefork"
	// StartCheckpoint is a process that is put back, for every request, to where it first read stdin. What
	// it drew before, such as the seed of a random number generator, is the same for all requests.
	StartCheckpoint = "checkpoint"
)

// Start says how the processes of a program come to be. The zero value means that nobody knows.
type Start struct {
	Kind   string // as in Usage.Start
	Reason string // why it is that one, for people
}

// Deriver is a Program whose code can be shared.
type Deriver interface {
	Program

	// Derive returns another program with the same code and options of its own, as if its module had been compiled
	// with these, but without the work and the memory of that. The two are closed independently of each other.
	// Options.Stack must be 0, for the same limit, or that of the program that it is derived from. Options.Optimize has no
	// effect: the code is there.
	//
	// # Errors
	//
	// As those of Runtime.Compile.
	Derive(ctx context.Context, o Options) (Program, error)
}

// ModuleError says why a module was refused before it ran.
type ModuleError struct {
	// Reason is the whole message: what is wrong, where, and what the author can do.
	Reason string
	// Err is the cause, if there is one.
	Err error
}

// Error returns the reason.
func (e *ModuleError) Error() string { return e.Reason }

// Unwrap returns the cause.
func (e *ModuleError) Unwrap() error { return e.Err }

// BusyError is why a module was not compiled that may be in order: the machine lacks something, for now.
type BusyError struct {
	// Reason is the whole message: what is lacking, and what an operator can do.
	Reason string
}

// Error returns the reason.
func (e *BusyError) Error() string { return e.Reason }
