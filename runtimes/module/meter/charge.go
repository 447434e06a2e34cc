package meter

import "github.com/polyvoke/polyvoke/runtimes/module/code"

// charge appends the code that takes a number of units from the fuel.
func (w *meter) charge(a *code.Assembly, units int64) {
	a.Op(code.GlobalGet, w.fuel).I64(units)
	w.take(a)
	w.report.Longest = max(w.report.Longest, units)
}

// chargeEntry appends the code that charges where a function begins, and the test of the stack. The code is a loop, and
// takes more than one turn only if it needs more fuel.
func (w *meter) chargeEntry(a *code.Assembly, units int64, t test) {
	a.Begin(code.Loop)
	w.chargeHead(a, units, t)
	a.Op(code.End)
}

// chargeHead appends the code that charges at the head of a loop, and the test of the stack. If the fuel is used up
// it is as if the turn had not begun yet: the code gets more and branches to the head. So no way joins another, and
// the engine puts the rare one behind all others.
func (w *meter) chargeHead(a *code.Assembly, units int64, t test) {
	w.spend(a, units)
	if t.wanted {
		a.Get(t.rest).Op(code.I64Or)
	}
	a.I64(0).Op(code.I64GeS).Begin(code.If).Op(code.Else)
	if t.wanted {
		w.testStack(a, t.rest)
	}
	a.I64(units).Op(code.Call, w.again).Op(code.Br, 1).Op(code.End)
}

// chargeBranch appends a branch to the head of a loop that is charged, without a way that joins another either.
func (w *meter) chargeBranch(a *code.Assembly, units int64, label uint32) {
	w.spend(a, units)
	a.I64(0).Op(code.I64GeS).Begin(code.If).Op(code.Br, label+1).Op(code.End)
	a.Op(code.Call, w.refill).Op(code.Br, label)
}

// spend appends the code that takes a number of units from the fuel, and pushes what is left.
func (w *meter) spend(a *code.Assembly, units int64) {
	a.Op(code.GlobalGet, w.fuel).I64(units).Op(code.I64Sub).Op(code.GlobalSet, w.fuel).Op(code.GlobalGet, w.fuel)
	w.report.Longest = max(w.report.Longest, units)
}

// chargeLocal appends the code that takes as many units as a local says, times a factor.
func (w *meter) chargeLocal(a *code.Assembly, local uint32, factor int64) {
	a.Op(code.GlobalGet, w.fuel).Get(local).Op(code.I64Extend)
	if factor != 1 {
		a.I64(factor).Op(code.I64Mul)
	}
	w.take(a)
}

// take appends the code that subtracts one operand from the other, sets the fuel and refills it if it is used up. The
// way that needs no refill comes first: the engine's register allocator goes on after the if with the state of the
// first way, so if that had the call, everything would be read back from the stack in every turn of a loop (3.8 times
// the time in place of 1.02).
func (w *meter) take(a *code.Assembly) {
	a.Op(code.I64Sub).Op(code.GlobalSet, w.fuel)
	a.Op(code.GlobalGet, w.fuel).I64(0).Op(code.I64GeS)
	a.Begin(code.If).Op(code.Else).Op(code.Call, w.refill).Op(code.End)
}
