package rewrite

import (
	"fmt"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
	"github.com/polyvoke/polyvoke/runtimes/module/edit"
)

// markBits is how many functions share a mark.
const markBits = 64

// mark has each function say that it was called, which costs no fuel. It returns the names of the marks.
func mark(m *edit.Module) (names []string) {
	var g uint32
	for i := range m.Bodies() {
		bit := i % markBits
		if bit == 0 {
			name := fmt.Sprintf("%s%d", MarkPrefix, len(names))
			g = m.AddGlobal(module.I64, 0)
			m.AddExport(name, module.GlobalKind, g)
			names = append(names, name)
		}
		var a code.Assembly
		m.Insert(i, *a.Op(code.GlobalGet, g).I64(int64(uint64(1)<<bit)).Op(code.I64Or).Op(code.GlobalSet, g))
	}
	return names
}

// omit leaves functions out. Those that are gone do not matter: a process that calls one is as good as gone itself.
func omit(m *edit.Module, without []bool) {
	var a code.Assembly
	trap := *a.Locals().Op(code.Unreachable).Op(code.End)
	for i := range m.Bodies() {
		if i < len(without) && without[i] {
			m.SetBody(i, trap)
		}
	}
}
