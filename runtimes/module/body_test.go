package module_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/leb"
)

// long returns a section with a body of any length.
func long(id byte, body string) string {
	return string(leb.AppendU32([]byte{id}, uint32(len(body)))) + body
}

// counted returns body after a number.
func counted(n int, body string) string { return string(leb.AppendU32(nil, uint32(n))) + body }

// bodies returns a code section with the given bodies, locals and end included.
func bodies(list ...string) string {
	s := ""
	for _, b := range list {
		s += counted(len(b), b)
	}
	return long(10, counted(len(list), s))
}

// function returns a module with one function of type () -> () that has no locals and these
// instructions, beside a memory, a table, a global, a tag and a segment of either kind.
func function(instructions string) string {
	return header + types + functions + section(4, "\x01\x70\x00\x01") + memories + section(13, "\x01\x00\x00") +
		section(6, "\x01\x7f\x01\x41\x00\x0b") + section(9, "\x01\x01\x00\x01\x00") + section(12, "\x01") +
		bodies("\x00"+instructions+"\x0b") + section(11, "\x01\x01\x00")
}

func TestBodies(t *testing.T) {
	for _, in := range []string{
		"", "\x02\x40\x0b", "\x03\x40\x0c\x00\x0b", "\x41\x00\x04\x40\x05\x0b", "\x02\x00\x0b", "\x41\x00\x04\x7f\x41\x01\x05\x41\x02\x0b\x1a",
		"\x02\x40\x41\x00\x0e\x01\x00\x01\x0b", "\x10\x00", "\x12\x00", "\x41\x00\x11\x00\x00", "\x41\x00\x13\x00\x00", "\x23\x00\x24\x00", "\x41\x00\x25\x00\x1a",
		"\x41\x00\x28\x02\xff\xff\xff\xff\x0f\x1a", "\x3f\x00\x40\x00\x1a", "\x42\x80\x80\x80\x80\x80\x80\x80\x80\x80\x7f\x1a", "\x43\x00\x00\x80\x3f\xfc\x00\x1a",
		"\x44\x00\x00\x80\x3f\x00\x00\x80\x3f\x1a", "\xd0\x70\xd1\x1a", "\xd2\x00\x1a", "\xfc\x08\x00\x00", "\xfc\x09\x00", "\xfc\x0a\x00\x00", "\xfc\x0b\x00",
		"\xfc\x0c\x00\x00", "\xfc\x0d\x00", "\xfc\x0e\x00\x00", "\xfc\x0f\x00", "\xfc\x10\x00", "\xfc\x11\x00", "\x1c\x01\x7f", "\x00\x1b",
		"\xfd\x0c0123456789abcdef", "\xfd\x0d0123456789abcdef", "\xfd\x15\x00", "\xfd\x54\x00\x00\x00", "\xfd\x5c\x00\x00", "\xfd\xff\x01", "\xc0\xc4",
		"\x08\x00", "\x0a", "\x02\x40\x1f\x40\x02\x00\x00\x00\x02\x00\x0b\x0b", "\x1f\x40\x02\x01\x00\x00\x03\x00\x0b",
	} {
		if m, err := module.Parse([]byte(function(in))); err != nil || m.Functions != 1 {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestFaultyBodies(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"\x02\x40", "does not end"}, {"\x0b", "too many"}, {"\x05", "else without"}, {"\x00\x04\x40\x05\x05\x0b", "else without"},
		{"\x02\x40\x05\x0b", "else without"}, {"\x0c\x01", "no label 1"}, {"\x0d\x01", "no label 1"}, {"\x0e\x01\x00\x01", "no label 1"},
		{"\x0e\xff\xff\xff\xff\x0f\x00", "cannot be in"}, {"\x10\x01", "no function 1"}, {"\x12\x01", "no function 1"}, {"\xd2\x01", "no function 1"},
		{"\x11\x01\x00", "no type 1"}, {"\x11\x00\x01", "no table 1"}, {"\x02\x01\x0b", "no type 1"}, {"\x02\x41\x0b", "type of a block"},
		{"\x02\xff\x7f\x0b", "type of a block"}, {"\x20\x00", "no local 0"}, {"\x23\x01", "no global 1"}, {"\x24\x01", "no global 1"}, {"\x26\x01", "no table 1"},
		{"\x28\x20\x00", "alignment"}, {"\x28\x42\x00\x00", "several memories"}, {"\x28\x02\xff\xff\xff\xff\x1f", "LEB128"}, {"\x3f\x01", "several memories"},
		{"\x41\x80\x80\x80\x80\x10", "LEB128"}, {"\x44\x00", "unexpected end"}, {"\x41", "does not end"}, {"\xd0\x63", "typed function references"},
		{"\x14\x00", "typed function references"}, {"\xd5\x00", "typed function references"}, {"\xd3", "WasmGC"}, {"\xfb\x00", "WasmGC"},
		{"\x06\x40", "--translate-to-exnref"}, {"\x07\x00", "exnref"}, {"\x09\x00", "exnref"}, {"\x18\x00", "exnref"}, {"\x19", "exnref"},
		{"\xfe\x03\x01", "must be 0"}, {"\xfe\x04", "0xfe 4"}, {"\xfe\x4f", "0xfe 79"}, {"\xfe\x90\x02", "0xfe 272"},
		{"\xfe\x10\x01\x00", "alignment 2^1"}, {"\xfe\x12\x02\x00", "alignment 2^2"}, {"\xfe\x02\x02\x00", "alignment 2^2"}, {"\xfe\x10\x42\x00", "several memories"},
		{"\x27", "no instruction 0x27"}, {"\xff", "no instruction 0xff"}, {"\xfc\x12", "0xfc 18"}, {"\xfc\x89\x02", "0xfc 265"},
		{"\xfd\x9a\x01", "0xfd 154"}, {"\xfd\x80\x02", "relaxed"}, {"\xfd\xa0\x02", "0xfd 288"}, {"\x1c\x02\x7f\x7f", "one type"}, {"\x1c\x01\x40", "value type"},
		{"\xfc\x08\x01\x00", "no data segment"}, {"\xfc\x09\x01", "no data segment"}, {"\xfc\x0c\x01\x00", "no element segment"}, {"\xfc\x0c\x00\x01", "no table"},
		{"\xfc\x0d\x01", "no element segment"}, {"\xfc\x0e\x00\x01", "no table"}, {"\xfc\x0f\x01", "no table"}, {"\xfc\x0b\x01", "several memories"},
		{"\x08\x01", "no tag 1"}, {"\x1f\x40\x01\x00\x01\x00\x0b", "no tag 1"}, {"\x1f\x40\x01\x02\x01\x0b", "no label 1"}, {"\x1f\x40\x01\x04\x00\x0b", "kind of a handler"},
	} {
		e := parseError(t, function(c.in))
		if e.Section != "code" || !strings.Contains(e.Msg, c.want) {
			t.Errorf("%q: got %q, want %q", c.in, e, c.want)
		}
	}
	for _, in := range []string{"\x41\x00\x28\x02\x00\x1a", "\x3f\x00\x1a", "\xfc\x0b\x00"} {
		if e := parseError(t, header+types+functions+bodies("\x00"+in+"\x0b")); !strings.Contains(e.Msg, "needs a memory") {
			t.Errorf("%q: got %q", in, e)
		}
	}
}

func TestAnalysis(t *testing.T) {
	for _, c := range []struct {
		in   string
		want module.Analysis
	}{
		{"\x25\x00\xfc\x10\x00\x10\x00", module.Analysis{}},
		{"\x26\x00", module.Analysis{TableWrites: true}}, {"\xfc\x0c\x00\x00", module.Analysis{TableWrites: true}},
		{"\xfc\x0e\x00\x00", module.Analysis{TableWrites: true}}, {"\xfc\x0f\x00", module.Analysis{TableWrites: true}}, {"\xfc\x11\x00", module.Analysis{TableWrites: true}},
		{"\xfc\x09\x00", module.Analysis{Drops: true, Segments: true}}, {"\xfc\x0d\x00", module.Analysis{Drops: true}},
		{"\x08\x00", module.Analysis{Exceptions: true}}, {"\x0a", module.Analysis{Exceptions: true}}, {"\x1f\x40\x00\x0b", module.Analysis{Exceptions: true}},
		{"\x40\x00", module.Analysis{Grows: true}}, {"\xfc\x08\x00\x00", module.Analysis{Segments: true}},
	} {
		m, err := module.Parse([]byte(function(c.in)))
		if err != nil {
			t.Fatalf("%q: %v", c.in, err)
		}
		a := m.Analysis
		if a.TableWrites != c.want.TableWrites || a.Drops != c.want.Drops || a.Exceptions != c.want.Exceptions ||
			a.Grows != c.want.Grows || a.Segments != c.want.Segments {
			t.Errorf("%q: got %+v", c.in, a)
		}
		if reusable := len(a.Obstacles()) == 0; reusable != (!a.TableWrites && !a.Drops) {
			t.Errorf("%q: got the obstacles %q", c.in, a.Obstacles())
		}
	}
}

func TestAnalysisOfGlobals(t *testing.T) {
	const vector = "\xfd\x0c0123456789abcdef\x0b"
	m, err := module.Parse([]byte(header + section(2, "\x02\x01m\x01i\x03\x7f\x01\x01m\x01c\x03\x7f\x00") +
		section(6, "\x06\x7f\x00\x41\x00\x0b\x7f\x01\x41\x00\x0b\x7b\x01"+vector+"\x70\x01\xd0\x70\x0b\x7b\x00"+vector+"\x7c\x01\x440123456\x00\x0b")))
	if err != nil {
		t.Fatal(err)
	}
	a := m.Analysis
	if len(a.Numbers) != 2 || a.Numbers[0] != 3 || a.Numbers[1] != 7 || a.Vectors != 1 || a.Held != 1 || a.Imported != 1 ||
		len(a.Obstacles()) != 3 {
		t.Errorf("got %+v", a)
	}
}

// TestBombs checks that modules which would take an engine's decoder or compiler very much time or memory
// are refused at once. (The figures beside them are the engine's, measured.)
func TestBombs(t *testing.T) {
	one := header + types + functions
	many := func(n int) string {
		return header + types + long(3, counted(n, strings.Repeat("\x00", n))) + long(10, counted(n, strings.Repeat("\x02\x00\x0b", n)))
	}
	table := counted(99_999, strings.Repeat("\x00", 100_000))
	wide := counted(1001, strings.Repeat("\x7f", 1001))
	const huge = "\xff\xff\xff\xff\x0f"
	for _, c := range []struct{ name, file, want string }{
		{"100,001 functions", many(100_001), "100001 functions are more"},
		{"nested blocks, > 45 s", one + bodies("\x00"+deep("\x02\x40", 100_000, "")), "nested too deeply"},
		{"nested ifs, 43.8 s", one + bodies("\x00"+deep("\x41\x00\x04\x40", 30_000, "")), "nested too deeply"},
		{"blocks in nested blocks", one + bodies("\x00"+deep("\x02\x40", 5000, strings.Repeat("\x02\x40\x0b", 20_000))), "nested too deeply"},
		{"calls in nested blocks", one + bodies("\x00"+deep("\x02\x40", 5000, strings.Repeat("\x10\x00", 100_000))), "nested too deeply"},
		{"returns in nested blocks", one + bodies("\x00"+deep("\x02\x40", 5000, strings.Repeat("\x02\x40\x0f\x0b", 100_000))), "nested too deeply"},
		{"branches out of nested blocks", one + bodies("\x00"+deep("\x02\x40", 5000, strings.Repeat("\x41\x00\x0d\x87\x27", 100_000))), "nested too deeply"},
		{"labels of nested blocks", one + bodies("\x00"+deep("\x02\x40", 9000, "\x41\x00\x0e"+counted(60_000, strings.Repeat("\xa7\x46", 60_001)))), "nested too deeply"},
		{"nested blocks in many functions", header + types + long(3, counted(100, strings.Repeat("\x00", 100))) + bodies(slices.Repeat([]string{"\x00" + deep("\x02\x40", 5000, "")}, 100)...), "nested too deeply"},
		{"br_table of 100,000, 4.5 s", one + bodies("\x00\x41\x00\x0e"+table+"\x0b"), "more labels"},
		{"1000 br_tables of 1000, > 60 s", one + bodies("\x00"+strings.Repeat("\x41\x00\x0e"+counted(999, strings.Repeat("\x00", 1000)), 1000)+"\x0b"), "more labels"},
		{"10^8 locals, 2.5 GB", one + bodies("\x01\x80\xc2\xd7\x2f\x7f\x0b"), "100000000 locals"},
		{"50,000 locals in each of 1000 functions", header + types + long(3, counted(1000, strings.Repeat("\x00", 1000))) +
			long(10, counted(1000, strings.Repeat("\x06\x01\xd0\x86\x03\x7f\x0b", 1000))), "together have more locals"},
		{"body of 8 MB", one + bodies("\x00"+strings.Repeat("\x01", 8_000_000)+"\x0b"), "larger than"},
		{"1001 parameters", header + long(1, "\x01\x60"+wide+"\x00"), "1001 parameters"},
		{"1001 results", header + long(1, "\x01\x60\x00"+wide), "1001 results"},
		{"11 tables", header + section(4, "\x0b"+strings.Repeat("\x70\x00\x00", 11)), "11 tables"},
		{"table of 2^27 entries, 1 GB", header + section(4, "\x01\x70\x00\x80\x80\x80\x40"), "134217728"},
		{"two tables of 600,000", header + section(4, "\x02"+strings.Repeat("\x70\x00\xc0\xcf\x24", 2)), "1200000"},
		{"two element segments of 60,000", header + section(4, "\x01\x70\x00\x01") + long(9, "\x02"+strings.Repeat("\x05\x70"+counted(60_000, strings.Repeat("\xd0\x70\x0b", 60_000)), 2)), "100000 elements"},
		{"a constant of 600,000 instructions", header + long(6, "\x01\x7f\x00"+strings.Repeat("\x41\x00", 600_000)+"\x0b"), "500000 instructions"},
		{"memory of 65,536 pages", header + section(5, "\x01\x00\x80\x80\x04"), "65536 pages"},
		{"100,001 data segments",
			header + memories + long(11, counted(100_001, strings.Repeat("\x01\x00", 100_001))), "100001 data segments"},
		{"10,001 globals", header + long(6, counted(10_001, strings.Repeat("\x7f\x00\x41\x00\x0b", 10_001))), "10001 globals"},
		{"17 MiB", header + long(0, "\x01x"+strings.Repeat("\x00", 17<<20)), "larger than"},
		{"decoder, 481 GB", header + "\x02\x05" + huge, "cannot be"},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			if e := parseError(t, c.file); !strings.Contains(e.Msg, c.want) {
				t.Errorf("got %q, want %q", e, c.want)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// deep returns a function body without locals, of nested blocks that each begin so, with something in the innermost.
func deep(begin string, n int, inner string) string {
	return strings.Repeat(begin, n) + inner + strings.Repeat("\x0b", n+1)
}

// TestDeep checks that functions pass which are nested as deeply as those of the largest programs in Go.
func TestDeep(t *testing.T) {
	const n = 8000
	labels := ""
	for i := range n + 1 {
		labels += string(leb.AppendU32(nil, uint32(i)))
	}
	file := header + types + functions + bodies("\x00"+deep("\x02\x40", n, "\x41\x00\x0e"+counted(n, labels)))
	if _, err := module.Parse([]byte(file)); err != nil {
		t.Error(err)
	}
}

// TestLimits checks that limits can be set.
func TestLimits(t *testing.T) {
	big := header + long(0, "\x01x"+strings.Repeat("\x00", 17<<20))
	if _, err := (module.Limits{Size: 20 << 20}).Parse([]byte(big)); err != nil {
		t.Error(err)
	}
	for _, l := range []module.Limits{
		{Size: 10}, {Functions: 1, Nesting: 1}, {Tables: 1}, {Labels: 2}, {Pages: 1}, {Entries: 1}, {Body: 10},
	} {
		file := header + types + section(3, "\x02\x00\x00") + section(4, "\x02\x70\x00\x01\x70\x00\x01") + section(5, "\x01\x00\x02") +
			bodies("\x00\x0b", "\x00\x02\x40\x02\x40\x41\x00\x0e\x02\x00\x00\x00\x0b\x0b\x0b")
		if _, err := l.Parse([]byte(file)); err == nil {
			t.Errorf("%+v: no error", l)
		}
		if _, err := module.Parse([]byte(file)); err != nil {
			t.Fatal(err)
		}
	}
}
