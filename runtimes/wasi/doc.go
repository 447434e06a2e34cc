// Package wasi runs WebAssembly modules as processes: WASI preview1 commands and reactors, each in a sandbox of its
// own. In go a module and a runtimes.Process; out come its output and the way it ended. It is the only package that
// knows the engine, wazero.
//
// A process sees its arguments, its environment, stdin, stdout and stderr, the clocks, entropy and the read-only folder
// /request, and nothing else: no file, no socket and no process of the host.
//
// # From module to program
//
// Once for each module, Runtime.Compile calls these, from top to bottom:
//
//	limits.go       refuse options that nobody may have
//	compile.go      check the bytes (package module), rewrite them (package rewrite): fuel, exported globals, an entry
//	compiler/       compile them into native code, in a child process; or load what was compiled before
//	code.go         keep that, with an image of the memory as it is before the entry runs; programs can share it
//	wizer.go        run what the module wants to be run once
//	startkind.go    run the entry up to the first read of stdin, and decide how processes come to be
//	program.go      keep that, with limits: the runtimes.Program
//
// # From program to process
//
// For each call, program.Run calls these:
//
//	program.go      take a sandbox: one that is parked, one that was put back, or a new one
//	instantiate.go  make the instance of a new one
//	sandbox.go      call the entry
//	host.go         answer the guest: WASI (package preview1), and fuel.go when a portion of its fuel is used up
//	errors.go       say how it ended
//	sandbox.go      put memory and globals back (package memory), or end the sandbox if that is not possible
//	idle.go         keep it for the next call (package idle)
//
// # Start kinds
//
// A sandbox is new (fresh), or was put back to its beginning after the run before (reset), or is parked: its process
// was started in advance and waits where it first reads stdin (parking.go), to go on once (prefork) or again and again
// (checkpoint.go). The program says which (Start), and each run in its Usage. No process can tell, but for what
// runtimes.StartCheckpoint says about itself. A sandbox that could not be put back ends.
//
// Parking needs to know the engine's stacks, which package native finds; its README.md says what is lost without.
// RATIONALE.md has the reasons for all of this.
package wasi
