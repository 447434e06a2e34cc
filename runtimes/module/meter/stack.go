package meter

import (
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
)

// test says that the stack is to be tested with a charge.
type test struct {
	rest   uint32 // the local that holds the stack left
	wanted bool
}

// enter writes what is done where a function begins. One that can call itself reads how much stack is left, and takes
// its own frame from it. Nothing is needed where it ends, since it sets what is left for each function that it calls.
// If the function is one of those that test the stack it does so together with a charge, by one branch: at the entry,
// or at the heads of loops if all calls that need it are there.
func (b *body) enter(f uint32, cost int64) {
	w, a := b.w, &b.out
	if b.depth == recursive {
		a.Op(code.GlobalGet, w.stack).I64(b.frame).Op(code.I64Sub).Op(code.LocalSet, b.rest)
	}
	tests := b.depth == recursive && w.depths.tests[f]
	switch {
	case cost > 0:
		w.chargeEntry(a, cost, test{b.rest, tests})
		w.report.Entries++
	case tests && w.paths.survey.descends:
		w.testStack(a, b.rest)
	default:
		b.heads = tests
	}
}

// testStack appends the code that traps if there is no stack left, and says so in the global. The way that does not
// trap comes first, so that the engine puts the other one behind all others.
func (w *meter) testStack(a *code.Assembly, rest uint32) {
	a.Get(rest).I64(0).Op(code.I64GeS).Begin(code.If).Op(code.Else)
	a.I64(Overflow).Op(code.GlobalSet, w.stack).Op(code.Unreachable).Op(code.End)
}

// frame returns the estimate of what a call of a function takes from the stack, without its try_tables.
func (w *meter) frame(f uint32) int64 {
	return callFrame + valueFrame*(int64(len(w.m.Info.Types()[w.types[f]].Params))+int64(w.m.Bodies()[f].Locals))
}

// descends reports whether an instruction of function f is a call that may lead to a recursion.
func (w *meter) descends(f uint32, in *code.Instruction) bool {
	switch d := w.depths; {
	case d == nil || d.of[f] == straight || !in.Op.IsCall():
		return false
	case in.Op.IsIndirect():
		return d.of[uint32(len(w.types))+d.first[in.X]] != straight
	default:
		return in.X >= w.imported && d.of[in.X-w.imported] != straight
	}
}

// descend writes the code that says how much stack is left to the function that is called. A tail call gives back the
// frame, if the engine makes one of it. A function that only leads to a recursion takes nothing, and keeps what is
// left as it was: in a local across such a call only, since one that is needed all the time takes a register from all
// its loops.
func (b *body) descend(in *code.Instruction) {
	if b.depth == leading {
		if !in.Op.IsTailCall() {
			b.out.Op(code.GlobalGet, b.w.stack).Op(code.LocalSet, b.rest)
		}
		return
	}
	b.out.Get(b.rest)
	if in.Op.IsTailCall() && b.w.replaces(in) {
		b.out.I64(b.frame).Op(code.I64Add)
	}
	b.out.Op(code.GlobalSet, b.w.stack)
}

// ascend writes the code after a call that [body.descend] is before.
func (b *body) ascend(in *code.Instruction) {
	if b.depth == leading && !in.Op.IsTailCall() {
		b.out.Get(b.rest).Op(code.GlobalSet, b.w.stack)
	}
}

// Registers that every processor has for parameters, and for results. Two of those for integers the engine needs for
// itself.
const (
	integerRegisters = 8
	floatRegisters   = 8
	engineParams     = 2
)

// replaces reports whether a tail call takes the place of its caller on the stack. The engine makes an ordinary call of
// one whose parameters or results are too many for the registers of a processor.
func (w *meter) replaces(in *code.Instruction) bool {
	t := in.X
	if !in.Op.IsIndirect() {
		t = w.types[in.X-w.imported]
	}
	typ := w.m.Info.Types()[t]
	return fit(typ.Params, integerRegisters-engineParams) && fit(typ.Results, integerRegisters)
}

// fit reports whether values fit into registers, given how many there are for integers.
func fit(values []module.ValueType, integers int) bool {
	floats := floatRegisters
	for _, v := range values {
		switch v {
		case module.F32, module.F64, module.V128:
			floats--
		default:
			integers--
		}
	}
	return integers >= 0 && floats >= 0
}
