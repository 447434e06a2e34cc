package address

import (
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
)

// findNever finds which functions never return zero. Go's functions return zero to go on, and one to unwind the stack;
// what only panics never returns zero.
func (w *work) findNever() {
	imported := w.m.Info.ImportedFunctions()
	types := w.m.Info.FunctionTypes()
	w.never = make([]bool, len(types))
	for f, b := range w.m.Bodies() {
		results := w.m.Info.Types()[types[imported+f]].Results
		if len(results) == 1 && results[0] == module.I32 {
			w.m.Instructions(&w.reader, b)
			w.never[imported+f] = neverZero(&w.reader)
		}
	}
}

// neverZero reports whether each way out of a function is a return of a constant that is not zero.
func neverZero(r *code.Reader) bool {
	var in, before code.Instruction
	depth := uint32(0)
	for r.Next(&in) {
		out := false
		switch {
		case in.Op == code.Br || in.Op == code.BrIf:
			out = in.X >= depth
		case in.Op == code.BrTable || in.Op == code.TryTable:
			for _, l := range in.Labels {
				out = out || l >= depth
			}
		case in.Op.IsTailCall():
			out = true
		case in.Op == code.Return || in.Op == code.End && depth == 0:
			out = !before.Op.Leaves() && (before.Op != code.I32Const || before.Value == 0)
		}
		if out {
			return false
		}
		switch {
		case in.Op.Opens():
			depth++
		case in.Op == code.End:
			depth--
		}
		before = in
	}
	return r.Err() == nil
}

// end ends the way behind a branch that is always taken, since what it looks at is what a call returned that never
// returns zero. Go puts such a call into the way of each pointer that may be nil.
func (w *work) end(i int) {
	s := w.steps
	if s[i].op != code.BrIf || i == 0 {
		return
	}
	at := i - 1
	if i >= 3 && s[at].op == code.LocalSet && s[at-1].op == code.GlobalGet {
		at -= 2
	}
	if s[at].op == code.Call && w.never[s[at].x] {
		s[i].never, w.changed = true, true
		w.report.Ends++
	}
}
