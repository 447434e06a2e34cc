package atomics

import (
	"slices"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
)

// helper is a function that does what an atomic instruction does, while it is written.
type helper struct {
	code.Assembly
	op    code.Op
	typ   module.FuncType
	value module.ValueType // what is in memory, as an operand
	old   uint32           // a local of that type
}

// The parameters of a helper. The offset is the last.
const (
	address uint32 = iota
	first
	second
)

// newHelper begins a helper: it finds the address that is meant, and traps if that is not aligned.
func newHelper(op code.Op) *helper {
	h := &helper{op: op, value: valueOf(op)}
	h.typ.Params = append(slices.Concat([]module.ValueType{module.I32}, h.operands()), module.I32)
	if !h.stores() {
		h.typ.Results = []module.ValueType{h.result()}
	}
	offset := uint32(len(h.typ.Params)) - 1
	h.old = offset + 1
	h.Locals(byte(h.value))
	h.Get(address, offset).Op(code.I32Add).Op(code.LocalTee, address)
	h.Get(offset).Op(code.I32LtU) // the sum does not fit
	h.Get(address).I32(1<<op.AtomicWidth() - 1).Op(code.I32And).Op(code.I32Or)
	h.Begin(code.If).I32(-1).Op(loadByte, 0, 1<<32-1).Op(code.Drop).Op(code.End) // out of bounds, whatever there is
	return h
}

// valueOf returns the type that an instruction has for what is in memory.
func valueOf(op code.Op) module.ValueType {
	switch op {
	case code.AtomicNotify, code.AtomicWait32:
		return module.I32
	case code.AtomicWait64:
		return module.I64
	}
	switch (op - code.AtomicLoad) % variants {
	case 0, 2, 3:
		return module.I32
	}
	return module.I64
}

// operands returns the types of an instruction's operands but for the address.
func (h *helper) operands() []module.ValueType {
	switch {
	case h.op == code.AtomicNotify:
		return []module.ValueType{module.I32} // how many to wake
	case h.op.IsWait():
		return []module.ValueType{h.value, module.I64} // what is expected, and the time-out
	case h.op < code.AtomicStore:
		return nil
	case h.op < code.AtomicCompare:
		return []module.ValueType{h.value}
	}
	return []module.ValueType{h.value, h.value} // what is expected, and the replacement
}

// stores reports whether the instruction has no result.
func (h *helper) stores() bool { return h.op >= code.AtomicStore && h.op < code.AtomicAdd }

// result returns the type of the result.
func (h *helper) result() module.ValueType {
	if h.op.IsWait() {
		return module.I32
	}
	return h.value
}

// notify writes memory.atomic.notify: it checks the address by a load, and wakes nobody.
func (h *helper) notify() {
	h.read().Op(code.Drop).I32(0)
}

// What memory.atomic.wait returns, if not that it was woken.
const (
	notEqual = 1
	timedOut = 2
)

// wait writes memory.atomic.wait. It traps in a memory that was not shared.
func (h *helper) wait(shared bool, sleep uint32) {
	h.read().Get(first).Op(h.pick(code.I32Ne, code.I64Ne))
	if !shared {
		h.Op(code.Unreachable)
		return
	}
	h.Begin(code.If).I32(notEqual).Op(code.Return).Op(code.End)
	h.Begin(code.Loop).Get(second).Op(code.Call, sleep)
	h.Get(second).I64(0).Op(code.I64LtS).Op(code.BrIf, 0).Op(code.End) // for ever
	h.I32(timedOut)
}

// load writes a load.
func (h *helper) load() { h.read() }

// store writes a store.
func (h *helper) store() {
	h.Get(address, first)
	h.write()
}

// modify writes a read-modify-write that calculates.
func (h *helper) modify() {
	h.Get(address)
	h.read().Op(code.LocalTee, h.old).Get(first).Op(h.calculation())
	h.write()
	h.Get(h.old)
}

// exchange writes an exchange.
func (h *helper) exchange() {
	h.read().Op(code.LocalSet, h.old).Get(address, first)
	h.write()
	h.Get(h.old)
}

// compare writes an exchange that takes place only if what is there is what was expected. Only the bits of the access
// count in what was expected.
func (h *helper) compare() {
	h.read().Op(code.LocalTee, h.old).Get(first)
	switch bits := 8 << h.op.AtomicWidth(); {
	case h.value == module.I32 && bits < 32:
		h.I32(1<<bits - 1).Op(code.I32And)
	case h.value == module.I64 && bits < 64:
		h.I64(1<<bits - 1).Op(code.I64And)
	}
	h.Op(h.pick(code.I32Eq, code.I64Eq)).Begin(code.If).Get(address, second)
	h.write()
	h.Op(code.End).Get(h.old)
}

// variants is how many instructions there are of a kind, see [code.AtomicLoad].
const variants = 7

// loadByte is i32.load8_u.
const loadByte code.Op = 0x2d

// variant returns which of its kind the instruction is. Those that wait or notify read values in full.
func (h *helper) variant() code.Op {
	switch {
	case h.op >= code.AtomicLoad:
		return (h.op - code.AtomicLoad) % variants
	case h.value == module.I64:
		return 1
	}
	return 0
}

// read appends the load of what is at the address.
func (h *helper) read() *code.Assembly {
	loads := [variants]code.Op{0x28, 0x29, loadByte, 0x2f, 0x31, 0x33, 0x35}
	return h.Get(address).Op(loads[h.variant()], h.op.AtomicWidth(), 0)
}

// write appends the store of an operand at another one.
func (h *helper) write() {
	stores := [variants]code.Op{0x36, 0x37, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e}
	h.Op(stores[h.variant()], h.op.AtomicWidth(), 0)
}

// calculation returns the instruction for what a read-modify-write calculates.
func (h *helper) calculation() code.Op {
	switch {
	case h.op < code.AtomicSub:
		return h.pick(code.I32Add, code.I64Add)
	case h.op < code.AtomicAnd:
		return h.pick(code.I32Sub, code.I64Sub)
	case h.op < code.AtomicOr:
		return h.pick(code.I32And, code.I64And)
	case h.op < code.AtomicXor:
		return h.pick(code.I32Or, code.I64Or)
	}
	return h.pick(code.I32Xor, code.I64Xor)
}

// pick returns the instruction for the type of the value.
func (h *helper) pick(i32, i64 code.Op) code.Op {
	if h.value == module.I32 {
		return i32
	}
	return i64
}
