package meter

import (
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
	"github.com/polyvoke/polyvoke/runtimes/module/leb"
)

// noType is the type of a block that neither takes nor leaves anything.
const noType = 0x40

// assembly is a function body, or part of one, that is being written.
type assembly []byte

// locals begins a body with locals of the given types.
func (a *assembly) locals(types ...module.ValueType) *assembly {
	*a = leb.AppendU32(*a, uint32(len(types)))
	for _, t := range types {
		*a = append(*a, 1, byte(t))
	}
	return a
}

// op appends an instruction and its indices.
func (a *assembly) op(o code.Op, indices ...uint32) *assembly {
	if o > 0xff {
		*a = leb.AppendU32(append(*a, byte(o>>8)), uint32(o&0xff))
	} else {
		*a = append(*a, byte(o))
	}
	for _, i := range indices {
		*a = leb.AppendU32(*a, i)
	}
	return a
}

// get appends a local.get for each of the given locals.
func (a *assembly) get(locals ...uint32) *assembly {
	for _, l := range locals {
		a.op(code.LocalGet, l)
	}
	return a
}

// i32 appends a constant.
func (a *assembly) i32(v int64) *assembly {
	*a = leb.AppendSigned(append(*a, byte(code.I32Const)), v)
	return a
}

// i64 appends a constant.
func (a *assembly) i64(v int64) *assembly {
	*a = leb.AppendSigned(append(*a, byte(code.I64Const)), v)
	return a
}

// begin appends the beginning of a block without a type.
func (a *assembly) begin(o code.Op) *assembly {
	*a = append(*a, byte(o), noType)
	return a
}

// charge appends the code that takes a number of units from the fuel.
func (w *meter) charge(a *assembly, units int64) {
	a.op(code.GlobalGet, w.fuel).i64(units)
	w.take(a)
	w.report.Longest = max(w.report.Longest, units)
}

// chargeLocal appends the code that takes as many units as a local says, times a factor.
func (w *meter) chargeLocal(a *assembly, local uint32, factor int64) {
	a.op(code.GlobalGet, w.fuel).get(local).op(code.I64Extend)
	if factor != 1 {
		a.i64(factor).op(code.I64Mul)
	}
	w.take(a)
}

// take appends the code that subtracts one operand from the other, sets the fuel and refills it if it is used up. The way
// that needs no refill comes first: the engine's register allocator goes on after the if with the
// state of the first way, so if that had the call, everything would be read back from the stack
// in every turn of a loop (3.8 times the time in place of 1.02).
func (w *meter) take(a *assembly) {
	a.op(code.I64Sub).op(code.GlobalSet, w.fuel)
	a.op(code.GlobalGet, w.fuel).i64(0).op(code.I64GeS)
	a.begin(code.If).op(code.Else).op(code.Call, w.refill).op(code.End)
}
