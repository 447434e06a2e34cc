package rewrite_test

import (
	"fmt"

	"github.com/polyvoke/polyvoke/runtimes/module/rewrite"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// A program in C gets a fuel gauge, a bound of the stack, and its one mutable global within reach.
func ExampleRewrite() {
	_, r, err := rewrite.Rewrite(runtimestest.Wasm(), rewrite.Options{Stack: 1 << 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Globals, r.Meter.Stack, len(r.Module.Analysis.Obstacles()))
	// Output: [polyvoke.global.0] 1048576 0
}
