package edit

import (
	"github.com/polyvoke/polyvoke/runtimes/module/code"
	"github.com/polyvoke/polyvoke/runtimes/module/leb"
)

// Segment is an active data segment.
type Segment struct {
	Offset uint32 // in memory
	Bytes  []byte // of the binary; not to be changed
}

// Data returns the active data segments in their order. It returns false if an offset depends on a global,
// or is no number at all.
func (m *Module) Data() (list []Segment, ok bool) {
	r, n := m.content(dataSection)
	for range n {
		flags := r.u32()
		if flags == 2 {
			r.u32() // the memory
		}
		s, ok := Segment{}, true
		if flags != 1 {
			s.Offset, ok = m.number(r)
		}
		size := int(r.u32())
		s.Bytes = r.b[r.pos : r.pos+size]
		r.pos += size
		if !ok {
			return nil, false
		}
		if flags != 1 {
			list = append(list, s)
		}
	}
	return list, true
}

// number evaluates the constant expression of type i32 that comes next.
func (m *Module) number(r *reader) (uint32, bool) {
	var in code.Instruction
	var stack []uint32
	ok := true
	for m.reader.Reset(r.b, r.pos, len(r.b), 0); m.reader.Next(&in) && in.Op != code.End; {
		if in.Op == code.I32Const {
			stack = append(stack, uint32(in.Value))
			continue
		}
		stack, ok = calculate(stack, in.Op, ok)
	}
	r.pos = in.End
	if !ok || len(stack) != 1 {
		return 0, false
	}
	return stack[0], true
}

// calculate does a sum of extended constant expressions. It returns false if ok is, or if there is no such sum.
func calculate(stack []uint32, op code.Op, ok bool) ([]uint32, bool) {
	n := len(stack)
	if !ok || n < 2 {
		return nil, false
	}
	a, b := stack[n-2], stack[n-1]
	switch op {
	case code.I32Add:
		a += b
	case code.I32Sub:
		a -= b
	case code.I32Mul:
		a *= b
	default:
		return nil, false
	}
	return append(stack[:n-2], a), true
}

// EmptyData makes every active data segment a passive one with nothing in it, for a memory that holds their bytes
// already. Their indices stay. If no instruction can tell, there are no data segments any more: an engine may keep a
// record of each of them for each instance, and a module in Go has 20,000.
func (m *Module) EmptyData() {
	m.emptyData = true
	m.dirty[dataSection], m.dirty[dataCountSection] = true, true
}

// noData reports whether there are no data segments any more.
func (m *Module) noData() bool { return m.emptyData && !m.Info.Analysis.Segments }

// encodeData returns the data section.
func (m *Module) encodeData() []byte {
	if m.noData() {
		return []byte{0}
	}
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
