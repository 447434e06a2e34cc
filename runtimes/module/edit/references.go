package edit

import (
	"fmt"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
)

// mostShared is how many functions code may refer to: each instance has a global for each of them, some 300 bytes.
const mostShared = 10_000

// ShareReferences makes code take references to functions from globals. There is one for each function, made with the
// instance. Otherwise the engine makes a new reference each time that code executes ref.func, asks the host for it, and
// keeps it as long as the instance. References that are not valid, since nothing but code refers to the function, stay
// as they are.
//
// # Errors
//
// A *module.Error says that code refers to more than 10,000 functions.
func (m *Module) ShareReferences() error {
	if !m.Info.Analysis.References {
		return nil
	}
	m.shared = map[uint32]uint32{}
	m.dirty[codeSection] = true
	declared := m.declared()
	var in code.Instruction
	for _, b := range m.bodies {
		for m.Instructions(&m.reader, b); m.reader.Next(&in); {
			if in.Op != code.RefFunc || !declared[in.X] {
				continue
			}
			if _, ok := m.shared[in.X]; !ok {
				m.shared[in.X] = m.AddReference(m.Function(in.X))
			}
			if len(m.shared) > mostShared {
				return &module.Error{Section: "code", Offset: in.Start,
					Msg: fmt.Sprintf("code refers to more than the %d functions allowed", mostShared)}
			}
		}
	}
	return nil
}

// declared returns the functions that something besides code and the start section refers to: code may do so too.
func (m *Module) declared() map[uint32]bool {
	set := map[uint32]bool{}
	for _, f := range m.References() {
		set[f] = true
	}
	for _, e := range m.Info.Exports {
		if e.Kind == module.FunctionKind {
			set[e.Index] = true
		}
	}
	return set
}

// AppendInstruction appends an instruction of the code of the binary as it is now.
func (m *Module) AppendInstruction(out []byte, in *code.Instruction) []byte {
	if g, ok := m.shared[in.X]; ok && in.Op == code.RefFunc {
		a := code.Assembly(out)
		return *a.Op(code.GlobalGet, g)
	}
	return m.appendMoved(out, in)
}
