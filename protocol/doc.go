// Package protocol says what the bytes mean: subjects, headers, manifests, exit codes,
// error codes and limits of polyvoke, version 1.
//
// In go a subject, headers and a body; out comes a [Request], and a [Reply] goes the way
// back. The specification is the README beside this file; the package is its code and its
// testdata are wire vectors that clients in other languages may use as well. The package
// needs nothing but the standard library, does no input or output, and all of its
// functions may be called from several goroutines.
package protocol
