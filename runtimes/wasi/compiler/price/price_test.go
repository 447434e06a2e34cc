package price

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
	"github.com/polyvoke/polyvoke/runtimes/module/leb"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// i32 is the encoding of the type.
const i32 = 0x7f

// command returns a module whose _start has so many locals and a body.
func command(locals int, body code.Assembly) []byte { return with(locals, 0, 0, body) }

// with returns one that has mutable globals, and a type 1 with results, besides.
func with(locals, globals, results int, body code.Assembly) []byte {
	section := func(id byte, b []byte) []byte {
		return append(leb.AppendU32([]byte{id}, uint32(len(b))), b...)
	}
	types := leb.AppendU32([]byte("\x02\x60\x00\x00\x60\x00"), uint32(results))
	types = append(types, bytes.Repeat([]byte{i32}, results)...)
	f := append(leb.AppendU32([]byte{1}, uint32(locals)), i32)
	f = append(append(f, body...), byte(code.End))
	return bytes.Join([][]byte{[]byte("\x00asm\x01\x00\x00\x00"),
		section(1, types), section(3, []byte("\x01\x00")), section(5, []byte("\x01\x00\x01")),
		section(6, append(leb.AppendU32(nil, uint32(globals)), bytes.Repeat([]byte("\x7f\x01\x41\x00\x0b"), globals)...)),
		section(7, []byte("\x02\x06_start\x00\x00\x06memory\x02\x00")),
		section(10, append(leb.AppendU32([]byte{1}, uint32(len(f))), f...))}, nil)
}

// reloads is calls in a row, in a module with globals.
func reloads(n, globals int) []byte {
	var a code.Assembly
	for range n {
		a.Op(code.Call, 0)
	}
	return with(1, globals, 0, a)
}

// values is branches that each pass many values on.
func values(n, results int) []byte {
	var a code.Assembly
	a.BeginTyped(code.Block, 1)
	for range results {
		a.I32(1)
	}
	for range n {
		a.I32(0).Op(code.BrIf, 0)
	}
	a.Op(code.End)
	for range results {
		a.Op(code.Drop)
	}
	return with(1, 0, results, a)
}

// back is globals that are used in turn, with branches between them.
func back(n, globals int) []byte {
	var a code.Assembly
	a.Begin(code.Block)
	for i := range n {
		a.Op(code.GlobalGet, uint32(i%globals)).Op(code.BrIf, 0)
	}
	a.Op(code.End)
	return with(1, globals, 0, a)
}

// loops is loops in a row, each of which counts in one of the locals.
func loops(n, locals int) []byte {
	var a code.Assembly
	for i := range n {
		l := uint32(i % locals)
		a.Begin(code.Loop).Get(l).I32(1).Op(code.I32Add).Op(code.LocalTee, l).Op(code.BrIf, 0).Op(code.End)
	}
	return command(locals, a)
}

// calls is calls in branches in a row, through which all locals live.
func calls(n, locals int) []byte {
	var a code.Assembly
	for l := range locals {
		a.I32(int64(l)).Op(code.LocalSet, uint32(l))
	}
	for range n {
		a.Get(0).Begin(code.If).Op(code.Call, 0).Op(code.End)
	}
	for l := range locals {
		a.Get(uint32(l)).Op(code.Drop)
	}
	return command(locals, a)
}

// held is locals that are set before a loop and used in it at its beginning: they live to its end, for n branches.
func held(n, locals int) []byte {
	var a code.Assembly
	a.Begin(code.Loop)
	for l := range locals {
		a.Get(uint32(l)).Op(code.Drop)
	}
	for range n {
		a.I32(0).Op(code.BrIf, 0)
	}
	a.Op(code.End)
	return command(locals, a)
}

// nested is blocks in one another.
func nested(n int) []byte {
	var a code.Assembly
	for range n {
		a.Begin(code.Block)
	}
	for range n {
		a.Op(code.End)
	}
	return command(1, a)
}

// table is a br_table with n labels of the same block.
func table(n int) []byte {
	var a code.Assembly
	a.Begin(code.Block).I32(0).Op(code.BrTable, uint32(n))
	for range n + 1 {
		a.Label(0)
	}
	a.Op(code.End)
	return command(1, a)
}

// TestBombs prices modules that are dense, near to what they cost the engine: see RATIONALE.md.
func TestBombs(t *testing.T) {
	for name, c := range map[string]struct {
		module      []byte
		least, most time.Duration
	}{
		"3000 loops, 100 locals":     {loops(3000, 100), 500 * time.Millisecond, 5 * time.Second},
		"10,000 loops, 1000":         {loops(10_000, 1000), 20 * time.Second, 3 * time.Minute},
		"50,000 loops, 4 locals":     {loops(50_000, 4), 20 * time.Second, 10 * time.Minute},
		"1000 calls, 1000 locals":    {calls(1000, 1000), time.Second, 10 * time.Second},
		"1000 branches, 1000 held":   {held(1000, 1000), 500 * time.Millisecond, 10 * time.Second},
		"5000 nested blocks":         {nested(5000), 100 * time.Millisecond, time.Second},
		"100,000 nested blocks":      {nested(100_000), time.Minute, 10 * time.Minute},
		"2000 calls, 5000 globals":   {reloads(2000, 5000), 500 * time.Millisecond, 10 * time.Second},
		"5000 branches, 900 values":  {values(5000, 900), 300 * time.Millisecond, 10 * time.Second},
		"8000 branches, 900 globals": {back(8000, 900), 300 * time.Millisecond, 10 * time.Second},
		"60,000 labels":              {table(60_000), time.Second, 10 * time.Second},
	} {
		p := Of(c.module)
		if p.Dense < c.least || p.Dense > c.most || p.Usual() {
			t.Errorf("%s, %d bytes: %+v, want a dense part of %v to %v", name, len(c.module), p, c.least, c.most)
		}
	}
}

// TestReal prices what compilers make.
func TestReal(t *testing.T) {
	files, err := filepath.Glob("../../../../samples/*/*/*.wasm")
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	modules := map[string][]byte{"probe": runtimestest.Wasm()}
	for _, f := range files {
		if modules[f], err = os.ReadFile(f); err != nil {
			t.Fatal(err)
		}
	}
	for name, b := range modules {
		if p := Of(b); !p.Usual() || p.Total() > time.Second {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// TestLinear prices modules of which one is a hundred times as large as the other, and counts the steps of that.
func TestLinear(t *testing.T) {
	for name, build := range map[string]func(int) []byte{
		"loops": func(n int) []byte { return loops(n, 120) }, "nested": nested,
		"nested loops": func(n int) []byte {
			var a code.Assembly
			for i := range n {
				a.Begin(code.Loop).Get(uint32(i % 50))
				a.Op(code.Drop)
			}
			a = append(a, strings.Repeat("\x0b", n)...)
			return command(50, a)
		},
	} {
		s := scanner{b: build(30_000)}
		start := bytes.LastIndex(s.b, []byte("\x06memory\x02\x00")) + 9
		_, n := leb.U32(s.b[start+1:])
		s.bodies(start + 1 + n)
		if s.listed > 31_000 {
			t.Errorf("%s: %d locals were noted in loops", name, s.listed)
		}
	}
}

// FuzzOf prices whatever is well-formed: there is a price, and it is no less than nothing.
func FuzzOf(f *testing.F) {
	f.Add(runtimestest.Wasm())
	f.Add(loops(10, 3))
	f.Add(held(3, 3))
	f.Add(table(5))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := module.Parse(b); err != nil {
			return
		}
		if p := Of(b); p.Plain < perModule || p.Dense < 0 {
			t.Errorf("%+v", p)
		}
	})
}
