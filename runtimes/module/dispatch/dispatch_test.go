package dispatch

import (
	"bytes"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
	"github.com/polyvoke/polyvoke/runtimes/module/edit"
	"github.com/polyvoke/polyvoke/runtimes/module/leb"
)

// Pieces of code.
const (
	block = "\x02\x40"
	loop  = "\x03\x40"
	end   = "\x0b"
	then  = "\x04\x40" // an if
	give0 = "\x41\x00\x0f"
	call  = "\x10\x00"
)

// number returns an unsigned number in LEB128.
func number(n int) string { return string(leb.AppendU32(nil, uint32(n))) }

// section returns a section.
func section(id byte, contents string) string { return string(id) + number(len(contents)) + contents }

// sized returns something behind its size.
func sized(s string) string { return number(len(s)) + s }

// leap returns a jump to segment to, from so many blocks deep in segment i of n.
func leap(i, n, to, depth int) string {
	return "\x41" + number(to) + "\x21\x00\x0c" + number(depth+n-1-i)
}

// shape is a function with a dispatch loop: of what it is made, where it is not of the usual form.
type shape struct {
	segments []string
	locals   int    // of type i64, behind the number and one more of type i32
	before   string // what sets locals
	head     string // between the blocks and the br_table; the number if empty
	after    string // behind the block around the loop
}

// module returns a module with the function, which is number 1; number 0 returns 0, and has no dispatch loop.
func (s shape) module() []byte {
	n := len(s.segments)
	body := "\x02\x01\x7f" + number(max(s.locals, 1)) + "\x7e" + s.before + block + loop + strings.Repeat(block, n)
	if s.head == "" {
		body += "\x20\x00"
	}
	body += s.head + "\x0e" + number(n)
	for i := range n {
		body += number(i)
	}
	body += number(n-1) + end + strings.Join(s.segments, end) + end + "\x00" + end + s.after + "\x41\x01" + end
	return []byte("\x00asm\x01\x00\x00\x00" + section(1, "\x02\x60\x00\x01\x7f\x60\x01\x7f\x01\x7f") +
		section(3, "\x02\x00\x01") + section(5, "\x01\x00\x01") + section(7, "\x01\x01f\x00\x01") +
		section(10, "\x02"+sized("\x00\x41\x00\x0b")+sized(body)))
}

// TestLower checks what is made of functions of the form, and that what comes out is a module.
func TestLower(t *testing.T) {
	for name, c := range map[string]struct {
		s    shape
		want Report
		text string // of the code that comes out
	}{
		"straight on": {shape{segments: []string{leap(0, 2, 1, 0), give0}}, Report{1, 1, 1, 0, 0, 0}, ""},
		"a loop without calls": {
			shape{segments: []string{
				leap(0, 3, 1, 0), "\x20\x02\xa7" + then + leap(1, 3, 1, 1) + end + leap(1, 3, 2, 0), give0}},
			Report{1, 1, 3, 1, 0, 0}, "\x03\x40",
		},
		"two loops in one another": {
			shape{segments: []string{
				leap(0, 4, 1, 0), leap(1, 4, 2, 0),
				"\x20\x02\xa7" + then + leap(2, 4, 2, 1) + end + "\x20\x02\xa7" + then + leap(2, 4, 1, 1) + end + leap(2, 4, 3, 0),
				give0,
			}}, Report{1, 1, 5, 2, 0, 0}, "",
		},
		"a loop that is entered behind a call": {
			shape{segments: []string{
				leap(0, 4, 1, 0), call + then + give0 + end, call + then + leap(2, 4, 1, 1) + end + leap(2, 4, 3, 0),
				give0}},
			Report{1, 1, 3, 1, 1, 0}, "\x0e",
		},
		"it falls through":               {shape{segments: []string{"\x01", give0}}, Report{1, 1, 0, 0, 0, 0}, ""},
		"the number is out of the table": {shape{segments: []string{leap(0, 2, 9, 0), give0}}, Report{1, 1, 1, 0, 0, 0}, ""},
	} {
		b := c.s.module()
		if _, err := module.Parse(b); err != nil {
			t.Fatalf("%s: it is no module: %v", name, err)
		}
		out, r, err := Lower(b, module.Limits{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if *r != c.want {
			t.Errorf("%s: got %+v, want %+v", name, *r, c.want)
		}
		if _, err := module.Parse(out); err != nil || !bytes.Contains(out, []byte(c.text)) {
			t.Errorf("%s: %x: error %v", name, out, err)
		}
	}
}

// TestLowerLeaves checks that functions stay as they are that are not of the form, or whose number is used otherwise.
func TestLowerLeaves(t *testing.T) {
	two := func(first string) []string { return []string{first, give0} }
	for name, s := range map[string]shape{
		"the number is read in a segment":      {segments: two("\x20\x00\x21\x01" + leap(0, 2, 1, 0))},
		"the number is computed":               {segments: two("\x20\x01\x21\x00\x0c\x01")},
		"the number is set, and no jump":       {segments: two("\x41\x01\x21\x00\x01" + give0)},
		"a jump without a number":              {segments: two("\x0c\x01")},
		"the number is read before":            {segments: two(give0), before: "\x20\x00\x21\x01"},
		"the number is read behind":            {segments: two("\x0c\x02"), after: "\x20\x00\x21\x01"},
		"something else chooses":               {segments: two(give0), head: "\x20\x01"},
		"there are too many locals":            {segments: two(leap(0, 2, 1, 0)), locals: mostLocals},
		"a branch to the head on a condition":  {segments: two("\x41\x01\x21\x00\x20\x01\x0d\x01" + give0)},
		"a branch by a table out of a segment": {segments: two("\x20\x01\x0e\x00\x01")},
	} {
		b := s.module()
		if _, err := module.Parse(b); err != nil {
			t.Fatalf("%s: it is no module: %v", name, err)
		}
		out, r, err := Lower(b, module.Limits{})
		if err != nil || r.Changed != 0 || !bytes.Equal(out, b) {
			t.Errorf("%s: it has changed: %+v, error %v", name, r, err)
		}
	}
}

// TestSeveralHeads checks that a loop with two heads stays, with its function, which is counted all the same.
func TestSeveralHeads(t *testing.T) {
	s := shape{segments: []string{
		"\x20\x01" + then + leap(0, 4, 1, 1) + end + leap(0, 4, 2, 0),
		"\x20\x01" + then + leap(1, 4, 3, 1) + end + leap(1, 4, 2, 0),
		leap(2, 4, 1, 0), give0,
	}, before: "\x41\x07\x21\x01"}
	b := s.module()
	out, r, err := Lower(b, module.Limits{})
	if err != nil || *r != (Report{Functions: 1}) || !bytes.Equal(out, b) {
		t.Errorf("got %+v and the error %v", r, err)
	}
}

// TestFound checks that Go's modules are told by what its linker writes into them.
func TestFound(t *testing.T) {
	for name, want := range map[string]bool{"go:buildid": true, "go:build": false, "name": false, "": false} {
		m := &module.Module{Custom: []module.Custom{{Name: "producers"}, {Name: name}}}
		if Found(m) != want {
			t.Errorf("%q: got %t", name, !want)
		}
	}
	if Found(&module.Module{}) {
		t.Error("an empty module is one of Go's")
	}
}

func TestLowerError(t *testing.T) {
	b := shape{segments: []string{leap(0, 2, 1, 0), give0}}.module()
	for i := range b {
		if _, r, err := Lower(b[:i], module.Limits{}); i < 8 && err == nil {
			t.Errorf("%d bytes: %+v and no error", i, r)
		}
	}
	if _, _, err := Lower(b, module.Limits{Size: len(b) - 1}); err == nil {
		t.Error("the limit of size does not hold")
	}
}

// TestParseSets checks what is known of locals at the end of a segment, on which it depends whether it can be entered.
func TestParseSets(t *testing.T) {
	const set2, set3, get2 = "\x42\x01\x21\x02", "\x42\x01\x21\x03", "\x20\x02\x1a"
	for name, c := range map[string]struct {
		code       string
		uses, sets uint64
	}{
		"nothing":                   {"\x01", 0, 0},
		"set, then read":            {set2 + get2, 0, 1 << 2},
		"read, then set":            {get2 + set2, 1 << 2, 1 << 2},
		"set on one way of an if":   {"\x41\x01" + then + set2 + end + get2, 1 << 2, 0},
		"set on both ways of an if": {"\x41\x01" + then + set2 + "\x05" + set2 + end + get2, 0, 1 << 2},
		"left before it is set":     {block + "\x41\x01\x0d\x00" + set2 + end, 0, 0},
		"left after it is set":      {block + set2 + "\x41\x01\x0d\x00" + set3 + end + get2, 0, 1 << 2},
		"set in a loop":             {loop + set2 + end + get2, 0, 1 << 2},
		"where nobody comes":        {block + "\x0c\x00" + get2 + end, 0, 0},
	} {
		b := shape{segments: []string{c.code, give0}, locals: 4}.module()
		if _, err := module.Parse(b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		p := parsed(t, b)
		if s := p.segments[0]; s.uses != c.uses || s.sets != c.sets || !s.falls {
			t.Errorf("%s: it uses %b and sets %b, want %b and %b", name, s.uses, s.sets, c.uses, c.sets)
		}
	}
}

// parsed takes the function of a shape's module apart.
func parsed(t *testing.T, b []byte) *parser {
	t.Helper()
	m, err := edit.Open(b, module.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var r code.Reader
	for f, body := range m.Bodies() {
		if f == 1 {
			p := &parser{b: m.Bytes()}
			m.Instructions(&r, body)
			if !p.parse(&r) {
				t.Fatal("the function is not of the form")
			}
			return p
		}
	}
	t.Fatal("there is no function 1")
	return nil
}
