// Package backendtest has a function for tests of what functions are granted: it does with files what its input says.
package backendtest

import _ "embed" // for the clerk

//go:generate sh testdata/build.sh

//go:embed testdata/clerk.wasm
var clerk string

// Clerk returns a WASI preview1 command that carries out the lines of its stdin, WORD PATH REST, with the file
// functions of C. It writes what it has found to stdout, a line each.
//
//	add PATH N      adds N to the number in a file, by reading and writing it
//	get PATH        reads a file, which is "-" if there is none; size: how long it is
//	put PATH TEXT   writes a file; append, new: behind its end, only if there is none
//	fill PATH N     writes a file of N bytes
//	rm PATH         removes a file; has, stat, ls: what is there
//	log TEXT        writes a line to stderr; say: to stdout; flood N: N lines of 1 KiB to stderr
//	nap MS          sleeps
//	exit N, trap    ends
//
// A file that the environment names as BEFORE is read before stdin. An operation that fails is said on stderr, and
// ends the process with 74.
func Clerk() []byte { return []byte(clerk) }
