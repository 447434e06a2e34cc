package protocol

import (
	"slices"
	"strings"
	"testing"
)

// The level of optimization is one of three, with a default that need not be written; any other makes the function one
// that older invokers refuse.
func TestOptimize(t *testing.T) {
	for text, want := range map[string]struct {
		level int
		needs bool
	}{
		`{"name":"f"}`:                 {OptimizeAll, false},
		`{"name":"f","optimize":null}`: {OptimizeAll, false},
		`{"name":"f","optimize":2}`:    {OptimizeAll, false},
		`{"name":"f","optimize":1}`:    {OptimizeCheap, true},
		`{"name":"f","optimize":0}`:    {OptimizeNone, true},
	} {
		f, err := ParseFunction([]byte(text))
		if err != nil || f.Optimization() != want.level || slices.Contains(f.Needed(), "optimize") != want.needs {
			t.Errorf("%s: got %d, needs %q and the error %v", text, f.Optimization(), f.Needed(), err)
		}
		if plain := (Function{Name: "f"}); f.Same(&plain) != (want.level == OptimizeAll) {
			t.Errorf("%s: it is the same as one that says nothing: %t", text, f.Same(&plain))
		}
	}
	for _, bad := range []string{"3", "-1", "256", "4294967296", "9223372036854775808", "1.5", `"2"`, "true", "[0]", "{}"} {
		_, err := ParseFunction([]byte(`{"name":"f","optimize":` + bad + `}`))
		if CodeOf(err) != CodeRefused || !strings.Contains(err.Error(), "optimize") || len(err.Error()) > 200 {
			t.Errorf("%s: error %v", bad, err)
		}
	}
}
