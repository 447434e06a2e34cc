package unwind

import (
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
)

// guard puts a function before each that is called from outside and that an exception may leave: it traps then.
func (w *lowering) guard() error {
	guards := map[uint32]uint32{}
	for i, e := range w.m.Info.Exports {
		if e.Kind != module.FunctionKind || !w.throws(e.Index) {
			continue
		}
		if err := w.guardOnce(guards, e.Index); err != nil {
			return err
		}
		w.m.SetExport(i, guards[e.Index])
	}
	if w.m.Info.Start && w.throws(w.m.Start()) {
		start := w.m.Start()
		if err := w.guardOnce(guards, start); err != nil {
			return err
		}
		w.m.SetStart(guards[start])
	}
	return nil
}

// guardOnce puts a function before another, unless there is one.
func (w *lowering) guardOnce(guards map[uint32]uint32, f uint32) error {
	if _, ok := guards[f]; ok {
		return nil
	}
	g, err := w.addGuard(f)
	if err != nil {
		return err
	}
	guards[f] = g
	if w.named[f] { // code may name what is exported, or in a global
		w.m.AddReference(f)
	}
	return nil
}

// throws reports whether an exception may leave a function.
func (w *lowering) throws(f uint32) bool { return f >= w.imported && w.leaves[f-w.imported] }

// addGuard adds a function that calls another, and traps if an exception leaves it. The exception is forgotten then.
func (w *lowering) addGuard(f uint32) (uint32, error) {
	t := w.shapes[w.types[f-w.imported]]
	var a code.Assembly
	a.Locals()
	for i := range t.Params {
		a.Get(uint32(i))
	}
	a.Op(code.Call, f).Op(code.GlobalGet, w.pending).Begin(code.If)
	a.Op(code.GlobalGet, w.pending).Op(code.GlobalSet, w.report.Uncaught)
	w.clear(&a)
	a.Op(code.Unreachable).Op(code.End).Op(code.End)
	return w.m.AddFunction(t, a), w.spend(len(a))
}
