package code

import (
	"fmt"

	"github.com/polyvoke/polyvoke/runtimes/module/leb"
)

// failAt records a fault, unless there is one already, and ends the reading.
func (r *Reader) failAt(offset int, msg string) {
	if r.err == nil {
		r.err = &Error{Offset: offset, Msg: msg}
	}
	r.pos = r.end
}

// index reads an unsigned number.
func (r *Reader) index() uint32 {
	if r.pos < r.end && r.b[r.pos] < 0x80 { // nearly always
		r.pos++
		return uint32(r.b[r.pos-1])
	}
	v, n := leb.U32(r.b[r.pos:r.end])
	r.number(n)
	return v
}

// signed reads a signed number of at most the given bits.
func (r *Reader) signed(bits int) int64 {
	v, n := leb.Signed(r.b[r.pos:r.end], bits)
	r.number(n)
	return v
}

// number steps over a number of n bytes.
func (r *Reader) number(n int) {
	switch {
	case n > 0:
		r.pos += n
	case n == 0:
		r.failAt(r.end, "unexpected end in an instruction")
	default:
		r.failAt(r.pos, "a number in an instruction is not a LEB128 number that fits")
	}
}

// skip steps over n bytes.
func (r *Reader) skip(n int) {
	if r.end-r.pos < n {
		r.failAt(r.end, "unexpected end in an instruction")
		return
	}
	r.pos += n
}

// zero reads a byte that must be 0.
func (r *Reader) zero(otherwise string) {
	r.skip(1)
	if r.err == nil && r.b[r.pos-1] != 0 {
		r.failAt(r.pos-1, otherwise)
	}
}

// memory reads the alignment and the offset of a load or store.
func (r *Reader) memory(in *Instruction) {
	in.X = r.index()
	switch {
	case r.err != nil:
	case in.X >= 64 && in.X < 128:
		r.failAt(in.Start, "several memories are not supported")
	case in.X >= 32:
		r.failAt(in.Start, fmt.Sprintf("there is no alignment 2^%d", in.X))
	default:
		in.Y = r.index()
	}
}

// blockType reads the type of a block.
func (r *Reader) blockType() int64 {
	start := r.pos
	t := r.signed(33)
	if r.err == nil && t < 0 && (r.pos > start+1 || t != -64 && !isValueType(byte(t&0x7f))) {
		r.failAt(start, "unknown type of a block")
	}
	return t
}

// isValueType reports whether there is a value type with that encoding.
func isValueType(b byte) bool { return b >= 0x7b && b <= 0x7f || isReferenceType(b) }

// isReferenceType reports whether there is a reference type with that encoding.
func isReferenceType(b byte) bool { return b == 0x70 || b == 0x6f || b == 0x69 }

// nullType reads the type of ref.null.
func (r *Reader) nullType() {
	r.skip(1)
	if r.err == nil && !isReferenceType(r.b[r.pos-1]) {
		r.failAt(r.pos-1, "typed function references are not supported")
	}
}

// selected reads the type of a select that names one.
func (r *Reader) selected() {
	start := r.pos
	if n := r.index(); r.err == nil && n != 1 {
		r.failAt(start, "a select has one type")
	}
	r.skip(1)
	if r.err == nil && !isValueType(r.b[r.pos-1]) {
		r.failAt(r.pos-1, "unknown value type")
	}
}

// entries reads how many labels follow, each of at least a number of bytes.
func (r *Reader) entries(least int) int {
	start := r.pos
	n := int64(r.index())
	switch {
	case r.err != nil:
		return 0
	case n*int64(least) > int64(r.end-r.pos):
		r.failAt(start, fmt.Sprintf("%d labels cannot be in the %d bytes that are left", n, r.end-r.pos))
		return 0
	case n >= int64(r.most):
		r.failAt(start, "the function has more labels in br_table and try_table than allowed")
		return 0
	}
	r.most -= int(n)
	return int(n)
}

// branches reads the labels of br_table.
func (r *Reader) branches(in *Instruction) {
	n := r.entries(1)
	r.labels = r.labels[:0]
	for range n + 1 {
		r.labels = append(r.labels, r.index())
	}
	in.Labels = r.labels
}

// handlers reads the handlers of try_table: catch, catch_ref, catch_all and catch_all_ref.
func (r *Reader) handlers(in *Instruction) {
	n := r.entries(2)
	r.labels, r.tags, r.kinds = r.labels[:0], r.tags[:0], r.kinds[:0]
	for i := 0; i < n && r.err == nil; i++ {
		r.skip(1)
		if r.err != nil {
			return
		}
		kind := HandlerKind(r.b[r.pos-1])
		switch {
		case kind <= CatchRef:
			r.tags = append(r.tags, r.index())
		case kind > CatchAllRef:
			r.failAt(r.pos-1, "unknown kind of a handler")
		}
		r.kinds = append(r.kinds, kind)
		r.labels = append(r.labels, r.index())
	}
	in.Labels, in.Tags, in.Kinds = r.labels, r.tags, r.kinds
}
