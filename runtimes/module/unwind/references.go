package unwind

import (
	"slices"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
	"github.com/polyvoke/polyvoke/runtimes/module/edit"
	"github.com/polyvoke/polyvoke/runtimes/module/leb"
)

// exnBlock is the type of a block that leaves a reference to an exception, as [code.Instruction] has it.
const exnBlock = int64(module.ExnRef) - 128

// span is a run of locals of one type. Of references to exceptions, first come the tags of all of them, then what
// each carries first, and so on.
type span struct {
	old, new uint32 // the first local
	n        uint32
	ref      bool
}

// inside reports whether references to exceptions are nowhere but in functions that only the module calls.
func (w *lowering) inside() bool {
	info := w.m.Info
	for _, t := range info.Tables {
		if t.Type == module.ExnRef {
			return false
		}
	}
	for i := range info.ImportedGlobals() + info.Globals {
		if info.GlobalType(i) == module.ExnRef {
			return false
		}
	}
	outside := slices.Clone(info.FunctionTypes()[:w.imported])
	for _, e := range info.Exports {
		if e.Kind == module.FunctionKind {
			outside = append(outside, info.FunctionTypes()[e.Index])
		}
	}
	return !slices.ContainsFunc(outside, w.refersTo)
}

// refersTo reports whether a type has references to exceptions.
func (w *lowering) refersTo(t uint32) bool { return w.refs[t] }

// declares reports whether a function has parameters, results or locals that are references to exceptions.
func (w *lowering) declares(f uint32) bool {
	found := w.refersTo(w.types[f])
	w.groups(f, func(_ uint32, t module.ValueType) { found = found || t == module.ExnRef })
	return found
}

// groups calls do for each group of locals of a function.
func (w *lowering) groups(f uint32, do func(n uint32, t module.ValueType)) {
	body := &w.m.Bodies()[f]
	b := w.m.Bytes()[body.Start:body.Code]
	_, at := leb.U32(b)
	for range body.Groups {
		n, size := leb.U32(b[at:])
		at += size + 1
		do(n, module.ValueType(b[at-1]))
	}
}

// look takes note of what an instruction of a function has to do with references to exceptions.
func (w *lowering) look(f uint32, in *code.Instruction) {
	if in.Op.IsIndirect() {
		w.signs[in.X] = true
	}
	w.refers[f] = w.refers[f] || w.mentions(in)
}

// mentions reports whether an instruction may have to do with references to exceptions.
func (w *lowering) mentions(in *code.Instruction) bool {
	switch op := in.Op; {
	case op.Opens():
		ref := func(k code.HandlerKind) bool { return k == code.CatchRef || k == code.CatchAllRef }
		return in.Value == exnBlock || in.Value >= 0 && w.refersTo(uint32(in.Value)) || slices.ContainsFunc(in.Kinds, ref)
	case op.IsIndirect():
		return w.refersTo(in.X)
	case op.IsCall():
		return w.refersTo(w.m.Info.FunctionTypes()[in.X])
	}
	return in.Op == code.ThrowRef || w.namesReference(in)
}

// namesReference reports whether an instruction has in it that it is about references to exceptions.
func (w *lowering) namesReference(in *code.Instruction) bool {
	return (in.Op == code.RefNull || in.Op == code.SelectType) && w.m.Bytes()[in.End-1] == byte(module.ExnRef)
}

// reshape says what each type becomes, and changes those that have references to exceptions.
func (w *lowering) reshape() error {
	w.shapes = slices.Clone(w.m.Info.Types())
	texts, changed := map[string]string{}, false
	for i, old := range w.shapes {
		if !w.refersTo(uint32(i)) {
			continue
		}
		changed = true
		t := module.FuncType{Params: w.expanded(old.Params), Results: w.expanded(old.Results)}
		w.shapes[i] = t
		w.m.SetType(i, t)
		if err := w.spend(len(t.Params) + len(t.Results) - len(old.Params) - len(old.Results)); err != nil {
			return err
		}
	}
	if (changed || slices.Contains(w.refers, true)) && len(w.all) > mostPayload {
		return errMany
	}
	if !changed {
		return nil
	}
	for t := range w.signs {
		text, old := w.shapes[t].String(), w.m.Info.Types()[t].String()
		if known, ok := texts[text]; ok && known != old {
			return errAlike
		}
		texts[text] = old
	}
	return nil
}

// expanded returns types with what becomes of references to exceptions.
func (w *lowering) expanded(list []module.ValueType) (out []module.ValueType) {
	for _, t := range list {
		if t == module.ExnRef {
			out = append(out, w.values...)
		} else {
			out = append(out, t)
		}
	}
	return out
}

// blockType returns what the type of a block becomes.
func (w *lowering) blockType(t int64) int64 {
	if t == exnBlock {
		return w.leaving(w.values)
	}
	return t
}

// leaving returns the type of a block that takes nothing, and leaves values of some types.
func (w *lowering) leaving(list []module.ValueType) int64 {
	switch len(list) {
	case 0:
		return noType
	case 1:
		return int64(list[0]) - 128
	}
	return int64(w.m.Type(module.FuncType{Results: list}))
}

// locals writes the locals, and says where they are if some are references to exceptions.
func (b *body) locals(old *edit.Body) error {
	w := b.w
	if !w.declares(b.f) {
		b.copy(old.Code)
		return nil
	}
	for _, t := range b.signature().Params {
		b.addSpan(1, t)
	}
	groups, code := uint32(0), []byte(nil)
	w.groups(b.f, func(n uint32, t module.ValueType) {
		if len(code) > w.left {
			return
		}
		b.addSpan(n, t)
		for _, v := range w.expanded([]module.ValueType{t}) {
			code = append(leb.AppendU32(code, n), byte(v))
			groups++
		}
	})
	b.out = append(leb.AppendU32(b.out, groups), code...)
	b.copied = old.Code
	return b.bound()
}

// addSpan takes note of the next locals.
func (b *body) addSpan(n uint32, t module.ValueType) {
	s := span{n: n, ref: t == module.ExnRef}
	if last := len(b.spans) - 1; last >= 0 {
		p := b.spans[last]
		s.old, s.new = p.old+p.n, p.new+p.n
		if p.ref {
			s.new += p.n * uint32(len(b.w.all))
		}
	}
	b.spans = append(b.spans, s)
}

// span returns the span of a local.
func (b *body) span(local uint32) *span {
	i, _ := slices.BinarySearchFunc(b.spans, local, func(s span, l uint32) int { return int(s.old+s.n) - int(l) - 1 })
	return &b.spans[i]
}

// reference writes an instruction that has to do with references to exceptions, and reports whether it is one.
func (b *body) reference(in *code.Instruction) bool {
	w := b.w
	switch op := in.Op; {
	case op >= code.LocalGet && op <= code.LocalTee:
		return b.local(in)
	case op == code.ThrowRef:
		a := b.replace(in)
		w.throwAgain(a)
		a.Op(code.GlobalGet, w.pending).Op(code.I32Eqz).Begin(code.If).Op(code.Unreachable).Op(code.End)
		b.leave(a, code.Br)
		w.report.Throws++
	case op == code.RefNull && w.namesReference(in):
		a := b.replace(in)
		for _, v := range w.values {
			a.Zero(byte(v))
		}
	case b.operands.top != reference:
		return false
	case op == code.Drop:
		drop(b.replace(in), len(w.values))
	case op == code.RefIsNull:
		drop(b.replace(in), len(w.all)).Op(code.I32Eqz)
	default:
		return false
	}
	return true
}

// drop appends that operands are dropped.
func drop(a *code.Assembly, n int) *code.Assembly {
	for range n {
		a.Op(code.Drop)
	}
	return a
}

// local writes what is done with a local, if it is not where it was, or a reference.
func (b *body) local(in *code.Instruction) bool {
	if b.spans == nil {
		return false
	}
	s := b.span(in.X)
	to := s.new + in.X - s.old
	switch {
	case !s.ref && to == in.X:
		return false
	case !s.ref:
		b.replace(in).Op(in.Op, to)
		return true
	}
	a, last := b.replace(in), len(b.w.all)
	if in.Op != code.LocalGet {
		for i := range b.w.values {
			a.Op(code.LocalSet, to+uint32(last-i)*s.n)
		}
	}
	if in.Op != code.LocalSet {
		for i := range b.w.values {
			a.Op(code.LocalGet, to+uint32(i)*s.n)
		}
	}
	return true
}
