package edit

import "github.com/polyvoke/polyvoke/runtimes/module/leb"

// encodeElements returns the element section.
func (m *Module) encodeElements() []byte {
	r, n := m.content(elementSection)
	out := leb.AppendU32(nil, n)
	for range n {
		out = m.appendElement(out, r)
	}
	return out
}

// appendElement appends one element segment. The three bits of its flags say that it is not active
// (1), that a table or a kind is given (2), and that its entries are expressions (4).
func (m *Module) appendElement(out []byte, r *reader) []byte {
	start := r.pos
	flags := r.u32()
	if flags&3 == 2 {
		r.u32() // the table
	}
	out = append(out, r.b[start:r.pos]...)
	if flags&1 == 0 {
		out = m.appendConstant(out, r)
	}
	if flags&3 != 0 {
		out = append(out, r.byte()) // the kind or the type
	}
	n := r.u32()
	out = leb.AppendU32(out, n)
	for range n {
		if flags&4 != 0 {
			out = m.appendConstant(out, r)
		} else {
			out = leb.AppendU32(out, m.Function(r.u32()))
		}
	}
	return out
}

// ElementSizes returns how many references each element segment has.
func (m *Module) ElementSizes() []uint32 {
	r, n := m.content(elementSection)
	sizes := make([]uint32, 0, n)
	for range n {
		size, _ := m.readElement(r, nil)
		sizes = append(sizes, size)
	}
	return sizes
}

// References returns the functions, by their indices in the binary, that element segments and
// globals refer to.
func (m *Module) References() []uint32 {
	list := m.globalReferences(nil)
	r, n := m.content(elementSection)
	for range n {
		_, list = m.readElement(r, list)
	}
	return list
}

// readElement reads one element segment, and appends the functions in it to a list.
func (m *Module) readElement(r *reader, list []uint32) (size uint32, functions []uint32) {
	flags := r.u32()
	if flags&3 == 2 {
		r.u32()
	}
	if flags&1 == 0 {
		m.readConstant(r)
	}
	if flags&3 != 0 {
		r.byte()
	}
	size = r.u32()
	for range size {
		if flags&4 != 0 {
			list = append(list, m.readConstant(r)...)
		} else {
			list = append(list, r.u32())
		}
	}
	return size, list
}
