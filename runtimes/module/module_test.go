package module_test

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// header begins every module.
const header = "\x00asm\x01\x00\x00\x00"

// section returns a section; body is at most 127 bytes long.
func section(id byte, body string) string { return string([]byte{id, byte(len(body))}) + body }

// custom returns a custom section.
func custom(name, body string) string {
	return section(0, string([]byte{byte(len(name))})+name+body)
}

// Pieces of a small command: one type () -> (), one function of it, one memory of one page.
var (
	types     = section(1, "\x01\x60\x00\x00")
	functions = section(3, "\x01\x00")
	memories  = section(5, "\x01\x00\x01")
	exports   = section(7, "\x02\x06_start\x00\x00\x06memory\x02\x00")
	code      = section(10, "\x01\x02\x00\x0b")
	command   = header + types + functions + memories + exports + code
)

// parseError parses what must be refused.
func parseError(t *testing.T, b string) *module.Error {
	t.Helper()
	m, err := module.Parse([]byte(b))
	var e *module.Error
	if !errors.As(err, &e) || m != nil || e.Msg == "" {
		t.Fatalf("%q: got %v and the error %v", b, m, err)
	}
	if e.Offset < 0 || e.Offset > len(b) {
		t.Errorf("%q: the offset in %q is outside of the file", b, e)
	}
	return e
}

func TestParseProbe(t *testing.T) {
	b := runtimestest.Wasm()
	m, err := module.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.CheckProcess(); err != nil {
		t.Error(err)
	}
	if m.Size != len(b) || m.Functions == 0 || m.Globals == 0 || m.DataBytes == 0 || m.Memories[0].Min < 2 {
		t.Errorf("got %+v", m)
	}
	found := false
	for _, im := range m.Imports {
		found = found || im.Name == "fd_read" && im.Module == "wasi_snapshot_preview1" &&
			im.Kind == module.FunctionKind && im.Signature == "(i32, i32, i32, i32) -> (i32)"
	}
	if !found {
		t.Errorf("fd_read is not among the imports: %+v", m.Imports)
	}
	if e := m.Exports; len(e) != 2 || e[0].Name != "memory" || e[0].Signature != "memory 3.. pages" ||
		e[1].Signature != "() -> ()" {
		t.Errorf("got the exports %+v", e)
	}
}

func TestParseCommand(t *testing.T) {
	m, err := module.Parse([]byte(command + custom("note", "abc")))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.CheckProcess(); err != nil {
		t.Error(err)
	}
	if len(m.Custom) != 1 || m.Custom[0] != (module.Custom{Name: "note", Size: 3}) {
		t.Errorf("got the custom sections %+v", m.Custom)
	}
}

// TestTruncated cuts modules off at every byte. A cut between two sections can leave something
// whole; every other one is an error that names its place.
func TestTruncated(t *testing.T) {
	for _, whole := range []string{command, string(runtimestest.Wasm())} {
		between := map[int]bool{}
		for i := len(header); i < len(whole); {
			between[i] = true
			size, shift := 0, 0
			for i++; ; i++ {
				size |= int(whole[i]&0x7f) << shift
				shift += 7
				if whole[i] < 0x80 {
					break
				}
			}
			i += 1 + size
		}
		for n := range len(whole) {
			m, err := module.Parse([]byte(whole[:n]))
			var e *module.Error
			switch {
			case err == nil && !between[n]:
				t.Fatalf("cut at %d of %d: got %v", n, len(whole), m)
			case err != nil && !errors.As(err, &e):
				t.Fatalf("cut at %d: got the error %v", n, err)
			case err != nil && n > len(header) && !between[n] && (e.Section == "" || e.Offset < len(header) || e.Offset > n):
				t.Fatalf("cut at %d: %q does not name its place", n, err)
			}
		}
	}
}

func TestHeader(t *testing.T) {
	for _, c := range []struct{ file, want string }{
		{"", "empty"},
		{"\x00as", "cut off"},
		{"\x00asm\x01\x00", "cut off"},
		{"\x00asm\x0d\x00\x01\x00", "wasm32-wasip1"},
		{"\x00asm\x02\x00\x00\x00", "version"},
		{"(module)", "wat2wasm"},
		{" ;; a comment\n\n(module $x)", "wat2wasm"},
		{"(; block ;) (module)", "wat2wasm"},
		{"\x1f\x8b\x08\x00", "gzip"},
		{"\x28\xb5\x2f\xfd", "zstd"},
		{"PK\x03\x04xxxx", "zip"},
		{"\x7fELF\x02\x01\x01\x00", "ELF"},
		{"MZ\x90\x00", "Windows"},
		{"\xcf\xfa\xed\xfe\x07", "macOS"},
		{"!<arch>\n", "library"},
		{"#!/bin/sh\n", "script"},
		{"console.log('grüße')", "text"},
		{"\x01\x02\x03\x04\x05\x06\x07\x08", "00 61 73 6d"},
		{"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8", "00 61 73 6d"},
	} {
		if e := parseError(t, c.file); !strings.Contains(e.Error(), c.want) {
			t.Errorf("%q: %q does not say %q", c.file, e, c.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	big := "\xff\xff\xff\xff\x0f" // 2^32-1
	for _, c := range []struct{ name, file, section, want string }{
		{"unknown section", header + section(14, ""), "", "no section with the id 14"},
		{"section twice", header + types + types, "type", "repeated"},
		{"sections out of order", header + functions + types, "function", "no type 0"},
		{"order", header + memories + section(4, "\x00"), "table", "out of order"},
		{"tag after global", header + section(6, "\x00") + section(13, "\x00"), "tag", "out of order"},
		{"data count after code", header + section(10, "\x00") + section(12, "\x00"), "data count", "out of order"},
		{"section too long", header + "\x01\x05\x00", "type", "cannot be in the 1 bytes"},
		{"section with a rest", header + section(1, "\x00\x00"), "type", "too many"},
		{"size of a section", header + "\x01" + big, "type", "cannot be"},
		{"overlong number", header + "\x01\x80\x80\x80\x80\x80\x00", "type", "LEB128"},
		{"number above 32 bits", header + "\x01\xff\xff\xff\xff\x1f", "type", "LEB128"},
		{"types", header + section(1, big), "type", "cannot be"},
		{"parameters", header + section(1, "\x01\x60"+big), "type", "cannot be"},
		{"form of a type", header + section(1, "\x01\x61\x00\x00"), "type", "form 0x61"},
		{"garbage collection", header + section(1, "\x01\x5f\x00\x00"), "type", "WasmGC"},
		{"value type", header + section(1, "\x01\x60\x01\x40\x00"), "type", "typed function references"},
		{"imports", header + section(2, big), "import", "cannot be"},
		{"import's name", header + section(2, "\x01\x00"+big+"\x00\x00"), "import", "cannot be"},
		{"import not UTF-8", header + section(2, "\x01\x01\xff\x00\x00\x00"), "import", "UTF-8"},
		{"import's kind", header + section(2, "\x01\x00\x00\x09\x00"), "import", "kind"},
		{"functions", header + section(3, big), "function", "cannot be"},
		{"function's type", header + section(3, "\x01\x00"), "function", "no type 0"},
		{"tables", header + section(4, big), "table", "cannot be"},
		{"table's type", header + section(4, "\x01\x7f\x00\x00"), "table", "not a reference"},
		{"table's size", header + section(4, "\x01\x70\x00"+big), "table", "entries"},
		{"memories", header + section(5, big), "memory", "cannot be"},
		{"two memories", header + section(5, "\x02\x00\x00\x00\x00"), "memory", "several"},
		{"memory's size", header + section(5, "\x01\x00\x81\x80\x04"), "memory", "65536"},
		{"memory's limits", header + section(5, "\x01\x01\x02\x01"), "memory", "below"},
		{"shared memory without a largest size", header + section(5, "\x01\x02\x01"), "memory", "without a largest size"},
		{"shared table", header + section(4, "\x01\x70\x03\x01\x01"), "table", "shared table"},
		{"64-bit memory", header + section(5, "\x01\x04\x01"), "memory", "wasm32"},
		{"limits", header + section(5, "\x01\x09\x01"), "memory", "limits"},
		{"tags", header + section(13, big), "tag", "cannot be"},
		{"globals", header + section(6, big), "global", "cannot be"},
		{"global's mutability", header + section(6, "\x01\x7f\x02\x41\x00\x0b"), "global", "mutability"},
		{"global's value", header + section(6, "\x01\x7f\x00\x00\x0b"), "global", "not constant"},
		{"constant above 32 bits", header + section(6, "\x01\x7f\x00\x41\x80\x80\x80\x80\x10\x0b"), "global", "signed LEB128"},
		{"exports", header + section(7, big), "export", "cannot be"},
		{"export of nothing", header + section(7, "\x01\x01x\x00\x00"), "export", "no function 0"},
		{"same export twice", header + memories + section(7, "\x02\x01x\x02\x00\x01x\x02\x00"), "export", "two exports"},
		{"start", header + section(8, "\x00"), "start", "no function 0"},
		{"start's type", header + section(1, "\x01\x60\x01\x7f\x00") + functions + section(8, "\x00"), "start", "() -> ()"},
		{"elements", header + section(9, big), "element", "cannot be"},
		{"element's flags", header + section(9, "\x01\x08\x00"), "element", "flags"},
		{"element's table", header + section(9, "\x01\x00\x41\x00\x0b\x00"), "element", "no table 0"},
		{"element's functions", header + section(9, "\x01\x01\x00"+big), "element", "cannot be"},
		{"element's function", header + section(9, "\x01\x01\x00\x01\x00"), "element", "no function 0"},
		{"bodies", header + section(10, big), "code", "cannot be"},
		{"bodies without functions", header + section(10, "\x01\x02\x00\x0b"), "code", "0 functions"},
		{"functions without bodies", header + types + functions, "", "cut off"},
		{"body", header + types + functions + section(10, "\x01"+big+"\x00"), "code", "cannot be"},
		{"locals", header + types + functions + section(10, "\x01\x08\x01"+big+"\x7f\x0b"), "code", "locals"},
		{"groups of locals", header + types + functions + section(10, "\x01\x06"+big+"\x0b"), "code", "cannot be"},
		{"body without end", header + types + functions + section(10, "\x01\x02\x00\x00"), "code", "end"},
		{"data", header + section(11, big), "data", "cannot be"},
		{"data's flags", header + section(11, "\x01\x03\x00"), "data", "flags"},
		{"data's memory", header + section(11, "\x01\x00\x41\x00\x0b\x00"), "data", "no memory 0"},
		{"data's bytes", header + section(11, "\x01\x01"+big), "data", "cannot be"},
		{"data count", header + section(12, "\x01"), "", "announced"},
		{"names of functions", header + custom("name", "\x01\x05"+big), "name", "cannot be"},
		{"names of locals", header + custom("name", "\x02\x07\x01\x00"+big), "name", "cannot be"},
		{"names twice", header + custom("name", "") + custom("name", ""), "custom", "two"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := parseError(t, c.file)
			if e.Section != c.section || !strings.Contains(e.Msg, c.want) {
				t.Errorf("got %q (section %q), want section %q and %q", e, e.Section, c.section, c.want)
			}
		})
	}
}

// TestConstants reads every kind of constant expression.
func TestConstants(t *testing.T) {
	for _, c := range []string{
		"\x7f\x00\x41\x80\x80\x80\x80\x78\x0b",                     // -2^31
		"\x7f\x00\x41\xff\xff\xff\xff\x07\x0b",                     // 2^31-1
		"\x7f\x00\x41\x7f\x0b",                                     // -1
		"\x7e\x01\x42\x80\x80\x80\x80\x80\x80\x80\x80\x80\x7f\x0b", // -2^63
		"\x7d\x00\x43\x00\x00\x80\x3f\x0b",                         // 1.0
		"\x7c\x00\x44\x00\x00\x00\x00\x00\x00\xf0\x3f\x0b",         // 1.0
		"\x70\x00\xd0\x70\x0b",                                     // null
		"\x7f\x00\x41\x01\x41\x02\x6a\x0b",                         // 1+2
		"\x7b\x00\xfd\x0c" + strings.Repeat("\x01", 16) + "\x0b",   // a vector
	} {
		m, err := module.Parse([]byte(header + section(6, "\x01"+c)))
		if err != nil || m.Globals != 1 {
			t.Errorf("%q: %v", c, err)
		}
	}
}

// TestElements reads every form of element segment.
func TestElements(t *testing.T) {
	tables := section(4, "\x01\x70\x00\x01")
	for _, c := range []string{
		"\x00\x41\x00\x0b\x01\x00", "\x01\x00\x01\x00", "\x02\x00\x41\x00\x0b\x00\x01\x00", "\x03\x00\x01\x00",
		"\x04\x41\x00\x0b\x01\xd2\x00\x0b", "\x05\x70\x01\xd2\x00\x0b", "\x06\x00\x41\x00\x0b\x70\x01\xd2\x00\x0b", "\x07\x70\x01\xd0\x70\x0b",
	} {
		m, err := module.Parse([]byte(header + types + functions + tables + section(9, "\x01"+c) + code))
		if err != nil || m.Elements != 1 || m.Tables[0].String() != "table of funcref 1.." {
			t.Errorf("%q: %v", c, err)
		}
	}
}

// TestMemoryIsBounded parses modules that claim, or have, as many things as possible, and checks that the memory
// taken is in proportion to their size.
func TestMemoryIsBounded(t *testing.T) {
	many := func(id byte, count, unit string, n int) string {
		body := count + strings.Repeat(unit, n)
		size := len(body)
		return header + string([]byte{id, byte(size) | 0x80, byte(size>>7) | 0x80, byte(size >> 14)}) + body
	}
	wide := "\x60\xe8\x07" + strings.Repeat("\x7f", 1000) + "\x00" // a type with 1000 parameters
	for name, b := range map[string]string{
		"claimed types": header + section(1, "\xff\xff\xff\xff\x0f"),
		"claimed names": header + custom("name", "\x01\x05\xff\xff\xff\xff\x0f"),
		"types":         many(1, "\xa0\x8d\x06", "\x60\x00\x00", 100_000),
		"imports of a wide function": header + "\x01\xee\x07\x01" + wide + // a section of 1006 bytes
			many(2, "\x90\x4e", "\x00\x00\x00\x00", 10_000)[len(header):],
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := module.Parse([]byte(b))
		runtime.ReadMemStats(&after)
		if got, most := after.TotalAlloc-before.TotalAlloc, uint64(100*len(b)+10_000); got > most {
			t.Errorf("%s: %d bytes of module took %d bytes of memory (%v)", name, len(b), got, err)
		}
	}
}

func TestLanguage(t *testing.T) {
	producers := func(values string) string { return command + custom("producers", "\x01\x08language"+values) }
	for _, c := range []struct{ file, want string }{
		{command, ""},
		{producers("\x01\x04Rust\x00"), "Rust"},
		{producers("\x02\x03C11\x00\x04Rust\x00"), "Rust"},
		{producers("\x02\x04Rust\x00\x03C11\x00"), "Rust"},
		{producers("\x01\x03C11\x00"), "C"},
		{producers("\x02\x03C99\x00\x0eC_plus_plus_14\x00"), "C++"},
		{producers("\x02\x0eC_plus_plus_14\x00\x03C99\x00"), "C++"},
		{producers("\x05"), ""},
		{command + custom("go:buildid", "x"), "Go"},
		{command + section(11, "\x01\x00\x41\x00\x0b\x07/rustc/"), "Rust"},
	} {
		m, err := module.Parse([]byte(c.file))
		if err != nil {
			t.Errorf("%q: %v", c.file, err)
		} else if got := m.Language(); got != c.want {
			t.Errorf("%q: got %q, want %q", c.file, got, c.want)
		}
	}
}

func TestErrorText(t *testing.T) {
	const want = "wasm module, type section, offset 9: " +
		"5 bytes of the section cannot be in the 1 bytes that are left"
	if e := parseError(t, header+"\x01\x05\x00"); e.Error() != want {
		t.Errorf("got %q", e)
	}
}

// FuzzParse checks that nothing makes Parse panic or name a place that is not in the file.
func FuzzParse(f *testing.F) {
	probe := runtimestest.Wasm()
	f.Add(probe)
	f.Add([]byte(command))
	f.Add([]byte(command + custom("name", "\x00\x02\x01m\x01\x04\x01\x00\x01f\x02\x06\x01\x00\x01\x00\x01l")))
	f.Add([]byte(header + types + section(2, "\x01\x03env\x01f\x00\x00") + section(4, "\x01\x70\x01\x01\x02") + section(13, "\x01\x00\x00")))
	f.Add([]byte("(module)"))
	f.Add([]byte(function("\x02\x40\x41\x00\x0e\x01\x00\x01\x0b\x1f\x40\x02\x01\x00\x00\x03\x00\x0b\xfc\x0c\x00\x00\xfd\x54\x00\x00\x00")))
	for _, at := range []int{8, 9, 60, 200, 700} {
		b := bytes.Clone(probe)
		b[at] ^= 0xff
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := module.Parse(b)
		if err != nil {
			var e *module.Error
			if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(b) || e.Error() == "" {
				t.Fatalf("got the error %v", err)
			}
			return
		}
		if m.Size != len(b) {
			t.Fatalf("got the size %d of %d bytes", m.Size, len(b))
		}
		_ = m.Language()
		_ = m.String()
		if err := m.CheckProcess(); err == nil && (len(m.Memories) != 1 || len(m.Exports) < 2) {
			t.Fatalf("a process without memory or entry: %+v", m)
		}
	})
}

// BenchmarkParse reads the probe, of 23 KB.
func BenchmarkParse(b *testing.B) {
	probe := runtimestest.Wasm()
	b.SetBytes(int64(len(probe)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := module.Parse(probe); err != nil {
			b.Fatal(err)
		}
	}
}
