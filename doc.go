// Package polyvoke answers NATS messages with WebAssembly processes.
//
// A message arrives on a subject; package protocol says what it means; package invoker finds
// the function, takes a slot and asks a sandbox of package runtimes to run it as a
// process; the exit code and stdout become the reply. The command in cmd/polyvoke puts these
// together. This package holds nothing but the rules of the house, as tests: which package may
// import which, and what the module may depend on.
package polyvoke
