//go:build !linux

package main

import "github.com/rogpeppe/go-internal/testscript"

// ttyScript is the command tty, whose stories run on Linux.
func ttyScript(ts *testscript.TestScript, _ []string) {
	ts.Fatalf("there are terminals for tests on Linux only")
}
