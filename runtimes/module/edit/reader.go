package edit

import "github.com/polyvoke/polyvoke/runtimes/module/leb"

// reader reads a binary that has been checked, so nothing it reads can be wrong.
type reader struct {
	b   []byte
	pos int
}

// byte reads one byte.
func (r *reader) byte() byte {
	r.pos++
	return r.b[r.pos-1]
}

// u32 reads an unsigned number.
func (r *reader) u32() uint32 {
	v, n := leb.U32(r.b[r.pos:])
	r.pos += n
	return v
}

// name steps over a string.
func (r *reader) name() { r.text() }

// text reads a string.
func (r *reader) text() []byte {
	n := int(r.u32())
	r.pos += n
	return r.b[r.pos-n : r.pos]
}

// limits reads the smallest and the largest size of a memory or a table.
func (r *reader) limits() (least, most uint32, hasMost bool) {
	hasMost = r.byte()&1 != 0 // 3 is that of a shared memory
	least = r.u32()
	if hasMost {
		most = r.u32()
	}
	return least, most, hasMost
}

// appendLimits appends limits with a largest size.
func appendLimits(out []byte, least, most uint32) []byte {
	return leb.AppendU32(leb.AppendU32(append(out, 1), least), most)
}
