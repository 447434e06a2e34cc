package edit

import (
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/leb"
)

// function is a function that was added.
type function struct {
	typ  uint32
	body []byte
}

// AddFunction adds a function and returns its index. The body has the locals and the instructions
// with their end, and indices as they are now.
func (m *Module) AddFunction(t module.FuncType, body []byte) uint32 {
	m.functions = append(m.functions, function{m.Type(t), body})
	m.dirty[functionSection], m.dirty[codeSection] = true, true
	return m.Function(uint32(len(m.Info.FunctionTypes()))) + uint32(len(m.functions)) - 1
}

// Start returns the index of the start function, which the module must have, in the binary.
func (m *Module) Start() uint32 {
	_, f := m.content(startSection)
	return f
}

// SetStart makes another function the start function. Its index is the one it has now.
func (m *Module) SetStart(function uint32) {
	m.start = &function
	m.dirty[startSection] = true
}

// DropStart leaves out the start section: the start function is one like any other then.
func (m *Module) DropStart() { m.dropStart = true }

// encodeFunctions returns the function section.
func (m *Module) encodeFunctions() []byte {
	r, n := m.content(functionSection)
	out := appendRest(nil, n+uint32(len(m.functions)), r)
	for _, f := range m.functions {
		out = leb.AppendU32(out, f.typ)
	}
	return out
}
