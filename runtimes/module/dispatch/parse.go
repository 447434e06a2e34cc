package dispatch

import "github.com/polyvoke/polyvoke/runtimes/module/code"

// parser takes a function with a dispatch loop apart. Its form is
//
//	(what sets locals) [block] loop block... local.get 0 br_table ... end
//	segment end segment end ... end (of the loop)
//	after [end] tail
type parser struct {
	b []byte

	start    int    // where the prologue begins
	loop     int    // where the dispatch begins: at the block around the loop, or at the loop
	set      uint64 // locals that are set before
	wrapped  bool   // there is a block around the loop
	blocks   int    // how many blocks are in the loop
	table    []int  // segments by number, the last for all others
	segments []segment
	after    int // where the code after the loop begins

	in     code.Instruction
	inside []scope // blocks that are open within the segment
	defs   uint64  // locals that have been set in the segment, on each way to here
	before code.Instruction
	two    code.Instruction // the one before that
	keeps  int              // how many instructions use local 0 otherwise than for the number
}

// segment is the code between two ends of blocks of the dispatch.
type segment struct {
	from, to int
	jumps    []jump
	keeps    []keep
	falls    bool   // its end may be reached
	uses     uint64 // locals that it reads before they are set
	sets     uint64 // locals that are set when its end is reached
	calls    bool   // it calls something
	call     bool   // it begins with a call
	follows  bool   // what comes before may end with a call
}

// jump is a branch out of a segment.
type jump struct {
	start, end int // the bytes that it is
	depth      int // of blocks of the segment around it
	op         code.Op
	to         int    // a segment, or outside
	beyond     int    // if to is outside: how many labels beyond the loop
	sets       uint64 // locals that are set by then
}

// keep is an instruction that keeps what a call through a table calls in the local that otherwise has the number, or
// reads it: (local.set 0, i32.const 0, local.get 0, call_indirect), since the number is a parameter.
type keep struct {
	start, end int // the bytes that it is
	op         code.Op
}

// outside is where a jump leads that leaves the loop.
const outside = -1

// all is the set of all locals: what is set where nobody comes.
const all = ^uint64(0)

// scope is a block within a segment.
type scope struct {
	op     code.Op
	before uint64 // locals that were set before it
	ways   uint64 // that are set on all ways to its end so far
}

// next reads an instruction.
func (p *parser) next(r *code.Reader) bool {
	p.two, p.before = p.before, p.in
	return r.Next(&p.in)
}

// parse reports whether the function has the form.
func (p *parser) parse(r *code.Reader) bool {
	p.start = r.Pos()
	if !p.head(r) || !p.choice(r) {
		return false
	}
	for i := range p.segments {
		p.segments[i].from = r.Pos()
		if !p.segment(r, i) {
			return false
		}
		p.segments[i].to = p.in.Start
		if i+1 < len(p.segments) {
			s := &p.segments[i]
			p.segments[i+1].follows = s.falls && s.calls
		}
	}
	p.after = r.Pos()
	return p.quiet(r)
}

// head reads up to the first of the blocks in the loop.
func (p *parser) head(r *code.Reader) bool {
	for p.next(r) {
		switch p.in.Op {
		case code.LocalSet, code.LocalTee:
			p.set |= 1 << p.in.X
		case code.Block:
			if p.wrapped || p.in.Value != -64 {
				return false
			}
			p.wrapped, p.loop = true, p.in.Start
		case code.Loop:
			if !p.wrapped {
				p.loop = p.in.Start
			}
			return p.in.Value == -64
		case code.GlobalGet, code.I32Const, code.I64Const, code.LocalGet:
			if p.wrapped || p.in.Op == code.LocalGet && p.in.X == 0 {
				return false
			}
		default:
			return false
		}
	}
	return false
}

// choice reads the blocks and the br_table.
func (p *parser) choice(r *code.Reader) bool {
	for p.next(r) && p.in.Op == code.Block && p.in.Value == -64 {
		p.blocks++
	}
	if p.blocks == 0 || p.blocks > mostSegments || p.in.Op != code.LocalGet || p.in.X != 0 ||
		!p.next(r) || p.in.Op != code.BrTable {
		return false
	}
	for _, l := range p.in.Labels {
		if int(l) >= p.blocks {
			return false
		}
		p.table = append(p.table, int(l))
	}
	p.segments = make([]segment, p.blocks)
	return p.next(r) && p.in.Op == code.End
}

// segment reads one segment and its end.
func (p *parser) segment(r *code.Reader, i int) bool {
	s := &p.segments[i]
	s.falls, p.defs, p.inside = true, 0, p.inside[:0]
	first := true
	for p.next(r) {
		if p.in.Op == code.End && len(p.inside) == 0 {
			s.sets = p.defs
			return p.set0()
		}
		if !p.step(s, i) {
			return false
		}
		if p.in.Op.IsCall() {
			s.calls = true
			s.call = s.call || first
		}
		first = first && (p.in.Op == code.I32Const || p.in.Op == code.LocalGet)
	}
	return false
}

// step takes note of what an instruction of a segment does.
func (p *parser) step(s *segment, i int) bool {
	switch op := p.in.Op; op {
	case code.LocalGet:
		if p.in.X == 0 {
			return p.keep(s)
		}
		s.uses |= 1 << p.in.X &^ p.defs
	case code.LocalSet, code.LocalTee:
		if p.in.X == 0 { // only before a jump, or a call through a table
			return op == code.LocalSet && p.set0()
		}
		p.defs |= 1 << p.in.X
	case code.Block, code.Loop, code.If:
		p.inside = append(p.inside, scope{op: op, before: p.defs, ways: all})
	case code.Else:
		in := &p.inside[len(p.inside)-1]
		in.op, in.ways, p.defs = op, in.ways&p.defs, in.before
	case code.End:
		p.leave()
	case code.Br, code.BrIf:
		return p.branch(s, i)
	case code.BrTable:
		for _, l := range p.in.Labels {
			if int(l) >= len(p.inside) {
				return false
			}
			p.inside[len(p.inside)-1-int(l)].ways &= p.defs
		}
		p.stop(s)
	case code.Return, code.Unreachable:
		p.stop(s)
	case code.TryTable, code.Throw, code.ThrowRef, code.ReturnCall, code.ReturnCallIndirect:
		return false
	}
	return p.set0()
}

// set0 reports whether what has just been set in local 0 is used by the instructions after it: by a jump, or, behind a
// constant, by a call through a table.
func (p *parser) set0() bool {
	switch {
	case isZeroth(&p.before, code.LocalSet):
		return p.in.Op == code.Br || p.in.Op == code.I32Const
	case isZeroth(&p.two, code.LocalSet) && p.before.Op == code.I32Const:
		return isZeroth(&p.in, code.LocalGet)
	case isZeroth(&p.before, code.LocalGet):
		return p.in.Op == code.CallIndirect
	}
	return true
}

// isZeroth reports whether an instruction is of an opcode and local 0.
func isZeroth(in *code.Instruction, op code.Op) bool { return in.Op == op && in.X == 0 }

// keep takes note of the two instructions that keep what a call through a table calls, at the second.
func (p *parser) keep(s *segment) bool {
	if p.before.Op != code.I32Const || !isZeroth(&p.two, code.LocalSet) {
		return false
	}
	s.keeps = append(s.keeps, keep{p.two.Start, p.two.End, code.LocalSet}, keep{p.in.Start, p.in.End, code.LocalGet})
	p.keeps += 2
	return true
}

// leave ends a block within a segment.
func (p *parser) leave() {
	in := p.inside[len(p.inside)-1]
	p.inside = p.inside[:len(p.inside)-1]
	switch in.op {
	case code.If: // it may be skipped
		p.defs &= in.ways & in.before
	case code.Loop: // branches to it do not lead here
	default:
		p.defs &= in.ways
	}
}

// stop takes note that nobody comes to what follows in the same block.
func (p *parser) stop(s *segment) {
	p.defs = all
	if len(p.inside) == 0 {
		s.falls = false
	}
}

// branch takes note of a branch.
func (p *parser) branch(s *segment, i int) bool {
	if !p.set0() {
		return false
	}
	depth, label := len(p.inside), int(p.in.X)
	if label < depth {
		if p.before.Op == code.LocalSet && p.before.X == 0 {
			return false
		}
		p.inside[depth-1-label].ways &= p.defs
		if p.in.Op == code.Br {
			p.stop(s)
		}
		return true
	}
	j := jump{start: p.in.Start, end: p.in.End, depth: depth, op: p.in.Op, sets: p.defs}
	numbered := p.before.Op == code.LocalSet && p.before.X == 0
	switch out := label - depth - (p.blocks - 1 - i); {
	case out < 0: // to the end of a block of the dispatch
		if numbered {
			return false
		}
		j.to = i + 1 + label - depth
	case out == 0: // to the head of the loop
		if !numbered || p.in.Op != code.Br || p.two.Op != code.I32Const {
			return false
		}
		n := uint32(p.two.Value)
		j.to, j.start = p.table[min(int(n), len(p.table)-1)], p.two.Start
	default:
		if numbered {
			return false
		}
		j.to, j.beyond = outside, out
	}
	s.jumps = append(s.jumps, j)
	if p.in.Op == code.Br {
		p.stop(s)
	}
	return true
}

// quiet reports whether the rest has no use for the number.
func (p *parser) quiet(r *code.Reader) bool {
	for p.next(r) {
		switch p.in.Op {
		case code.LocalGet, code.LocalSet, code.LocalTee:
			if p.in.X == 0 {
				return false
			}
		}
	}
	return r.Err() == nil
}
