// Package price estimates what it costs to compile a module, before that is begun. In goes a module; out comes a
// time, in one pass over its code.
//
// Most of what a compiler does is in proportion to the code. What is not, and what bombs are made of, is counted
// here for each function:
//
//   - each value that lives through a point where control flow parts or joins: the compiler keeps sets of them there,
//     and values that join (phis);
//   - each block in another, for each one that is around it;
//   - each two points of the same function, and each two branches to the same place;
//   - each mutable global at each call, after which the compiler loads it anew, and how far it looks back for the
//     value of one;
//   - each value that a branch passes on or a call returns.
//
// The weights are measured with wazero 1.12 (RATIONALE.md). They need not be exact. The module pays for a wrong one: it
// waits for others, or is compiled up to its limit.
package price

import (
	"math"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
	"github.com/polyvoke/polyvoke/runtimes/module/leb"
)

// Price is what a module costs, in processor time of the machine on which the weights were measured.
type Price struct {
	// Plain is the part that is in proportion to the module's code.
	Plain time.Duration
	// Dense is the part that is not.
	Dense time.Duration
}

// Total returns the whole price.
func (p Price) Total() time.Duration { return p.Plain + p.Dense }

// Small is a price at which it does not matter what it is for.
const Small = 200 * time.Millisecond

// Usual reports whether the price is such as modules have that do something. Of some 40 programs in C, C++, Go and
// Rust, of up to 25 MB, none had a Dense part that was more than 1.3 times the Plain part.
func (p Price) Usual() bool { return p.Dense <= 2*p.Plain || p.Total() <= Small }

// The weights.
const (
	perModule = 50 * time.Millisecond // the process that compiles
	perByte   = 1500 * time.Nanosecond
	perLive   = time.Microsecond     // a value that lives through a point
	perNested = 20 * time.Nanosecond // a block around a block
	perPair   = 3 * time.Nanosecond  // two points of a function, or two branches to the same place
	perReload = 350 * time.Nanosecond
	perBack   = 200 * time.Nanosecond // a point between two uses of a global
	perValue  = 1500 * time.Nanosecond
)

// codeSection is the number of the section that has the function bodies.
const codeSection = 10

// Of returns the price of a module, which must be well-formed.
func Of(b []byte) Price {
	p := Price{Plain: perModule}
	s := scanner{b: b}
	if m, err := anything.Parse(b); err == nil {
		a := &m.Analysis
		s.m, s.mutable = m, int64(len(a.Numbers)+a.Vectors+a.Held+a.Imported)
	}
	for pos := 8; pos < len(b); {
		id := b[pos]
		size, n := leb.U32(b[pos+1:])
		pos += 1 + n
		if id == codeSection {
			p.Plain += time.Duration(size) * perByte
			p.Dense += s.bodies(pos)
		}
		pos += int(size)
	}
	return p
}

// anything are limits that a module which has been checked is within.
var anything = module.Limits{
	Size: math.MaxInt32, Functions: math.MaxInt32, Body: math.MaxInt32, Locals: math.MaxInt32,
	AllLocals: math.MaxInt32, Values: math.MaxInt32, Nesting: math.MaxInt32, Labels: math.MaxInt32,
	Tables: math.MaxInt32, Entries: math.MaxInt32, Elements: math.MaxInt32, Constants: math.MaxInt32,
	Globals: math.MaxInt32, Data: math.MaxInt32, Pages: math.MaxInt32,
}

// scanner goes through function bodies.
type scanner struct {
	b       []byte
	m       *module.Module // nil if there is something in it that is not known here
	mutable int64          // globals
	reader  code.Reader

	at     int64   // points of control flow so far; a br_table has one for each label
	points int64   // the same, with one for a br_table
	blocks []block // those open, the function's own first
	loops  []int   // which of them are loops
	called int64   // the point of the last call
	locals []local
	global []int64 // the point at which each was last used
	listed int     // entries in all lists of locals that live through a loop: at most one for each use
	f      counts
}

// counts are what is counted in a function.
type counts struct{ live, nested, pairs, reloads, back, values int64 }

// block is a block that is open.
type block struct {
	start    int64 // the point at which it begins
	loop     bool
	branches int64    // to its label
	values   int64    // that each of them passes on
	through  []uint32 // locals that live through a loop, from before it
}

// local is a local variable.
type local struct {
	seen int64 // the point at which it was last used or set
	loop int   // the outermost loop that it lives through, as an index into blocks; 0: none
}

// bodies returns what the bodies of a code section cost beyond their plain price.
func (s *scanner) bodies(pos int) (dense time.Duration) {
	n := s.number(&pos)
	for range n {
		size := int(s.number(&pos))
		end := pos + size
		for range s.number(&pos) { // groups of locals
			s.number(&pos)
			pos++
		}
		f := s.body(pos, end)
		dense += time.Duration(f.live)*perLive + time.Duration(f.nested)*perNested + time.Duration(f.pairs)*perPair +
			time.Duration(f.reloads)*perReload + time.Duration(f.back)*perBack + time.Duration(f.values)*perValue
		pos = end
	}
	return dense
}

// number reads an unsigned number.
func (s *scanner) number(pos *int) uint32 {
	v, n := leb.U32(s.b[*pos:])
	*pos += n
	return v
}

// body counts in one body.
func (s *scanner) body(pos, end int) counts {
	s.f, s.at, s.points, s.loops = counts{}, 0, 0, s.loops[:0]
	s.called = 0
	clear(s.locals)
	clear(s.global)
	s.blocks = append(s.blocks[:0], block{})
	s.reader.Reset(s.b, pos, end, end-pos)
	var in code.Instruction
	for len(s.blocks) > 0 && s.reader.Next(&in) {
		s.step(&in)
	}
	s.f.pairs += s.points * s.points / 2
	return s.f
}

// step counts one instruction.
func (s *scanner) step(in *code.Instruction) {
	switch op := in.Op; {
	case op.Opens():
		s.pass()
		s.f.nested += int64(len(s.blocks))
		if op == code.Loop {
			s.loops = append(s.loops, len(s.blocks))
		}
		s.blocks = append(s.blocks, block{start: s.at, loop: op == code.Loop, values: s.passed(in)})
		for _, l := range in.Labels {
			s.branch(l + 1)
		}
	case op == code.Else:
		s.pass()
	case op == code.End:
		s.close()
	case op == code.Br || op == code.BrIf:
		s.pass()
		s.branch(in.X)
	case op == code.BrTable:
		s.pass()
		s.at += int64(len(in.Labels)) - 1
		for _, l := range in.Labels {
			s.branch(l)
		}
	case op == code.Call || op == code.CallIndirect:
		s.pass()
		s.called = s.at
		s.f.reloads += s.mutable
		s.f.values += s.results(in)
	case op == code.GlobalGet || op == code.GlobalSet:
		s.useGlobal(in.X)
	case op >= code.LocalGet && op <= code.LocalTee:
		s.use(in.X, op == code.LocalGet)
	}
}

// pass counts a point of control flow.
func (s *scanner) pass() {
	s.at++
	s.points++
}

// branch counts a branch to a label.
func (s *scanner) branch(label uint32) {
	if i := len(s.blocks) - 1 - int(label); i >= 0 {
		b := &s.blocks[i]
		s.f.pairs += b.branches
		s.f.values += b.values
		b.branches++
	}
}

// passed returns how many values a branch to the label of a block passes on.
func (s *scanner) passed(in *code.Instruction) int64 {
	if s.m == nil || in.Value < 0 {
		return 0
	}
	t := s.m.Types()[in.Value]
	if in.Op == code.Loop {
		return int64(len(t.Params))
	}
	return int64(len(t.Results))
}

// results returns how many values a call returns.
func (s *scanner) results(in *code.Instruction) int64 {
	if s.m == nil {
		return 0
	}
	t := in.X // of call_indirect
	if in.Op == code.Call {
		t = s.m.FunctionTypes()[in.X]
	}
	return int64(len(s.m.Types()[t].Results))
}

// useGlobal counts for how long a global has kept its value, which it does up to a call.
func (s *scanner) useGlobal(i uint32) {
	for int(i) >= len(s.global) {
		s.global = append(s.global, 0)
	}
	s.f.back += s.at - max(s.global[i], s.called)
	s.global[i] = s.at
}

// close ends the innermost block. What lives through a loop lives to its end.
func (s *scanner) close() {
	s.pass()
	last := len(s.blocks) - 1
	b := &s.blocks[last]
	if b.loop {
		s.loops = s.loops[:len(s.loops)-1]
		for _, i := range b.through {
			l := &s.locals[i]
			s.f.live += s.at - l.seen
			l.seen, l.loop = s.at, 0
		}
	}
	s.blocks = s.blocks[:last]
}

// use counts for how long a local has kept its value, if that is read, and notes that it is here.
func (s *scanner) use(i uint32, read bool) {
	for int(i) >= len(s.locals) {
		s.locals = append(s.locals, local{})
	}
	l := &s.locals[i]
	if read {
		s.f.live += s.at - l.seen
		if outer := s.outermost(l.seen); outer > 0 && (l.loop == 0 || outer < l.loop) {
			s.blocks[outer].through = append(s.blocks[outer].through, i)
			l.loop = outer
			s.listed++
		}
	}
	l.seen = s.at
}

// outermost returns the outermost open loop that began after a point, as an index into blocks, or 0 if there is none.
func (s *scanner) outermost(after int64) int {
	lo, hi := 0, len(s.loops)
	for lo < hi {
		if mid := (lo + hi) / 2; s.blocks[s.loops[mid]].start > after {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	if lo == len(s.loops) {
		return 0
	}
	return s.loops[lo]
}
