package edit

import (
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/leb"
)

// AddExport exports something under a name that is not taken yet. A function's index is the one it has now.
func (m *Module) AddExport(name string, k module.Kind, index uint32) {
	e := append(appendName(nil, name), byte(k))
	m.exports = append(m.exports, leb.AppendU32(e, index))
	m.dirty[exportSection] = true
}

// SetExport makes an export of a function, counted from 0, that of another. The function's index is the one it has now.
func (m *Module) SetExport(i int, function uint32) {
	if m.moved == nil {
		m.moved = map[int]uint32{}
	}
	m.moved[i] = function
	m.dirty[exportSection] = true
}

// encodeExports returns the export section.
func (m *Module) encodeExports() []byte {
	r, n := m.content(exportSection)
	out := leb.AppendU32(nil, n+uint32(len(m.exports)))
	for i := range n {
		start := r.pos
		r.name()
		k := module.Kind(r.byte())
		out = append(out, r.b[start:r.pos]...)
		index := r.u32()
		if to, ok := m.moved[int(i)]; ok {
			index = to
		} else if k == module.FunctionKind {
			index = m.Function(index)
		}
		out = leb.AppendU32(out, index)
	}
	for _, e := range m.exports {
		out = append(out, e...)
	}
	return out
}
