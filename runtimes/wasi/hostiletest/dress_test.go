package hostiletest

import (
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/edit"
)

// asCommand makes a command of a module that imports nothing and exports its memory or has none: its entry calls
// every function that is exported, with zeros.
func asCommand(b []byte) ([]byte, bool) {
	m, err := edit.Open(b, module.Limits{})
	if err != nil || len(m.Info.Imports) > 0 || len(m.Info.Memories) == 0 {
		return nil, false
	}
	types, functions := m.Info.Types(), m.Info.FunctionTypes()
	code := string([]byte{0}) // no locals
	memory := false
	for _, e := range m.Info.Exports {
		switch {
		case e.Name == "_start":
			return nil, false
		case e.Name == "memory":
			memory = true
		case e.Kind == module.FunctionKind:
			t := types[functions[e.Index]]
			code += nothing(t.Params) + call(int(e.Index)) + rep(len(t.Results), drop)
		}
	}
	m.AddExport("_start", module.FunctionKind, m.AddFunction(module.FuncType{}, []byte(code+end)))
	if !memory {
		m.AddExport("memory", module.MemoryKind, 0)
	}
	return m.Encode(), true
}

// nothing pushes a zero of each type.
func nothing(types []module.ValueType) (code string) {
	for _, t := range types {
		switch t {
		case module.I32:
			code += i32(0)
		case module.I64:
			code += i64(0)
		case module.F32:
			code += "\x43\x00\x00\x00\x00"
		case module.F64:
			code += "\x44\x00\x00\x00\x00\x00\x00\x00\x00"
		case module.V128:
			code += v128
		default:
			code += "\xd0" + string([]byte{byte(t)})
		}
	}
	return code
}
