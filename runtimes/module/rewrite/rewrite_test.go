package rewrite_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/meter"
	"github.com/polyvoke/polyvoke/runtimes/module/rewrite"
	"github.com/polyvoke/polyvoke/runtimes/module/unwind"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

const header = "\x00asm\x01\x00\x00\x00"

// section returns a section; body is at most 127 bytes long.
func section(id byte, body string) string { return string([]byte{id, byte(len(body))}) + body }

func TestRewrite(t *testing.T) {
	out, r, err := rewrite.Rewrite(runtimestest.Wasm(),
		rewrite.Options{Entry: "_start", Stack: 1 << 20, MemoryMax: 100, FoldData: true})
	if err != nil {
		t.Fatal(err)
	}
	m, err := module.Parse(out)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range m.Exports {
		names = append(names, e.Name+" "+e.Signature)
	}
	want := []string{"memory memory 3..100 pages", "_start () -> ()", "polyvoke.global.0 mut i32", "polyvoke.run () -> ()",
		"polyvoke.fuel mut i64", "polyvoke.stack mut i64"}
	if !slices.Equal(names, want) {
		t.Errorf("got the exports %q, want %q", names, want)
	}
	if im := m.Imports[len(m.Imports)-2:]; im[0].Name != meter.HookName || im[0].Signature != "(i64) -> (i64)" ||
		im[1].Name != rewrite.EnterName || im[1].Signature != "() -> ()" {
		t.Errorf("got the imports %+v", im)
	}
	if m.DataBytes != 0 || len(m.Custom) != 0 || r.Size != len(out) || len(r.Globals) != 1 || r.Meter.Entries == 0 ||
		r.Meter.Loops == 0 {
		t.Errorf("got %+v of %+v", r, m)
	}
	if grown := len(out) * 100 / len(runtimestest.Wasm()); grown > 120 {
		t.Errorf("the binary has grown to %d %%", grown)
	}
	if err := r.Module.CheckProcess(); err != nil {
		t.Error(err)
	}
}

func TestUnmetered(t *testing.T) {
	b := []byte(header + section(1, "\x01\x60\x00\x00"))
	if out, r, err := rewrite.Rewrite(b, rewrite.Options{Unmetered: true}); err != nil || string(out) != string(b) ||
		r.Meter != nil {
		t.Errorf("got %q, %v, %v", out, r, err)
	}
}

// TestStart checks that the start function becomes the first that is called, and that nothing runs before.
func TestStart(t *testing.T) {
	const functions, nothing = "\x03\x00\x00\x00", "\x02\x00\x0b"
	b := []byte(header + section(1, "\x01\x60\x00\x00") + section(3, functions) + section(7, "\x02\x01a\x00\x00\x01b\x00\x01") + section(8, "\x02") +
		section(10, "\x03"+nothing+nothing+nothing))
	for _, c := range []struct {
		o    rewrite.Options
		want string // the body of what calls the entry; empty: the start section stays
	}{
		{rewrite.Options{Entry: "b"}, "\x00\x10\x00\x10\x03\x10\x02\x0b"},
		{rewrite.Options{Entry: "b", Setup: "a"}, "\x00\x10\x02\x10\x05\x10\x03\x10\x00\x10\x04\x0b"},
		{rewrite.Options{}, ""},
	} {
		c.o.Unmetered = true
		out, r, err := rewrite.Rewrite(b, c.o)
		if err != nil {
			t.Fatal(err)
		}
		m, err := module.Parse(out)
		if err != nil || m.Start != (c.want == "") || !r.Module.Start || !strings.HasSuffix(string(out), c.want) {
			t.Errorf("%+v: got %x, %v", c.o, out, err)
		}
	}
}

func TestRefused(t *testing.T) {
	types := section(1, "\x02\x60\x00\x00\x60\x01\x7f\x00")
	function := types + section(3, "\x01\x01")
	body := section(10, "\x01\x02\x00\x0b")
	for _, c := range []struct{ name, file, want string }{
		{"malformed", "x", "not a wasm module"},
		{"own hook", header + types + section(2, "\x01\x08polyvoke\x05meter\x00\x00"), "reserved"},
		{"own fuel", header + section(6, "\x01\x7e\x01\x42\x00\x0b") + section(7, "\x01\x0dpolyvoke.fuel\x03\x00"), "reserved"},
		{"no entry", header + types, "no function"},
		{"entry with a parameter", header + function + section(7, "\x01\x06_start\x00\x00") + body, "has parameters"},
	} {
		_, _, err := rewrite.Rewrite([]byte(c.file), rewrite.Options{Entry: "_start"})
		var e *module.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got the error %v, want one that says %q", c.name, err, c.want)
		}
	}
}

// FuzzRewrite checks that whatever is accepted is accepted after it was rewritten too.
func FuzzRewrite(f *testing.F) {
	f.Add(runtimestest.Wasm())
	f.Add([]byte(header + section(1, "\x01\x60\x00\x00") + section(3, "\x01\x00") + section(4, "\x01\x70\x00\x05") + section(5, "\x01\x00\x01") + section(13, "\x01\x00\x00") +
		section(10, "\x01\x29\x00\x03\x40\x02\x40\x1f\x40\x01\x02\x00\x41\x00\x11\x00\x00\x08\x00\x0b\x41\x00\x04\x40\x0c\x02\x05\x12\x00\x0b\x0b\x41\x00\x0e\x01\x00\x00\x0b\x10\x00\x40\x00\x0b")))
	f.Fuzz(func(t *testing.T, b []byte) {
		out, r, err := rewrite.Rewrite(b, rewrite.Options{Stack: 1000, MemoryMax: 10})
		if err != nil {
			return
		}
		if _, err := unwind.Limits(module.Limits{}).Parse(out); err != nil &&
			!strings.Contains(err.Error(), "more than the") && !strings.Contains(err.Error(), "larger than") {
			t.Fatalf("%v: %v", r.Module, err)
		}
	})
}
