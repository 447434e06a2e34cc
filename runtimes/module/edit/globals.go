package edit

import (
	"encoding/binary"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
	"github.com/polyvoke/polyvoke/runtimes/module/leb"
)

// AddGlobal adds a mutable global and returns its index. It is of type i32 or i64, and begins with a value, or of
// type f32 or f64, and begins with the bits of one.
func (m *Module) AddGlobal(t module.ValueType, value int64) uint32 {
	g := code.Assembly{byte(t), 1}
	switch t {
	case module.I32:
		g.I32(value)
	case module.F32:
		g = binary.LittleEndian.AppendUint32(append(g, byte(code.F32Const)), uint32(value))
	case module.F64:
		g = binary.LittleEndian.AppendUint64(append(g, byte(code.F64Const)), uint64(value))
	default:
		g.I64(value)
	}
	return m.addGlobal(g)
}

// AddReference adds a global that refers to a function. So code may do so too, even if the function is in no table.
func (m *Module) AddReference(function uint32) uint32 {
	g := code.Assembly{byte(module.FuncRef), 0}
	return m.addGlobal(*g.Op(code.RefFunc, function))
}

// addGlobal adds a global but for the end of its initial value, and returns its index.
func (m *Module) addGlobal(g []byte) uint32 {
	m.globals = append(m.globals, append(g, byte(code.End)))
	m.dirty[globalSection] = true
	return uint32(m.Info.ImportedGlobals() + m.Info.Globals + len(m.globals) - 1)
}

// encodeGlobals returns the global section.
func (m *Module) encodeGlobals() []byte {
	r, n := m.content(globalSection)
	out := leb.AppendU32(nil, n+uint32(len(m.globals)))
	for range n {
		out = append(out, r.byte(), r.byte())
		out = m.appendConstant(out, r)
	}
	for _, g := range m.globals {
		out = append(out, g...)
	}
	return out
}

// globalReferences appends the functions that initial values of globals refer to.
func (m *Module) globalReferences(list []uint32) []uint32 {
	r, n := m.content(globalSection)
	for range n {
		r.pos += 2
		list = append(list, m.readConstant(r)...)
	}
	return list
}

// appendConstant appends the constant expression that comes next.
func (m *Module) appendConstant(out []byte, r *reader) []byte {
	var in code.Instruction
	for m.reader.Reset(r.b, r.pos, len(r.b), 0); in.Op != code.End && m.reader.Next(&in); {
		out = m.appendMoved(out, &in)
	}
	r.pos = in.End
	return out
}

// readConstant steps over the constant expression that comes next and returns the functions that it refers to.
func (m *Module) readConstant(r *reader) (functions []uint32) {
	var in code.Instruction
	for m.reader.Reset(r.b, r.pos, len(r.b), 0); in.Op != code.End && m.reader.Next(&in); {
		if in.Op == code.RefFunc {
			functions = append(functions, in.X)
		}
	}
	r.pos = in.End
	return functions
}

// appendMoved appends an instruction of the binary with the index that its function has now.
func (m *Module) appendMoved(out []byte, in *code.Instruction) []byte {
	if in.Op.NamesFunction() && len(m.imports) > 0 {
		return leb.AppendU32(append(out, byte(in.Op)), m.Function(in.X))
	}
	return append(out, m.b[in.Start:in.End]...)
}
