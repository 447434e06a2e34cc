package code

import "fmt"

// Reader reads instructions from front to back. It does not know blocks: whoever reads a function body must count them.
type Reader struct {
	b      []byte
	pos    int
	end    int
	most   int // labels that may still come
	labels []uint32
	tags   []uint32
	kinds  []HandlerKind
	err    *Error
}

// NewReader returns a reader of b from one offset to another, which accepts at most the given
// number of labels in all instructions together that have many.
func NewReader(b []byte, from, to, labels int) *Reader {
	return &Reader{b: b, pos: from, end: to, most: labels}
}

// Reset makes the reader begin anew, as NewReader does, and keeps what it has allocated.
func (r *Reader) Reset(b []byte, from, to, labels int) {
	*r = Reader{b: b, pos: from, end: to, most: labels, labels: r.labels[:0], tags: r.tags[:0], kinds: r.kinds[:0]}
}

// Pos is the offset of the next instruction.
func (r *Reader) Pos() int { return r.pos }

// Err returns the fault that ended the reading, or nil.
func (r *Reader) Err() *Error { return r.err }

// Next reads one instruction and reports whether there was one.
func (r *Reader) Next(in *Instruction) bool {
	if r.pos >= r.end || r.err != nil {
		return false
	}
	op := r.b[r.pos]
	*in = Instruction{Op: Op(op), Start: r.pos}
	r.pos++
	switch {
	case op >= 0x45 && op <= 0xc4: // numeric
	case op >= 0x20 && op <= 0x26: // variables and tables
		in.X = r.index()
	case op >= 0x28 && op <= 0x3e: // loads and stores
		r.memory(in)
	case op == 0xfc:
		r.bulk(in)
	case op == 0xfd:
		r.vector(in)
	case op == 0xfe:
		r.atomic(in)
	default:
		r.other(in)
	}
	in.End = r.pos
	return r.err == nil
}

// other reads the immediates of the control, constant, parametric and reference instructions.
func (r *Reader) other(in *Instruction) {
	switch in.Op {
	case Unreachable, Nop, Else, End, Return, ThrowRef, Drop, Select, RefIsNull:
	case Block, Loop, If:
		in.Value = r.blockType()
	case TryTable:
		in.Value = r.blockType()
		r.handlers(in)
	case Br, BrIf, Call, ReturnCall, Throw, RefFunc:
		in.X = r.index()
	case BrTable:
		r.branches(in)
	case CallIndirect, ReturnCallIndirect:
		in.X, in.Y = r.index(), r.index()
	case SelectType:
		r.selected()
	case MemorySize, MemoryGrow:
		r.zero("several memories are not supported")
	case I32Const:
		in.Value = r.signed(32)
	case I64Const:
		in.Value = r.signed(64)
	case F32Const:
		r.skip(4)
	case F64Const:
		r.skip(8)
	case RefNull:
		r.nullType()
	default:
		r.failAt(in.Start, unsupported(byte(in.Op)))
	}
}

// bulk reads what follows the prefix 0xfc: saturating conversions, and bulk memory and table operations.
func (r *Reader) bulk(in *Instruction) {
	sub := r.index()
	in.Op = 0xfc00 | Op(sub&0xff)
	switch {
	case r.err != nil || sub <= 7:
	case sub > 17:
		r.failAt(in.Start, fmt.Sprintf("there is no instruction 0xfc %d", sub))
	case in.Op == MemoryInit:
		in.X = r.index()
		r.zero("several memories are not supported")
	case in.Op == MemoryCopy:
		r.zero("several memories are not supported")
		r.zero("several memories are not supported")
	case in.Op == MemoryFill:
		r.zero("several memories are not supported")
	case in.Op == TableInit || in.Op == TableCopy:
		in.X, in.Y = r.index(), r.index()
	default: // data.drop, elem.drop, table.grow, table.size, table.fill
		in.X = r.index()
	}
}

// vector reads what follows the prefix 0xfd.
func (r *Reader) vector(in *Instruction) {
	sub := r.index()
	in.Op = 0xfd00 | Op(sub&0xff)
	switch {
	case r.err != nil:
	case sub > 0xff && sub < 0x120:
		r.failAt(in.Start, "relaxed vector instructions (relaxed SIMD) are not supported; build without -mrelaxed-simd")
	case sub > 0xff || noVector(byte(sub)):
		r.failAt(in.Start, fmt.Sprintf("there is no instruction 0xfd %d", sub))
	case sub <= 11 || sub == 92 || sub == 93: // loads and a store
		r.memory(in)
	case in.Op == VecConst || in.Op == VecShuffle:
		r.skip(16)
	case sub >= 21 && sub <= 34: // lanes
		r.skip(1)
	case sub >= 84 && sub <= 91: // loads and stores of lanes
		r.memory(in)
		r.skip(1)
	}
}

// atomic reads what follows the prefix 0xfe. An atomic instruction has no choice of its alignment.
func (r *Reader) atomic(in *Instruction) {
	sub := r.index()
	in.Op = 0xfe00 | Op(sub&0xff)
	switch {
	case r.err != nil:
	case sub > 0xff || in.Op > AtomicFence && in.Op < AtomicLoad || !in.Op.IsAtomic():
		r.failAt(in.Start, fmt.Sprintf("there is no instruction 0xfe %d", sub))
	case in.Op == AtomicFence:
		r.zero("atomic.fence has a byte that must be 0")
	default:
		r.memory(in)
		if want := in.Op.AtomicWidth(); r.err == nil && in.X != want {
			r.failAt(in.Start, fmt.Sprintf("an atomic instruction of %d bytes has the alignment 2^%d", 1<<want, in.X))
		}
	}
}

// noVector reports whether no vector instruction has this number.
func noVector(sub byte) bool {
	switch sub {
	case 0x9a, 0xa2, 0xa5, 0xa6, 0xaf, 0xb0, 0xb2, 0xb3, 0xb4, 0xbb,
		0xc2, 0xc5, 0xc6, 0xcf, 0xd0, 0xd2, 0xd3, 0xd4, 0xe2, 0xee:
		return true
	}
	return false
}
