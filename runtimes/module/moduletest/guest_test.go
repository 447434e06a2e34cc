package moduletest

import (
	"strings"

	"github.com/polyvoke/polyvoke/runtimes/module/leb"
)

// guest is a module that a test builds. All its functions are of type () -> (), unless typed says otherwise, and are
// in table 0.
type guest struct {
	pages  int      // of memory
	bodies []string // of functions, without the locals and the last end
	locals string   // of every function; "" means none
	start  bool     // function 0 is the start function, in place of an export
	wide   string   // the parameters and results of each function but the first, encoded; "" means none
}

// Types of guests by their index.
const (
	plainType = iota // () -> ()
	intType          // (i32) -> (i32)
	wideType         // that of guest.wide
)

// number returns a number as unsigned LEB128.
func number(n int) string { return string(leb.AppendU32(nil, uint32(n))) }

// constant returns an i32.const.
func constant(n int64) string { return "\x41" + string(leb.AppendSigned(nil, n)) }

// sized returns something after its size or count.
func sized(n int, s string) string { return number(n) + s }

// part returns a section.
func part(id byte, body string) string { return string([]byte{id}) + sized(len(body), body) }

// build returns the binary. The first function is exported as "_start". There are a table 1 of 100,000 entries, a
// tag, an element segment 0 with all functions that is applied to table 0, and a passive data segment 0 of a page.
func (g *guest) build() []byte { return g.buildTyped(plainType) }

// buildTyped is build with another type of all functions.
func (g *guest) buildTyped(typ byte) []byte {
	n := len(g.bodies)
	code, indices := "", ""
	for i, b := range g.bodies {
		locals := g.locals
		if locals == "" {
			locals = "\x00"
		}
		b = locals + b + "\x0b"
		code += sized(len(b), b)
		indices += number(i)
	}
	entry := part(7, "\x02\x06_start\x00\x00\x06memory\x02\x00")
	if g.start {
		entry = part(7, "\x01\x06memory\x02\x00") + part(8, "\x00")
	}
	data := strings.Repeat("x", 65536)
	types := strings.Repeat(string([]byte{typ}), n)
	wide := g.wide
	if wide == "" {
		wide = "\x00\x00"
	} else {
		types = string([]byte{typ}) + strings.Repeat(string([]byte{wideType}), n-1)
	}
	return []byte("\x00asm\x01\x00\x00\x00" + part(1, "\x03\x60\x00\x00\x60\x01\x7f\x01\x7f\x60"+wide) +
		part(3, sized(n, types)) +
		part(4, "\x02\x70\x00"+number(n)+"\x6f\x00"+number(100_000)) + part(5, "\x01\x00"+number(g.pages)) + part(13, "\x01\x00\x00") + entry +
		part(9, "\x01\x00"+constant(0)+"\x0b"+sized(n, indices)) + part(12, "\x01") +
		part(10, sized(n, code)) + part(11, "\x01\x01"+sized(len(data), data)))
}

// Pieces of code.
const (
	loop     = "\x03\x40"
	block    = "\x02\x40"
	end      = "\x0b"
	again    = "\x0c\x00" // br 0
	drop     = "\x1a"
	fill     = "\xfc\x0b\x00"
	copyMem  = "\xfc\x0a\x00\x00"
	nullRef  = "\xd0\x6f"
	tableSet = "\xfc\x11\x01" // table.fill 1
)

// chain returns n functions, of which each but the last is made from the next one's index.
func chain(n int, f func(next int) string, last string) (bodies []string) {
	for i := range n - 1 {
		bodies = append(bodies, f(i+1))
	}
	return append(bodies, last)
}
