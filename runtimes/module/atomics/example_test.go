package atomics_test

import (
	"fmt"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/atomics"
)

// A module that adds one to a number in a memory that it imports to share it gets a memory of its own, and adds by a
// function.
func ExampleLower() {
	b := []byte("\x00asm\x01\x00\x00\x00" + "\x01\x05\x01\x60\x00\x01\x7f" + "\x02\x10\x01\x03env\x06memory\x02\x03\x01\x02" + "\x03\x02\x01\x00" +
		"\x0a\x0c\x01\x0a\x00\x41\x00\x41\x01\xfe\x1e\x02\x00\x0b") // (i32.atomic.rmw.add (i32.const 0) (i32.const 1))
	describe := func(b []byte) {
		m, err := module.Parse(b)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(len(m.Imports), "imports,", m.Memories[0], "and", m.Functions, "functions; to be lowered:",
			atomics.Needed(m))
	}
	describe(b)
	b, err := atomics.Lower(b, module.Limits{}, atomics.Sleep("host", "sleep"))
	if err != nil {
		fmt.Println(err)
		return
	}
	describe(b)
	// Output:
	// 1 imports, shared memory 1..2 pages and 1 functions; to be lowered: true
	// 0 imports, memory 1..2 pages and 2 functions; to be lowered: false
}
