package meter

import "github.com/polyvoke/polyvoke/runtimes/module/code"

// charge appends the code that takes a number of units from the fuel.
func (w *meter) charge(a *code.Assembly, units int64) {
	a.Op(code.GlobalGet, w.fuel).I64(units)
	w.take(a)
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

// take appends the code that subtracts one operand from the other, sets the fuel and refills it if it is used up. The way
// that needs no refill comes first: the engine's register allocator goes on after the if with the
// state of the first way, so if that had the call, everything would be read back from the stack
// in every turn of a loop (3.8 times the time in place of 1.02).
func (w *meter) take(a *code.Assembly) {
	a.Op(code.I64Sub).Op(code.GlobalSet, w.fuel)
	a.Op(code.GlobalGet, w.fuel).I64(0).Op(code.I64GeS)
	a.Begin(code.If).Op(code.Else).Op(code.Call, w.refill).Op(code.End)
}
