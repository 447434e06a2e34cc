package unwind

import (
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
)

// addPayloads adds globals for the values that exceptions carry. At most one exception is on its way, so all tags share
// them: as many of each type as the tag needs that has most.
func (w *lowering) addPayloads() error {
	w.values = []module.ValueType{module.I32}
	for _, t := range w.m.Info.TagTypes() {
		if w.payload[t] != nil {
			continue
		}
		params := w.m.Info.Types()[t].Params
		if len(params) > mostPayload {
			return errPayload
		}
		used := map[module.ValueType]int{}
		list := make([]uint32, 0, len(params))
		for _, v := range params {
			if v < module.F64 { // numbers have the highest encodings
				return errPayload
			}
			if used[v] == len(w.slots[v]) {
				g := w.m.AddGlobal(v, 0)
				w.slots[v], w.all, w.values = append(w.slots[v], g), append(w.all, g), append(w.values, v)
			}
			list = append(list, w.slots[v][used[v]])
			used[v]++
		}
		w.payload[t] = list
	}
	return nil
}

// params returns the types of what the exceptions of a tag carry.
func (w *lowering) params(tag uint32) []module.ValueType {
	return w.m.Info.Types()[w.m.Info.TagTypes()[tag]].Params
}

// store appends code that makes an exception of the operands on the stack.
func (w *lowering) store(a *code.Assembly, tag uint32) {
	slots := w.payload[w.m.Info.TagTypes()[tag]]
	for i := range slots {
		a.Op(code.GlobalSet, slots[len(slots)-1-i])
	}
	a.I32(int64(tag)+1).Op(code.GlobalSet, w.pending)
}

// load appends code that takes an exception, and leaves on the stack what a handler passes on.
func (w *lowering) load(a *code.Assembly, c *clause) {
	w.clear(a)
	for _, s := range w.payload[w.m.Info.TagTypes()[c.tag]] {
		a.Op(code.GlobalGet, s)
	}
	if c.ref {
		w.hold(a.I32(int64(c.tag) + 1))
	}
}

// hold appends code that makes a reference to an exception of the number of its tag, which is on the stack.
func (w *lowering) hold(a *code.Assembly) {
	for _, s := range w.all {
		a.Op(code.GlobalGet, s)
	}
}

// throwAgain appends code that makes an exception of a reference on the stack.
func (w *lowering) throwAgain(a *code.Assembly) {
	for i := range w.all {
		a.Op(code.GlobalSet, w.all[len(w.all)-1-i])
	}
	a.Op(code.GlobalSet, w.pending)
}

// clear appends code that takes an exception.
func (w *lowering) clear(a *code.Assembly) {
	a.I32(0).Op(code.GlobalSet, w.pending)
}
