package edit

import (
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/leb"
)

// Type returns the index of a type, which is added if the module does not have it.
func (m *Module) Type(t module.FuncType) uint32 {
	k := t.String()
	if i, ok := m.known[k]; ok {
		return i
	}
	i := uint32(len(m.Info.Types()) + len(m.types))
	m.known[k] = i
	m.types = append(m.types, t)
	m.dirty[typeSection] = true
	return i
}

// SetType replaces a type of the binary, counted from 0. Whatever has the type has another one then.
func (m *Module) SetType(i int, t module.FuncType) {
	if m.retyped == nil {
		m.retyped = map[int]module.FuncType{}
	}
	if old := m.Info.Types()[i].String(); m.known[old] == uint32(i) {
		delete(m.known, old)
	}
	m.retyped[i] = t
	m.dirty[typeSection] = true
}

// encodeTypes returns the type section.
func (m *Module) encodeTypes() []byte {
	r, n := m.content(typeSection)
	if m.retyped == nil {
		return appendTypes(appendRest(nil, n+uint32(len(m.types)), r), m.types)
	}
	out := leb.AppendU32(nil, n+uint32(len(m.types)))
	for i, t := range m.Info.Types() {
		if now, ok := m.retyped[i]; ok {
			t = now
		}
		out = appendTypes(out, []module.FuncType{t})
	}
	return appendTypes(out, m.types)
}

// appendTypes appends types.
func appendTypes(out []byte, list []module.FuncType) []byte {
	for _, t := range list {
		out = appendValues(append(out, 0x60), t.Params)
		out = appendValues(out, t.Results)
	}
	return out
}

// appendValues appends the types of parameters or results.
func appendValues(out []byte, list []module.ValueType) []byte {
	out = leb.AppendU32(out, uint32(len(list)))
	for _, t := range list {
		out = append(out, byte(t))
	}
	return out
}
