package code

import "github.com/polyvoke/polyvoke/runtimes/module/leb"

// noType is the type of a block that neither takes nor leaves anything.
const noType = 0x40

// Assembly is a function body, or part of one, that is being written. Its methods append to it and
// return it. It does not check what is written.
type Assembly []byte

// Locals begins a body with locals of the given types, in the binary encoding of value types.
func (a *Assembly) Locals(types ...byte) *Assembly {
	*a = leb.AppendU32(*a, uint32(len(types)))
	for _, t := range types {
		*a = append(*a, 1, t)
	}
	return a
}

// Op appends an instruction and its indices.
func (a *Assembly) Op(o Op, indices ...uint32) *Assembly {
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

// Get appends a local.get for each of the given locals.
func (a *Assembly) Get(locals ...uint32) *Assembly {
	for _, l := range locals {
		a.Op(LocalGet, l)
	}
	return a
}

// I32 appends a constant.
func (a *Assembly) I32(v int64) *Assembly {
	*a = leb.AppendSigned(append(*a, byte(I32Const)), v)
	return a
}

// I64 appends a constant.
func (a *Assembly) I64(v int64) *Assembly {
	*a = leb.AppendSigned(append(*a, byte(I64Const)), v)
	return a
}

// Begin appends the beginning of a block without a type.
func (a *Assembly) Begin(o Op) *Assembly {
	*a = append(*a, byte(o), noType)
	return a
}

// BeginTyped appends the beginning of a block of a type, as [Instruction].Value has it.
func (a *Assembly) BeginTyped(o Op, t int64) *Assembly {
	*a = leb.AppendSigned(append(*a, byte(o)), t)
	return a
}

// Label appends one more label, of a br_table.
func (a *Assembly) Label(l uint32) *Assembly {
	*a = leb.AppendU32(*a, l)
	return a
}

// Zero appends a constant of a value type, given in its binary encoding: a number that is zero, or a reference to
// nothing.
func (a *Assembly) Zero(t byte) *Assembly {
	switch t {
	case 0x7f:
		return a.I32(0)
	case 0x7e:
		return a.I64(0)
	case 0x7d:
		*a = append(*a.Op(F32Const), make([]byte, 4)...)
	case 0x7c:
		*a = append(*a.Op(F64Const), make([]byte, 8)...)
	case 0x7b:
		*a = append(*a.Op(VecConst), make([]byte, 16)...)
	default:
		*a = append(*a.Op(RefNull), t)
	}
	return a
}
