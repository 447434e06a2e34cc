// Package script runs functions that are source files, by interpreters that are WASI programs themselves.
//
// In goes a script ([Script]): a source file, or several with one that is the entry, packed as a module. An
// interpreter comes as a bundle ([Bundle]): a module and what it needs. [Runtime] makes a program of the two: the
// interpreter is compiled once for all its scripts, and each script is a folder that its processes see as /script.
// When and how a process starts is decided by the runtime below, as for any module; what a script does before it
// first reads stdin can then have been done before a request comes.
//
// The files, on the way of an upload:
//
//	script.go    what is a script; pack and read it
//	bundle.go    what is an interpreter; pack and read it
//	archive.go   both are zip archives: which ones are accepted
//	tree.go      files in memory
//	runtime.go   find the interpreter
//	language.go  translate, if the language needs it; check; derive a program
//	program.go   run
package script
