package code

// Effect returns how many operands an instruction takes, and how many it leaves. None of them is a reference to an
// exception. It knows the instructions that do the same wherever they are: not those of control, nor drop, select with
// a type, those of locals, and ref.null and ref.is_null.
func (o Op) Effect() (takes, puts int) {
	switch {
	case o >= VecConst&^0xff:
		return vector(byte(o))
	case o >= 0xfc00:
		return bulk(o)
	case o >= 0x45 && o <= 0xc4:
		return numeric(o), 1
	case o >= 0x28 && o <= 0x35, o == MemoryGrow, o == TableGet: // loads, and those
		return 1, 1
	case o >= 0x36 && o <= 0x3e, o == TableSet: // stores
		return 2, 0
	case o == GlobalSet:
		return 1, 0
	case o <= Nop:
		return 0, 0
	case o == Select:
		return 3, 1
	}
	return 0, 1 // constants, global.get, memory.size, ref.func
}

// numeric returns how many operands a numeric instruction takes.
func numeric(op Op) int {
	ranges := [...][2]Op{
		{0x45, 0x45}, {0x50, 0x50}, {0x67, 0x69}, {0x79, 0x7b}, {0x8b, 0x91}, {0x99, 0x9f}, {0xa7, 0xc4},
	}
	for _, unary := range ranges {
		if op >= unary[0] && op <= unary[1] {
			return 1
		}
	}
	return 2
}

// bulk returns the effect of an instruction with the prefix 0xfc.
func bulk(op Op) (takes, puts int) {
	switch op {
	case DataDrop, ElemDrop:
		return 0, 0
	case TableGrow:
		return 2, 1
	case TableSize:
		return 0, 1
	}
	if op >= MemoryInit {
		return 3, 0
	}
	return 1, 1 // conversions
}

// vector returns the effect of an instruction with the prefix 0xfd.
func vector(sub byte) (takes, puts int) {
	switch {
	case sub == byte(VecConst&0xff):
		return 0, 1
	case sub == 0x0b, sub >= 0x58 && sub <= 0x5b: // stores
		return 2, 0
	case sub == 0x52: // bitselect
		return 3, 1
	case takesOne(sub):
		return 1, 1
	}
	return 2, 1
}

// takesOne reports whether a vector instruction takes one operand: loads, splats, conversions, tests and so on.
func takesOne(sub byte) bool {
	switch {
	case sub <= 0x0a, sub >= 0x0f && sub <= 0x16, sub == 0x18, sub == 0x19, sub == 0x1b, sub == 0x1d, sub == 0x1f,
		sub == 0x21, sub == 0x4d, sub == 0x53, sub >= 0x5c && sub <= 0x64, sub >= 0x67 && sub <= 0x6a, sub == 0x74,
		sub == 0x75, sub == 0x7a, sub >= 0x7c && sub <= 0x7f, sub == 0x94, sub == 0xe3, sub == 0xef, sub >= 0xf8:
		return true
	case sub < 0x80:
		return false
	}
	switch low := sub & 0x1f; { // those of a shape of integers, from 0x80 on, or of floating point, from 0xe0 on
	case sub >= 0xe0:
		return low <= 1 || low == 0x0c || low == 0x0d
	default:
		return low <= 1 || low == 3 || low == 4 || low >= 7 && low <= 10
	}
}
