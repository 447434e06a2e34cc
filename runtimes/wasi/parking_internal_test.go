package wasi

import (
	"testing"

	"github.com/polyvoke/polyvoke/runtimes"
)

// TestNativeStack checks that it can be seen how large a native stack is, which is no part of the engine's interface.
func TestNativeStack(t *testing.T) {
	g := newTestProgram(t, newTestRuntime(t, Config{}), runtimes.StartPrefork)
	s, err := g.openKept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if n := nativeStack(s.entry()); n < 1<<10 || n > 1<<20 {
		t.Errorf("it is said to be %d bytes", n)
	}
	if nativeStack(nil) != 0 || nativeStack(s.instance.ExportedFunction("no such function")) != 0 {
		t.Error("a function that is not there has a stack")
	}
}
