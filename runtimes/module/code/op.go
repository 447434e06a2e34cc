// Package code reads the instructions of WebAssembly function bodies and constant expressions.
// In goes a part of a module; out comes one [Instruction] after the other, each with its place and
// its immediates, or an [Error] for the first that is malformed or not supported.
//
// It knows the instructions of the WebAssembly core specification 2.0 (which has the sign
// extensions, the saturating conversions, several results, bulk memory, reference types and
// vectors), and those of the proposals for tail calls, for exception handling with exnref, and for threads.
// Instructions of other proposals are refused by the proposal's name.
package code

// Op is what an instruction does: its opcode, or for a prefixed one the prefix times 256 plus
// the number after it. Only those that somebody needs by name are named.
type Op uint16

// Control instructions.
const (
	Unreachable        Op = 0x00
	Nop                Op = 0x01
	Block              Op = 0x02
	Loop               Op = 0x03
	If                 Op = 0x04
	Else               Op = 0x05
	Throw              Op = 0x08
	ThrowRef           Op = 0x0a
	End                Op = 0x0b
	Br                 Op = 0x0c
	BrIf               Op = 0x0d
	BrTable            Op = 0x0e
	Return             Op = 0x0f
	Call               Op = 0x10
	CallIndirect       Op = 0x11
	ReturnCall         Op = 0x12
	ReturnCallIndirect Op = 0x13
	TryTable           Op = 0x1f
)

// Variable, reference, numeric and memory instructions.
const (
	Drop       Op = 0x1a
	Select     Op = 0x1b
	SelectType Op = 0x1c
	LocalGet   Op = 0x20
	LocalSet   Op = 0x21
	LocalTee   Op = 0x22
	GlobalGet  Op = 0x23
	GlobalSet  Op = 0x24
	TableGet   Op = 0x25
	TableSet   Op = 0x26
	MemorySize Op = 0x3f
	MemoryGrow Op = 0x40
	I32Const   Op = 0x41
	I64Const   Op = 0x42
	F32Const   Op = 0x43
	F64Const   Op = 0x44
	I32Eqz     Op = 0x45
	I32Eq      Op = 0x46
	I32LtS     Op = 0x48
	I32GeS     Op = 0x4e
	I32LtU     Op = 0x49
	I32GtU     Op = 0x4b
	I32LeU     Op = 0x4d
	I32Ne      Op = 0x47
	I64Eqz     Op = 0x50
	I64Eq      Op = 0x51
	I64Ne      Op = 0x52
	I64LtS     Op = 0x53
	I64GtU     Op = 0x56
	I64GeS     Op = 0x59
	I32Add     Op = 0x6a
	I32Sub     Op = 0x6b
	I32Mul     Op = 0x6c
	I32And     Op = 0x71
	I32Or      Op = 0x72
	I32Xor     Op = 0x73
	I64Add     Op = 0x7c
	I64Sub     Op = 0x7d
	I64Mul     Op = 0x7e
	I64Shl     Op = 0x86
	I32Wrap    Op = 0xa7 // i32.wrap_i64
	I64ExtendS Op = 0xac // i64.extend_i32_s
	I64Extend  Op = 0xad // i64.extend_i32_u
	I64And     Op = 0x83
	I64Or      Op = 0x84
	I64Xor     Op = 0x85
	RefNull    Op = 0xd0
	RefIsNull  Op = 0xd1
	RefFunc    Op = 0xd2
)

// Bulk instructions, and those of vectors that have immediates of their own.
const (
	MemoryInit Op = 0xfc08
	DataDrop   Op = 0xfc09
	MemoryCopy Op = 0xfc0a
	MemoryFill Op = 0xfc0b
	TableInit  Op = 0xfc0c
	ElemDrop   Op = 0xfc0d
	TableCopy  Op = 0xfc0e
	TableGrow  Op = 0xfc0f
	TableSize  Op = 0xfc10
	TableFill  Op = 0xfc11
	VecConst   Op = 0xfd0c
	VecShuffle Op = 0xfd0d
)

// Atomic instructions. Each from AtomicLoad on is the first of seven: of i32 and i64 in full, of i32 in 8 and in 16
// bits, and of i64 in 8, in 16 and in 32 bits.
const (
	AtomicNotify   Op = 0xfe00
	AtomicWait32   Op = 0xfe01
	AtomicWait64   Op = 0xfe02
	AtomicFence    Op = 0xfe03
	AtomicLoad     Op = 0xfe10
	AtomicStore    Op = 0xfe17
	AtomicAdd      Op = 0xfe1e
	AtomicSub      Op = 0xfe25
	AtomicAnd      Op = 0xfe2c
	AtomicOr       Op = 0xfe33
	AtomicXor      Op = 0xfe3a
	AtomicExchange Op = 0xfe41
	AtomicCompare  Op = 0xfe48 // cmpxchg
	atomicLast     Op = 0xfe4e
)

// IsAtomic reports whether the instruction is one of the threads proposal.
func (o Op) IsAtomic() bool { return o >= AtomicNotify && o <= atomicLast }

// IsWait reports whether the instruction waits for a notification.
func (o Op) IsWait() bool { return o == AtomicWait32 || o == AtomicWait64 }

// AtomicWidth returns how many bytes an atomic instruction works on, as a power of two.
func (o Op) AtomicWidth() uint32 {
	switch o {
	case AtomicNotify, AtomicWait32:
		return 2
	case AtomicWait64:
		return 3
	}
	return [...]uint32{2, 3, 0, 1, 0, 1, 2}[(o-AtomicLoad)%7]
}

// IsCall reports whether the instruction calls a function, tail calls included.
func (o Op) IsCall() bool { return o >= Call && o <= ReturnCallIndirect }

// IsIndirect reports whether the instruction calls a function that it finds in a table.
func (o Op) IsIndirect() bool { return o == CallIndirect || o == ReturnCallIndirect }

// IsTailCall reports whether the instruction calls a function instead of returning.
func (o Op) IsTailCall() bool { return o == ReturnCall || o == ReturnCallIndirect }

// Opens reports whether the instruction begins a block that an end belongs to.
func (o Op) Opens() bool { return o >= Block && o <= If || o == TryTable }

// Leaves reports whether what follows the instruction cannot be reached from it.
func (o Op) Leaves() bool {
	switch o {
	case Unreachable, Throw, ThrowRef, Br, BrTable, Return, ReturnCall, ReturnCallIndirect:
		return true
	}
	return false
}

// NeedsMemory reports whether the instruction works on the memory.
func (o Op) NeedsMemory() bool {
	switch {
	case o >= 0x28 && o <= MemoryGrow, o == MemoryInit, o == MemoryCopy, o == MemoryFill,
		o >= 0xfd00 && o <= 0xfd0b, o >= 0xfd54 && o <= 0xfd5d, o.IsAtomic() && o != AtomicFence:
		return true
	}
	return false
}

// NamesFunction reports whether X of the instruction is a function's index.
func (o Op) NamesFunction() bool { return o == Call || o == ReturnCall || o == RefFunc }
