package inspect

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// header is how every module begins.
const header = "\x00asm\x01\x00\x00\x00"

// sections appends sections, each an id and contents below 128 bytes, to the header.
func sections(list ...string) []byte {
	out := []byte(header)
	for _, s := range list {
		out = append(append(out, s[0], byte(len(s)-1)), s[1:]...)
	}
	return out
}

// restless is a command whose code changes everything that an instance has.
var restless = sections(
	"\x01\x01\x60\x00\x00",                             // the type () -> ()
	"\x03\x02\x00\x00",                                 // two functions of it
	"\x04\x01\x70\x00\x01",                             // a table of one funcref
	"\x05\x01\x01\x01\x02",                             // a memory of one to two pages
	"\x06\x02\x7f\x01\x41\x00\x0b\x70\x01\xd0\x70\x0b", // a mutable i32, and a mutable funcref
	"\x07\x02\x06_start\x00\x00\x06memory\x02\x00",     // what a command exports
	"\x08\x00", // a start function: the second after all
	"\x0c\x01", // one data segment
	// table.set, data.drop, memory.grow
	"\x0a\x02\x10\x00\x41\x00\xd0\x70\x26\x00\xfc\x09\x00\x41\x01\x40\x00\x1a\x0b\x02\x00\x0b",
	"\x0b\x01\x01\x01x",          // the segment
	"\x00\x09\x1b[31mred\x21abc", // a custom section
)

func TestInspect(t *testing.T) {
	for _, c := range []struct {
		name    string
		module  []byte
		problem string
		want    []string // in what people see, blanks counted as one
	}{
		{"the probe", runtimestest.Wasm(), "", []string{
			"memory 192 KiB, grows", "globals 1 number", "; charges 36 entries and 108 loops", "reuse a sandbox can be reset",
			"function yes",
			"imports", "wasi_snapshot_preview1 fd_read function", "_start function () -> ()",
		}},
		{"restless", restless, "", []string{
			"memory 64 KiB, grows to 128 KiB", "tables table of funcref 1..",
			"code 2 functions, has a start function, writes tables, drops segments",
			"globals 1 number, 1 reference", "custom \"\\x1b[31mred!\" (3 B)",
			"reuse every call needs a new sandbox: it changes tables, it drops segments, " +
				"it has mutable globals of a reference type", "function yes",
		}},
		{"no command", []byte(header), "_start",
			[]string{"reuse a sandbox", "code 0 functions", "globals none that is mutable", "function no"}},
		{"no module", []byte("hello"), "not a wasm module", []string{"size 5 B", "function no"}},
		{"nothing", nil, "empty", []string{"size 0 B", "function no"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := Inspect("file.wasm", c.module, protocol.OptimizeAll)
			if (err == nil) != (c.problem == "") || err != nil && !strings.Contains(err.Error(), c.problem) {
				t.Fatalf("the problem is %v, want %q", err, c.problem)
			}
			if r.Runnable != (err == nil) || (r.Problem == "") != r.Runnable || (r.Metering != nil) != r.Runnable {
				t.Errorf("the report does not agree with itself: %+v", r)
			}
			var out bytes.Buffer
			r.Print(&out, "")
			text := strings.Join(strings.Fields(out.String()), " ")
			for _, w := range c.want {
				if !strings.Contains(text, w) {
					t.Errorf("%q is missing in\n%s", w, &out)
				}
			}
			if strings.ContainsRune(out.String(), 0x1b) {
				t.Errorf("a name reaches the terminal as it is: %q", &out)
			}
		})
	}
}

// TestCompare compares a module with what is taken where it may go.
func TestCompare(t *testing.T) {
	size := int64(len(runtimestest.Wasm()))
	for _, c := range []struct {
		limit   Limit
		problem string
		want    string
	}{
		{Limit{size, "nats://here"}, "", "yes, deploy it with"},
		{Limit{size - 1, ""}, "", "yes, where it is served by polyvoke serve --max-module 1MiB: the default is 16MiB"},
		{Limit{size - 1, "nats://here"}, "the invoker on nats://here takes", "function no"},
	} {
		r, err := Inspect("file.wasm", runtimestest.Wasm(), protocol.OptimizeNone)
		if err != nil {
			t.Fatal(err)
		}
		err = r.Compare(c.limit)
		if (err == nil) != (c.problem == "") || err != nil && !strings.Contains(err.Error(), c.problem) ||
			r.Runnable != (err == nil) {
			t.Errorf("%v: the problem is %v, want %q", c.limit, err, c.problem)
		}
		var out bytes.Buffer
		r.Print(&out, "")
		if text := strings.Join(strings.Fields(out.String()), " "); !strings.Contains(text, c.want) {
			t.Errorf("%v: %q is missing in\n%s", c.limit, c.want, &out)
		}
	}
}

// TestJSON checks that programs find a list where there may be one, and the figures that people see.
func TestJSON(t *testing.T) {
	r, err := Inspect("file.wasm", restless, protocol.OptimizeAll)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"memory":{"min":65536,"max":131072,"grows":true}`, `"imports":[]`, `"custom":[{"name":"\u001b[31mred!","size":3}]`,
		`"startFunction":true,"mutableGlobals":{"numbers":1,"vectors":0,"references":1,"imported":0},` +
			`"tableWrites":true,"segmentDrops":true,"exceptions":false,"obstacles":[`,
	} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("%s is missing in %s", want, b)
		}
	}
	if m := r.Metering; m.After <= m.Before || m.Bulk != 1 {
		t.Errorf("metering: %+v", m)
	}
	r, _ = Inspect("file.wasm", nil, protocol.OptimizeAll)
	if b, _ := json.Marshal(r); !bytes.Contains(b, []byte(`"tables":[],"imports":[],"exports":[],"custom":[]`)) {
		t.Errorf("nothing: %s", b)
	}
}
