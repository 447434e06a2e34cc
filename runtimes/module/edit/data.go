package edit

import "github.com/polyvoke/polyvoke/runtimes/module/leb"

// EmptyData makes every active data segment a passive one with nothing in it, for a memory that holds their bytes
// already. Their indices stay.
func (m *Module) EmptyData() {
	m.emptyData = true
	m.dirty[dataSection] = true
}

// encodeData returns the data section.
func (m *Module) encodeData() []byte {
	r, n := m.content(dataSection)
	out := leb.AppendU32(nil, n)
	for range n {
		out = m.appendData(out, r)
	}
	return out
}

// appendData appends one data segment.
func (m *Module) appendData(out []byte, r *reader) []byte {
	before := len(out)
	flags := r.u32()
	out = leb.AppendU32(out, flags)
	if flags == 2 {
		out = leb.AppendU32(out, r.u32()) // the memory
	}
	if flags != 1 {
		out = m.appendConstant(out, r)
	}
	size := r.u32()
	start := r.pos
	r.pos += int(size)
	if flags != 1 && m.emptyData {
		return append(out[:before], 1, 0)
	}
	return append(leb.AppendU32(out, size), r.b[start:r.pos]...)
}

// DataSizes returns how many bytes each data segment has.
func (m *Module) DataSizes() []uint32 {
	r, n := m.content(dataSection)
	sizes := make([]uint32, 0, n)
	for range n {
		flags := r.u32()
		if flags == 2 {
			r.u32()
		}
		if flags != 1 {
			m.readConstant(r)
		}
		size := r.u32()
		r.pos += int(size)
		sizes = append(sizes, size)
	}
	return sizes
}
