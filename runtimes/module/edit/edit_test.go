package edit_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/edit"
	"github.com/polyvoke/polyvoke/runtimes/module/leb"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

const header = "\x00asm\x01\x00\x00\x00"

// section returns a section; body is at most 127 bytes long.
func section(id byte, body string) string { return string([]byte{id, byte(len(body))}) + body }

// hook is a function to import.
func hook() edit.Import {
	return edit.Import{Module: "m", Name: "h", Type: module.FuncType{Params: []module.ValueType{module.I64}}}
}

// open opens a module with a hook added.
func open(t *testing.T, file string) *edit.Module {
	t.Helper()
	m, err := edit.Open([]byte(file), module.Limits{}, hook())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Pieces with a function's index in every place. The module imports one function and defines three.
const (
	types     = "\x01\x60\x00\x00"
	imports   = "\x01\x01a\x01b\x00\x00"
	functions = "\x03\x00\x00\x00"
)

// TestShift checks that function indices move in every place that has one.
func TestShift(t *testing.T) {
	for _, c := range []struct {
		name       string
		id         byte
		body, want string
	}{
		{"globals", 6, "\x02\x70\x00\xd2\x01\x0b\x70\x00\xd2\x00\x0b", "\x02\x70\x00\xd2\x02\x0b\x70\x00\xd2\x00\x0b"},
		{"exports", 7, "\x03\x01f\x00\x01\x01g\x00\x00\x01t\x01\x00", "\x03\x01f\x00\x02\x01g\x00\x00\x01t\x01\x00"},
		{"start", 8, "\x03", "\x04"},
		{"imported start", 8, "\x00", "\x00"},
		{"element 0", 9, "\x01\x00\x41\x00\x0b\x02\x00\x01", "\x01\x00\x41\x00\x0b\x02\x00\x02"},
		{"element 1", 9, "\x01\x01\x00\x01\x01", "\x01\x01\x00\x01\x02"},
		{"element 2", 9, "\x01\x02\x00\x41\x00\x0b\x00\x01\x01", "\x01\x02\x00\x41\x00\x0b\x00\x01\x02"},
		{"element 3", 9, "\x01\x03\x00\x01\x01", "\x01\x03\x00\x01\x02"},
		{"element 4", 9, "\x01\x04\x41\x00\x0b\x01\xd2\x01\x0b", "\x01\x04\x41\x00\x0b\x01\xd2\x02\x0b"},
		{"element 5", 9, "\x01\x05\x70\x01\xd2\x01\x0b", "\x01\x05\x70\x01\xd2\x02\x0b"},
		{"element 6", 9, "\x01\x06\x00\x41\x00\x0b\x70\x01\xd2\x01\x0b", "\x01\x06\x00\x41\x00\x0b\x70\x01\xd2\x02\x0b"},
		{"element 7", 9, "\x01\x07\x70\x02\xd0\x70\x0b\xd2\x01\x0b", "\x01\x07\x70\x02\xd0\x70\x0b\xd2\x02\x0b"},
		{"code", 10, "\x03\x07\x00\x10\x01\x10\x00\x01\x0b\x04\x00\x12\x01\x0b\x05\x00\xd2\x03\x1a\x0b", "\x03\x07\x00\x10\x02\x10\x00\x01\x0b\x04\x00\x12\x02\x0b\x05\x00\xd2\x04\x1a\x0b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := header + section(1, types) + section(2, imports) + section(3, functions) + section(4, "\x01\x70\x00\x05")
			for id := byte(6); id < 10; id++ {
				if id == c.id {
					file += section(id, c.body)
				}
			}
			bodies := "\x03\x02\x00\x0b\x02\x00\x0b\x02\x00\x0b"
			if c.id == 10 {
				bodies = c.body
			}
			out := string(open(t, file+section(10, bodies)).Encode())
			if want := section(c.id, c.want); !strings.Contains(out, want) {
				t.Errorf("got %q, which does not have %q", out, want)
			}
			if !strings.Contains(out, section(1, "\x02\x60\x00\x00\x60\x01\x7e\x00")) || !strings.Contains(out, section(2, "\x02\x01a\x01b\x00\x00\x01m\x01h\x00\x01")) {
				t.Errorf("got %q, without the import", out)
			}
		})
	}
}

// TestAdditions adds to a module that has nothing one of everything.
func TestAdditions(t *testing.T) {
	m := open(t, header+section(0, "\x01n"))
	g := m.AddGlobal(module.I64, -1)
	h := m.AddGlobal(module.I32, 64)
	f := m.AddFunction(module.FuncType{}, []byte("\x00\x42\x05\x10\x00\x0b"))
	m.AddExport("g", module.GlobalKind, g)
	m.AddExport("f", module.FunctionKind, f)
	m.DropCustom()
	want := header + section(1, "\x02\x60\x01\x7e\x00\x60\x00\x00") + section(2, "\x01\x01m\x01h\x00\x00") + section(3, "\x01\x01") +
		section(6, "\x02\x7e\x01\x42\x7f\x0b\x7f\x01\x41\xc0\x00\x0b") + section(7, "\x02\x01g\x03\x00\x01f\x00\x01") + section(10, "\x01\x06\x00\x42\x05\x10\x00\x0b")
	if out := string(m.Encode()); out != want || g != 0 || h != 1 || f != 1 {
		t.Errorf("got %q, want %q", out, want)
	}
	info, err := module.Parse(m.Encode())
	if err != nil || info.Exports[1].Signature != "() -> ()" || len(info.Custom) != 0 {
		t.Errorf("got %+v, %v", info, err)
	}
}

// TestStart makes another function the start function, and none.
func TestStart(t *testing.T) {
	file := header + section(1, types) + section(2, imports) + section(3, functions) + section(8, "\x03") + section(10, "\x03\x02\x00\x0b\x02\x00\x0b\x02\x00\x0b")
	m := open(t, file)
	if m.SetStart(m.Function(1)); m.Start() != 3 || !strings.Contains(string(m.Encode()), section(8, "\x02")) {
		t.Errorf("got %x", m.Encode())
	}
	if m.DropStart(); strings.Contains(string(m.Encode()), section(8, "\x02")) {
		t.Errorf("without a start function: got %x", m.Encode())
	}
}

// TestSetType replaces a type, which is another one for all that comes after.
func TestSetType(t *testing.T) {
	m := open(t, header+section(1, "\x02\x60\x00\x00\x60\x01\x69\x00"))
	old, pair := m.Info.Types()[1], module.FuncType{Params: []module.ValueType{module.I32, module.F64}}
	if m.SetType(1, pair); m.Type(old) == 1 {
		t.Error("the old type is still there")
	}
	if want := "\x60\x00\x00\x60\x02\x7f\x7c\x00"; !strings.Contains(string(m.Encode()), want) {
		t.Errorf("got %x, want %x in it", m.Encode(), want)
	}
}

// TestNames checks that of the custom sections the functions' names stay, and that they move along.
func TestNames(t *testing.T) {
	names := func(a, b string) string {
		return section(0, "\x04name"+section(1, "\x03\x00\x01i"+a+"\x05start"+b+"\x03end"))
	}
	file := header + section(1, types) + section(2, imports) + section(3, functions) +
		section(10, "\x03\x02\x00\x0b\x02\x00\x0b\x02\x00\x0b")
	before := section(0, "\x04name"+section(0, "\x03mod")+section(1, "\x03\x00\x01i\x01\x05start\x03\x03end")+section(2, "\x00"))
	m := open(t, file+section(0, "\x09producers\x00")+before)
	m.DropCustom()
	out := string(m.Encode())
	if want := names("\x02", "\x04"); !strings.HasSuffix(out, want) || strings.Contains(out, "producers") {
		t.Errorf("got %q, want it to end with %q", out, want)
	}
	if _, err := module.Parse([]byte(out)); err != nil {
		t.Error(err)
	}
}

// TestChanges changes sizes, data and bodies.
func TestChanges(t *testing.T) {
	file := header + section(1, types) + section(3, functions) + section(4, "\x03\x70\x00\x05\x70\x01\x05\x06\x70\x01\x05\x7f") + section(5, "\x01\x00\x02") +
		section(12, "\x03") + section(10, "\x03\x05\x00\xfc\x09\x00\x0b\x02\x00\x0b\x02\x00\x0b") +
		section(11, "\x03\x00\x41\x00\x0b\x01x\x01\x02yz\x02\x00\x41\x01\x0b\x01w")
	m := open(t, file)
	m.SetMemoryMax(10)
	m.CapTables(100)
	m.EmptyData()
	m.SetBody(1, []byte("\x00\x01\x0b"))
	if s := m.DataSizes(); len(s) != 3 || s[1] != 2 {
		t.Errorf("got the sizes %v", s)
	}
	out := string(m.Encode())
	for _, want := range []string{
		section(4, "\x03\x70\x01\x05\x64\x70\x01\x05\x06\x70\x01\x05\x64"), section(5, "\x01\x01\x02\x0a"),
		section(12, "\x03"), section(10, "\x03\x05\x00\xfc\x09\x00\x0b\x03\x00\x01\x0b\x02\x00\x0b"), section(11, "\x03\x01\x00\x01\x02yz\x01\x00"),
	} {
		if !strings.Contains(out, want) {
			t.Errorf("got %q, which does not have %q", out, want)
		}
	}
	m.SetMemoryMax(1)
	if out := string(m.Encode()); !strings.Contains(out, section(5, "\x01\x01\x02\x02")) {
		t.Errorf("got %q", out)
	}
}

// TestEmptyData takes data out that no instruction asks for again.
func TestEmptyData(t *testing.T) {
	for _, count := range []string{"", section(12, "\x02")} {
		file := header + section(1, types) + section(3, "\x01\x00") + section(5, "\x01\x00\x02") + count +
			section(10, "\x01\x02\x00\x0b") + section(11, "\x02\x00\x41\x00\x0b\x01x\x01\x02yz")
		m := open(t, file)
		m.EmptyData()
		out := m.Encode()
		if info, err := module.Parse(out); err != nil || info.Data != 0 || info.DataBytes != 0 {
			t.Errorf("got %q, with %d segments of %d bytes, and the error %v", out, info.Data, info.DataBytes, err)
		}
	}
}

// TestData evaluates the offsets of data segments.
func TestData(t *testing.T) {
	for _, c := range []struct {
		name, section string
		want          []edit.Segment // nil if an offset is no number
	}{
		{"none", section(11, "\x00"), []edit.Segment{}},
		{"all kinds", section(11, "\x03\x00\x41\x01\x0b\x01x\x01\x02yz\x02\x00\x41\x7f\x0b\x01w"), []edit.Segment{{1, []byte("x")}, {1<<32 - 1, []byte("w")}}},
		{"sums", section(11, "\x01\x00\x41\x0a\x41\x03\x6b\x41\x02\x6c\x41\x01\x6a\x0b\x01x"), []edit.Segment{{15, []byte("x")}}},
		{"a global", section(11, "\x01\x00\x23\x00\x0b\x01x"), nil},
		{"too few numbers", section(11, "\x01\x00\x41\x01\x6a\x0b\x01x"), nil},
		{"too many numbers", section(11, "\x01\x00\x41\x01\x41\x01\x0b\x01x"), nil},
		{"no number", section(11, "\x01\x00\x0b\x01x"), nil},
		{"another type", section(11, "\x01\x00\x42\x01\x0b\x01x"), nil},
	} {
		file := header + section(5, "\x01\x00\x02") + section(6, "\x01\x7f\x00\x41\x05\x0b") + c.section
		got, ok := open(t, file).Data()
		if ok != (c.want != nil) || len(got) != len(c.want) {
			t.Errorf("%s: got %v, %v, want %v", c.name, got, ok, c.want)
			continue
		}
		for i, s := range c.want {
			if got[i].Offset != s.Offset || string(got[i].Bytes) != string(s.Bytes) {
				t.Errorf("%s: got %v, want %v", c.name, got[i], s)
			}
		}
	}
}

func TestReferences(t *testing.T) {
	m := open(t, header+section(1, types)+section(3, functions)+section(4, "\x01\x70\x00\x05")+section(6, "\x01\x70\x00\xd2\x01\x0b")+
		section(9, "\x02\x00\x41\x00\x0b\x02\x00\x01\x05\x70\x03\xd0\x70\x0b\xd2\x02\x0b\xd0\x70\x0b")+section(10, "\x03\x02\x00\x0b\x02\x00\x0b\x02\x00\x0b"))
	if got := m.References(); len(got) != 4 || got[0] != 1 || got[1] != 0 || got[2] != 1 || got[3] != 2 {
		t.Errorf("got %v", got)
	}
	if got := m.ElementSizes(); len(got) != 2 || got[0] != 2 || got[1] != 3 {
		t.Errorf("got %v", got)
	}
}

// FuzzEncode checks that whatever is accepted comes out unchanged if nothing is changed, and is accepted again if all
// is.
func FuzzEncode(f *testing.F) {
	f.Add(runtimestest.Wasm())
	f.Add([]byte(header + section(1, types) + section(2, imports) + section(3, functions) + section(4, "\x01\x70\x00\x05") +
		section(6, "\x01\x70\x00\xd2\x01\x0b") + section(9, "\x01\x05\x70\x01\xd2\x02\x0b") + section(10, "\x03\x04\x00\x10\x01\x0b\x02\x00\x0b\x02\x00\x0b")))
	f.Fuzz(func(t *testing.T, b []byte) {
		same, err := edit.Open(b, module.Limits{})
		if err != nil {
			return
		}
		if string(same.Encode()) != string(b) {
			t.Fatal("a module without changes is not the same")
		}
		m, err := edit.Open(b, module.Limits{}, hook())
		if err != nil {
			t.Fatal(err)
		}
		m.AddExport("\x00", module.GlobalKind, m.AddGlobal(module.I32, 1))
		m.Touch()
		if _, err := module.Parse(m.Encode()); err != nil && !strings.Contains(err.Error(), "two exports") &&
			!strings.Contains(err.Error(), "more than the") {
			t.Fatal(err)
		}
	})
}

// TestGuard makes an export that of another function, and adds globals of the types that TestAdditions does not have.
func TestGuard(t *testing.T) {
	m := open(t, header+section(1, types)+section(2, imports)+section(3, functions)+section(7, "\x02\x01f\x00\x01\x01g\x00\x01")+section(10, "\x03\x02\x00\x0b\x02\x00\x0b\x02\x00\x0b"))
	m.SetExport(1, m.AddFunction(module.FuncType{}, []byte("\x00\x10\x02\x0b")))
	if f, r := m.AddGlobal(module.F32, 0x3f800000), m.AddReference(m.Function(1)); f != 0 || r != 1 ||
		m.AddGlobal(module.F64, 2) != 2 {
		t.Errorf("got the globals %d and %d", f, r)
	}
	out := string(m.Encode())
	for _, want := range []string{section(7, "\x02\x01f\x00\x02\x01g\x00\x05"),
		section(6, "\x03\x7d\x01\x43\x00\x00\x80\x3f\x0b\x70\x00\xd2\x02\x0b\x7c\x01\x44\x02"+strings.Repeat("\x00", 7)+"\x0b")} {
		if !strings.Contains(out, want) {
			t.Errorf("got %q, which does not have %q", out, want)
		}
	}
	if _, err := module.Parse([]byte(out)); err != nil {
		t.Error(err)
	}
}

// TestShareReferences has code take references from globals: one for each function, imported or not, in code that
// stays and code that is written anew. Those in globals and segments stay.
func TestShareReferences(t *testing.T) {
	const code = "\x03\x0b\x00\xd2\x02\x1a\xd2\x00\x1a\xd2\x02\x1a\x0b\x05\x00\xd2\x03\x1a\x0b\x02\x00\x0b"
	b := header + section(1, types) + section(2, imports) + section(3, functions) + section(4, "\x01\x70\x00\x01") +
		section(6, "\x01\x70\x00\xd2\x01\x0b") + section(9, "\x02\x00\x41\x00\x0b\x01\x02\x03\x00\x01\x00") + section(10, code)
	for name, imports := range map[string][]edit.Import{"nothing moves": nil, "functions move": {hook()}} {
		m, err := edit.Open([]byte(b), module.Limits{}, imports...)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.ShareReferences(); err != nil {
			t.Fatal(err)
		}
		f := func(old uint32) string { return string(leb.AppendU32(nil, m.Function(old))) }
		out := string(m.Encode())
		for _, want := range []string{
			"\x03\x0b\x00\x23\x01\x1a\x23\x02\x1a\x23\x01\x1a\x0b",
			"\x05\x00\xd2" + f(3) + "\x1a\x0b", // which is not valid
			section(6, "\x03\x70\x00\xd2"+f(1)+"\x0b\x70\x00\xd2"+f(2)+"\x0b\x70\x00\xd2"+f(0)+"\x0b"),
		} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: got %q, which does not have %q", name, out, want)
			}
		}
		if _, err := module.Parse([]byte(out)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTooManyReferences refuses code that refers to so many functions that an instance would take long to make.
func TestTooManyReferences(t *testing.T) {
	for n, refused := range map[int]bool{10_000: false, 10_001: true} {
		one, all, refer := "", "", ""
		for i := range n {
			one += "\x00"
			index := string(leb.AppendU32(nil, uint32(i)))
			all += index
			refer += "\xd2" + index + "\x1a"
		}
		body := "\x00" + refer + "\x0b"
		count := string(leb.AppendU32(nil, uint32(n)))
		size := string(leb.AppendU32(nil, uint32(len(body))))
		long := func(id byte, body string) string {
			return string([]byte{id}) + string(leb.AppendU32(nil, uint32(len(body)))) + body
		}
		m := open(t, header+section(1, types)+long(3, count+one)+long(9, "\x01\x03\x00"+count+all)+long(10, count+size+body+strings.Repeat("\x02\x00\x0b", n-1)))
		err := m.ShareReferences()
		if refused != (err != nil) {
			t.Errorf("with %d functions: %v", n, err)
		}
		var e *module.Error
		if refused && (!errors.As(err, &e) || e.Section != "code" || e.Offset == 0) {
			t.Errorf("the error does not say where: %v", err)
		}
	}
}

// TestOwnMemory checks that a memory becomes the module's own, whatever else is imported around it.
func TestOwnMemory(t *testing.T) {
	const others = "\x01a\x01f\x00\x00" + "\x01a\x01t\x01\x70\x01\x01\x02" + "\x01a\x01g\x03\x7f\x01" + "\x01a\x01e\x04\x00\x00"
	for _, c := range []struct{ name, file, want string }{
		{"imported", header + section(1, types) + section(2, "\x05\x01a\x01m\x02\x03\x01\x02"+others), header + section(1, types) + section(2, "\x04"+others) + section(5, "\x01\x01\x01\x02")},
		{"imported last", header + section(1, types) + section(2, "\x05"+others+"\x01a\x01m\x02\x03\x01\x02"), header + section(1, types) + section(2, "\x04"+others) + section(5, "\x01\x01\x01\x02")},
		{"imported, and not shared", header + section(2, "\x01\x01a\x01m\x02\x00\x01"), header + section(2, "\x00") + section(5, "\x01\x00\x01")},
		{"shared", header + section(5, "\x01\x03\x01\x02"), header + section(5, "\x01\x01\x01\x02")},
		{"its own", header + section(5, "\x01\x00\x01"), header + section(5, "\x01\x00\x01")},
		{"none", header + section(1, types), header + section(1, types)},
	} {
		m, err := edit.Open([]byte(c.file), module.Limits{})
		if err != nil {
			t.Fatal(c.name, err)
		}
		m.OwnMemory()
		if got := string(m.Encode()); got != c.want {
			t.Errorf("%s: got %x, want %x", c.name, got, c.want)
		}
	}
	m, err := edit.Open([]byte(header+section(5, "\x01\x03\x01\x02")), module.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	m.SetMemoryMax(5)
	if got, want := string(m.Encode()), header+section(5, "\x01\x03\x01\x05"); got != want {
		t.Errorf("still shared: got %x, want %x", got, want)
	}
}
