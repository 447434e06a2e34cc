package wasi_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// A process does the same at each level of optimization, and a level that there is not is refused.
func TestOptimize(t *testing.T) {
	rt, err := wasi.New(t.Context(), wasi.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close(t.Context())
	for level := range runtimes.OptimizeNone + 1 {
		p, err := rt.Compile(t.Context(), runtimestest.Wasm(), runtimes.Options{Optimize: level})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		q := &runtimes.Process{Args: []string{"echo"}, Stdin: strings.NewReader("hello"), Stdout: &out}
		if err := p.Run(t.Context(), q); err != nil || out.String() != "hello" {
			t.Errorf("level %d: got %q and the error %v", level, out.String(), err)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	o := runtimes.Options{Optimize: runtimes.OptimizeNone + 1}
	if _, err := rt.Compile(t.Context(), runtimestest.Wasm(), o); err == nil || !strings.Contains(err.Error(), "level") {
		t.Errorf("a level that there is not: %v", err)
	}
}
