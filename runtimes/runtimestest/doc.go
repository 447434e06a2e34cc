// Package runtimestest is the conformance suite for runtimes: what package runtimes says in
// words, it says as tests. [Test] runs it against any runtime; the oracle is the operating
// system itself, by way of [NewExec], which runs native programs with os/exec. What holds for
// a native process holds for a sandbox.
//
// The guest is one small C program, testdata/probe.c, that does one thing a process can do
// for each mode it is started in. [Wasm] is that program compiled for WASI, [Native] compiles it
// for the machine that runs the test.
package runtimestest

//go:generate testdata/build.sh
