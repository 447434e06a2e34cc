package unwind_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/leb"
	"github.com/polyvoke/polyvoke/runtimes/module/unwind"
)

// number returns a number as unsigned LEB128.
func number(n int) string { return string(leb.AppendU32(nil, uint32(n))) }

// sized returns something after its size.
func sized(s string) string { return number(len(s)) + s }

// section returns a section.
func section(id byte, body string) string { return string([]byte{id}) + sized(body) }

// guest is a module of functions without locals. Type 0 is () -> (), 1 (i32) -> (), 2 () -> (i32), 3 (i32) -> (i32),
// 4 () -> (i32, v128), 5 (v128) -> (), 6 () -> (exnref), 7 (exnref) -> (), 8 and 9 take nine i32 or i64, 10 is (i32)
// -> (exnref), and 11 () -> (i32, exnref). Tag 0 is of type 0, and tag 1 of type 1.
type guest struct {
	types   string // of functions, an index each
	bodies  []string
	table   string // the functions in the table
	exports string // with their number
	more    string // sections between those of imports and functions
	start   string
	tables  string // with their number; empty means one of functions
	tags    string // with their number; empty means the two
	globals string // with their number
}

func (g guest) build() []byte {
	bodies := ""
	for _, b := range g.bodies {
		bodies += sized("\x00" + b + "\x0b")
	}
	if g.tables == "" {
		g.tables = "\x01\x70\x00\x09"
	}
	if g.tags == "" {
		g.tags = "\x02\x00\x00\x00\x01"
	}
	b := "\x00asm\x01\x00\x00\x00" + section(1, "\x0c\x60\x00\x00\x60\x01\x7f\x00\x60\x00\x01\x7f\x60\x01\x7f\x01\x7f\x60\x00\x02\x7f\x7b\x60\x01\x7b\x00"+
		"\x60\x00\x01\x69\x60\x01\x69\x00\x60\x09"+strings.Repeat("\x7f", 9)+"\x00\x60\x09"+strings.Repeat("\x7e", 9)+"\x00\x60\x01\x7f\x01\x69\x60\x00\x02\x7f\x69") + g.more +
		section(3, sized(g.types)) + section(4, g.tables) + section(13, g.tags)
	if g.globals != "" {
		b += section(6, g.globals)
	}
	if g.exports != "" {
		b += section(7, g.exports)
	}
	b += g.start
	if g.table != "" {
		b += section(9, "\x01\x00\x41\x00\x0b"+sized(g.table))
	}
	return []byte(b + section(10, number(len(g.bodies))+bodies))
}

// Pieces of code.
const (
	end      = "\x0b"
	throw    = "\x08\x00"
	block    = "\x02\x40"
	catch    = "\x1f\x40\x01\x00\x00\x00" // try_table (catch 0 0)
	catchAll = "\x1f\x40\x01\x02\x00"     // try_table (catch_all 0)
	throwRef = "\x0a"
	nothing  = "\xd0\x69" // ref.null exn
)

// TestReach checks how many functions an exception may leave, and which calls are followed by a look.
func TestReach(t *testing.T) {
	for _, c := range []struct {
		name              string
		guest             guest
		functions, checks int
	}{
		{"a throw", guest{types: "\x00", bodies: []string{throw}}, 1, 0},
		{"a throw in a handler of one tag", guest{types: "\x00", bodies: []string{block + catch + throw + end + end}}, 1, 0},
		{"a throw in a handler of all", guest{types: "\x00", bodies: []string{block + catchAll + throw + end + end}}, 0, 0},
		{"a throw behind a handler of all",
			guest{types: "\x00", bodies: []string{block + catchAll + end + end + throw}}, 1, 0},
		{"a throw deep in a handler of all",
			guest{types: "\x00",
				bodies: []string{block + catchAll + block + catch + block + throw + end + end + end + end + end}}, 0, 0},
		{"calls", guest{types: "\x00\x00\x00\x00", bodies: []string{throw, "\x10\x00", "\x10\x01\x10\x03", ""}}, 3, 2},
		{"a caught call", guest{types: "\x00\x00\x00", bodies: []string{throw, block + catchAll + "\x10\x00" + end + end, "\x10\x01"}}, 1, 1},
		{"a tail call leaves the handler", guest{types: "\x00\x00\x00", bodies: []string{throw, block + catchAll + "\x12\x00" + end + end, "\x10\x01"}}, 3, 1},
		{"an indirect call", guest{types: "\x00\x00", table: "\x00", bodies: []string{throw, "\x41\x00\x11\x00\x00"}}, 2, 1},
		{"an indirect tail call", guest{types: "\x00\x00", table: "\x00", bodies: []string{throw, "\x41\x00\x13\x00\x00"}}, 2, 0},
		{"an indirect call of a function that no table has", guest{types: "\x00\x00", bodies: []string{throw, "\x41\x00\x11\x00\x00"}}, 1, 0},
		{"an indirect call of another type", guest{types: "\x00\x00", table: "\x00", bodies: []string{throw, "\x41\x00\x41\x00\x11\x01\x00"}}, 1, 0},
		{"a function by ref.func", guest{types: "\x00\x00\x00", bodies: []string{throw, "\x41\x00\x11\x00\x00", "\xd2\x00\x1a"}}, 2, 1},
		{"a recursion", guest{types: "\x00\x00", bodies: []string{"\x10\x01", "\x10\x00" + throw}}, 2, 2},
		{"an imported function", guest{types: "\x00", more: section(2, "\x01\x16wasi_snapshot_preview1\x01f\x00\x00"), bodies: []string{"\x10\x00" + block + catch + end + end}}, 0, 0},
	} {
		out, r, err := unwind.Lower(c.guest.build(), module.Limits{})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if r.Functions != c.functions || r.Checks != c.checks {
			t.Errorf("%s: got %+v, want %d functions and %d checks", c.name, r, c.functions, c.checks)
		}
		if m, err := module.Parse(out); err != nil || m.Analysis.Exceptions {
			t.Errorf("%s: got %x, %v", c.name, out, err)
		}
	}
}

// TestLower checks what a function becomes, instruction by instruction. Global 0 is the one that is set while an
// exception is on its way.
func TestLower(t *testing.T) {
	const set, get, uncaught = "\x24\x00", "\x23\x00", "\x24\x01"
	for _, c := range []struct {
		name  string
		guest guest
		want  []string // bodies
	}{
		{"throw", guest{types: "\x02", bodies: []string{throw}},
			[]string{block + "\x02\x7f" + "\x41\x01" + set + "\x0c\x01" + end + "\x0f" + end + "\x41\x00"}},
		{"many results", guest{types: "\x04", bodies: []string{throw}},
			[]string{block + "\x02\x04" + "\x41\x01" + set + "\x0c\x01" + end + "\x0f" + end + "\x41\x00\xfd\x0c" + strings.Repeat("\x00", 16)}},
		{"catch", guest{types: "\x00\x01", bodies: []string{"\x02\x7f\x1f\x40\x02\x00\x01\x00\x02\x01\x41\x07\x10\x01\x0c\x02\x0b\x41\x09\x0b\x1a", "\x20\x00\x08\x01"}},
			[]string{"\x02\x7f" + "\x02\x40\x02\x40\x02\x40" + "\x41\x07\x10\x01" + get + "\x0d\x01" + "\x0c\x04" + end + "\x0c\x01" + end +
				get + "\x41\x02\x46\x04\x40\x41\x00" + set + "\x23\x02\x0c\x02" + end + "\x41\x00" + set + "\x0c\x02" + end + "\x41\x09\x0b\x1a",
				block + block + "\x20\x00" + "\x24\x02\x41\x02" + set + "\x0c\x01" + end + "\x0f" + end}},
		{"a parameter", guest{types: "\x00", bodies: []string{"\x41\x05\x1f\x03\x00\x0b\x1a"}},
			[]string{"\x41\x05\x02\x03\x02\x01\x02\x03\x0b\x0c\x01\x0b\x00\x0b\x1a"}},
		{"br_table", guest{types: "\x00", bodies: []string{catchAll + "\x41\x00\x0e\x01\x00\x01" + end}},
			[]string{"\x02\x40\x02\x40\x02\x40\x41\x00\x0e\x01\x00\x03\x0b\x0c\x01\x0b\x41\x00" + set + "\x0c\x01\x0b"}},
		{"export", guest{types: "\x03", exports: "\x02\x01f\x00\x00\x01g\x00\x00", bodies: []string{throw}},
			[]string{block + "\x02\x7f" + "\x41\x01" + set + "\x0c\x01" + end + "\x0f" + end + "\x41\x00",
				"\x20\x00\x10\x00" + get + "\x04\x40" + get + uncaught + "\x41\x00" + set + "\x00\x0b"}},
		{"a reference", guest{types: "\x00", bodies: []string{"\x02\x69\x1f\x40\x01\x03\x00" + throw + end + "\x00" + end + throwRef}},
			[]string{block + block + "\x02\x0c" + "\x02\x40\x02\x40\x02\x40" + "\x41\x01" + set + "\x0c\x01" + end + "\x0c\x01" + end +
				get + "\x23\x02\x41\x00" + set + "\x0c\x01" + end + "\x00" + end + "\x24\x02" + set + get + "\x45\x04\x40\x00\x0b\x0c\x01" + end + "\x0f" + end}},
		{"a reference with what it carries", guest{types: "\x00", bodies: []string{"\x02\x0b\x1f\x40\x01\x01\x01\x00" + end + "\x00" + end + "\xd1\x1a\x1a"}},
			[]string{"\x02\x0b" + "\x02\x40\x02\x40\x02\x40" + end + "\x0c\x01" + end +
				get + "\x41\x02\x46\x04\x40\x41\x00" + set + "\x23\x02\x41\x02\x23\x02\x0c\x02" + end + "\x00" + end + "\x00" + end + "\x1a\x45\x1a\x1a"}},
		{"a call with a reference", guest{types: "\x00\x07", bodies: []string{nothing + "\x10\x01", "\x20\x00\x22\x00\x1a"}},
			[]string{"\x41\x00\x41\x00\x10\x01", "\x20\x00\x20\x01\x21\x01\x21\x00\x20\x00\x20\x01\x1a\x1a"}},
		{"nothing to do", guest{types: "\x00\x00\x00", bodies: []string{throw, "\x10\x02\x01", ""}},
			[]string{block + block + "\x41\x01" + set + "\x0c\x01" + end + "\x0f" + end, "\x10\x02\x01", ""}},
	} {
		want := number(len(c.want))
		for _, b := range c.want {
			want += sized("\x00" + b + "\x0b")
		}
		out, _, err := unwind.Lower(c.guest.build(), module.Limits{})
		if err != nil || !bytes.Contains(out, []byte(section(10, want))) {
			t.Errorf("%s: got %x, %v, want the code %x", c.name, out, err, want)
		}
	}
}

// TestStay checks which modules keep their exceptions, and why.
func TestStay(t *testing.T) {
	const invalid = "operands of the wrong type"
	many := "\x60\x11" + strings.Repeat("\x7f", 17) + "\x00"
	for _, c := range []struct {
		name, want string
		file       []byte
	}{
		{"not a module", "not a wasm module", []byte("x")},
		{"an exported tag", "another module", guest{types: "\x00", bodies: []string{throw}, exports: "\x01\x01t\x04\x00"}.build()},
		{"an imported tag", "another module", guest{types: "\x00", bodies: []string{throw}, more: section(2, "\x01\x01m\x01t\x04\x00\x00")}.build()},
		{"a foreign function", "another module", guest{types: "\x00", bodies: []string{throw}, more: section(2, "\x01\x01m\x01f\x00\x00")}.build()},
		{"a foreign table", "another module", guest{types: "\x00", bodies: []string{throw}, more: section(2, "\x01\x01m\x01t\x01\x70\x00\x00")}.build()},
		{"a table of references", "in tables", guest{types: "\x00", tables: "\x01\x69\x00\x01", bodies: []string{throw}}.build()},
		{"a global reference", "in globals", guest{types: "\x00", globals: "\x01\x69\x01\xd0\x69\x0b", bodies: []string{throw}}.build()},
		{"an exported function that leaves a reference", "imports or exports", guest{types: "\x06", exports: "\x01\x01f\x00\x00", bodies: []string{nothing}}.build()},
		{"an imported function that takes a reference", "imports or exports", guest{types: "\x00", more: section(2, "\x01\x16wasi_snapshot_preview1\x01f\x00\x07"), bodies: []string{throw}}.build()},
		{"types that become one", "two types", guest{types: "\x00\x06", tags: "\x01\x00\x00", bodies: []string{"\x41\x00\x11\x02\x00\x1a", nothing}}.build()},
		{"references to many values", "together carry more than 16", guest{types: "\x00", tags: "\x02\x00\x08\x00\x09", bodies: []string{nothing + throwRef}}.build()},
		{"a number thrown again", invalid, guest{types: "\x00", bodies: []string{"\x41\x00" + throwRef}}.build()},
		{"two numbers thrown again", invalid, guest{types: "\x00", bodies: []string{"\x41\x01\x41\x00" + throwRef}}.build()},
		{"nothing thrown again", invalid, guest{types: "\x00", bodies: []string{throwRef}}.build()},
		{"a reference for a number", invalid, guest{types: "\x00", bodies: []string{nothing + "\x45\x1a"}}.build()},
		{"a reference that is left", invalid, guest{types: "\x00", bodies: []string{nothing}}.build()},
		{"an if that makes references of numbers", invalid, guest{types: "\x00", bodies: []string{"\x41\x00\x41\x00\x04\x0a\x0b\x1a"}}.build()},
		{"a call with a number for a reference", invalid, guest{types: "\x00\x07", bodies: []string{"\x41\x00\x10\x01", ""}}.build()},
		{"a select of references", invalid, guest{types: "\x00", bodies: []string{nothing + nothing + "\x41\x00\x1c\x01\x69\x1a"}}.build()},
		{"a vector", "vectors", guest{types: "\x00", bodies: []string{throw}, tags: "\x02\x00\x00\x00\x05"}.build()},
		{"many values", "16 values", []byte("\x00asm\x01\x00\x00\x00" + section(1, "\x02\x60\x00\x00"+many) + section(3, "\x01\x00") + section(13, "\x01\x00\x01") + section(10, "\x01\x03\x00\x00\x0b"))},
		{"a label for less", "fit the label", guest{types: "\x00", bodies: []string{block + "\x1f\x40\x01\x00\x01\x00" + end + end}}.build()},
		{"a label for more", "fit the label", guest{types: "\x00", bodies: []string{"\x02\x7f" + catch + end + "\x41\x00" + end + "\x1a"}}.build()},
		{"a loop for more", "fit the label", guest{types: "\x00", bodies: []string{"\x41\x00\x03\x03" + catch + end + end + "\x1a"}}.build()},
		{"results upon results",
			"too large", guest{types: strings.Repeat("\x04", 9000), bodies: repeated(9000, throw)}.build()},
	} {
		out, r, err := unwind.Lower(c.file, module.Limits{})
		if err == nil || !strings.Contains(err.Error(), c.want) || out != nil || r != nil {
			t.Errorf("%s: got the error %v, want one that says %q", c.name, err, c.want)
		}
	}
}

// repeated returns a body many times.
func repeated(n int, body string) (list []string) {
	for range n {
		list = append(list, body)
	}
	return list
}

// TestDeclared checks that code may still refer to an exported function after the export is of its guard.
func TestDeclared(t *testing.T) {
	b := guest{types: "\x00\x00", exports: "\x01\x01f\x00\x00", bodies: []string{throw, "\xd2\x00\x1a"}}.build()
	out, _, err := unwind.Lower(b, module.Limits{})
	if err != nil || !bytes.Contains(out, []byte("\x70\x00\xd2\x00\x0b")) || !bytes.Contains(out, []byte(section(7, "\x01\x01f\x00\x02"))) {
		t.Errorf("got %x, %v", out, err)
	}
}

// TestStartSection checks that the start function is the guard of one that an exception may leave, and else what it
// was.
func TestStartSection(t *testing.T) {
	for body, want := range map[string]string{throw: "\x01", block + catchAll + throw + end + end: "\x00"} {
		out, _, err := unwind.Lower(guest{types: "\x00", bodies: []string{body}, start: section(8, "\x00")}.build(),
			module.Limits{})
		if err != nil || !bytes.Contains(out, []byte(section(8, want)+"\x0a")) {
			t.Errorf("%x: got %x, %v", body, out, err)
		}
	}
}

// TestLinear checks that the size grows in proportion when blocks are nested deeper, and handlers and labels become
// many.
func TestLinear(t *testing.T) {
	nested := func(n int) []byte {
		return guest{types: "\x00",
			bodies: []string{strings.Repeat(block+catchAll, n) + throw + strings.Repeat(end+end, n)}}.build()
	}
	wide := func(n int) []byte {
		handlers := strings.Repeat("\x00\x00\x00", n)
		return guest{types: "\x00", bodies: []string{block + "\x1f\x40" + number(n) + handlers + throw + "\x41\x00\x0e" + number(n) + strings.Repeat("\x01", n+1) + end + end}}.build()
	}
	for name, make := range map[string]func(n int) []byte{"nested": nested, "wide": wide} {
		var sizes []int
		for _, n := range []int{200, 400} {
			b := make(n)
			out, _, err := unwind.Lower(b, module.Limits{})
			if err != nil || len(out) > 10*len(b) {
				t.Fatalf("%s: %d -> %d bytes, %v", name, len(b), len(out), err)
			}
			sizes = append(sizes, len(out))
		}
		if sizes[1] > 2*sizes[0]+100 {
			t.Errorf("%s: the sizes are %d", name, sizes)
		}
	}
}

// FuzzLower checks that nothing panics, and that what comes out is a module without exceptions.
func FuzzLower(f *testing.F) {
	f.Add(guest{types: "\x00\x01", bodies: []string{"\x02\x7f\x1f\x40\x02\x00\x01\x00\x02\x01\x41\x07\x10\x01\x0c\x02\x0b\x41\x09\x0b\x1a", "\x20\x00\x08\x01"}}.build())
	f.Add(guest{types: "\x00\x07", bodies: []string{"\x02\x0b\x1f\x40\x01\x01\x01\x00" + throw + end + "\x00" + end + "\xd1\x1a\x1a", "\x20\x00\x22\x00" + throwRef}}.build())
	f.Add(guest{types: "\x03\x00", table: "\x00", exports: "\x01\x01f\x00\x00", bodies: []string{throw, "\x41\x00\x41\x00\x11\x03\x00\x1a" + catchAll + "\x41\x00\x0e\x01\x00\x01" + end}}.build())
	f.Fuzz(func(t *testing.T, b []byte) {
		out, r, err := unwind.Lower(b, module.Limits{})
		if err != nil {
			if out != nil || r != nil || err.Error() == "" {
				t.Fatalf("got %x and %v", out, err)
			}
			return
		}
		m, err := unwind.Limits(module.Limits{}).Parse(out)
		if err != nil || m.Analysis.Exceptions || len(out) > 3*len(b)+1<<17 {
			t.Fatalf("%d -> %d bytes, %v", len(b), len(out), err)
		}
	})
}
