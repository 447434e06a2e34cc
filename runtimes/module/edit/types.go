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

// encodeTypes returns the type section.
func (m *Module) encodeTypes() []byte {
	r, n := m.content(typeSection)
	out := appendRest(nil, n+uint32(len(m.types)), r)
	for _, t := range m.types {
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
