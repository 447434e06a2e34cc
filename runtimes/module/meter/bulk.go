package meter

import (
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
)

// helper is an instruction that a function stands in for.
type helper struct {
	op   code.Op
	x, y uint32
}

// helper returns the function that stands in for an instruction, which is made when it is first needed.
func (w *meter) helper(in *code.Instruction) uint32 {
	h := helper{in.Op, in.X, in.Y}
	f, ok := w.helpers[h]
	if !ok {
		switch h.op {
		case code.MemoryGrow:
			f = w.addGrow(h, []module.ValueType{module.I32}, pageCost)
		case code.TableGrow:
			f = w.addGrow(h, []module.ValueType{w.m.Info.Tables[h.x].Type, module.I32}, 1)
		default:
			f = w.addBulk(h)
		}
		w.helpers[h] = f
	}
	w.report.Bulk++
	return f
}

// addGrow adds a function that grows something and charges for it if it has worked. Its last parameter is by how much.
func (w *meter) addGrow(h helper, params []module.ValueType, factor int64) uint32 {
	var a code.Assembly
	a.Locals(byte(module.I32))
	by, result := uint32(len(params)-1), uint32(len(params))
	for i := range params {
		a.Get(uint32(i))
	}
	a.Op(h.op, h.x).Op(code.LocalTee, result)
	a.I32(-1).Op(code.I32Ne).Begin(code.If)
	w.chargeLocal(&a, by, factor)
	a.Op(code.End).Get(result).Op(code.End)
	return w.m.AddFunction(module.FuncType{Params: params, Results: []module.ValueType{module.I32}}, a)
}

// The parameters of a bulk operation: where to, from where or what, and how many.
const (
	to uint32 = iota
	from
	length
)

// addBulk adds a function that does a bulk operation in chunks, each paid before it is done:
//
//	for {
//		if length <= chunk { charge(length); do it; return }
//		if out of bounds { do it, which traps before it has any effect; return }
//		charge(chunk)
//		do a chunk at the beginning, or at the end if a copy goes up and may overlap
//	}
func (w *meter) addBulk(h helper) uint32 {
	chunk := int64(memoryChunk)
	if h.onTables() {
		chunk = tableChunk
	}
	var a code.Assembly
	a.Locals()
	a.Begin(code.Loop)
	a.Get(length).I32(chunk).Op(code.I32LeU).Begin(code.If)
	w.chargeLocal(&a, length, 1)
	h.do(a.Get(to, from, length)).Op(code.Return).Op(code.End)
	w.beyond(&a, h)
	a.Begin(code.If)
	h.do(a.Get(to, from, length)).Op(code.Return).Op(code.End)
	w.charge(&a, chunk)
	a.Get(length).I32(chunk).Op(code.I32Sub).Op(code.LocalSet, length)
	if h.op == code.MemoryCopy || h.op == code.TableCopy {
		a.Get(to, from).Op(code.I32GtU).Begin(code.If)
		h.do(a.Get(to, length).Op(code.I32Add).Get(from, length).Op(code.I32Add).I32(chunk))
		a.Op(code.Br, 1).Op(code.End)
	}
	h.do(a.Get(to, from).I32(chunk))
	a.Get(to).I32(chunk).Op(code.I32Add).Op(code.LocalSet, to)
	if h.op != code.MemoryFill && h.op != code.TableFill {
		a.Get(from).I32(chunk).Op(code.I32Add).Op(code.LocalSet, from)
	}
	a.Op(code.Br, 0).Op(code.End).Op(code.End)
	what := module.I32
	if h.op == code.TableFill {
		what = w.m.Info.Tables[h.x].Type
	}
	return w.m.AddFunction(module.FuncType{Params: []module.ValueType{module.I32, what, module.I32}}, a)
}

// onTables reports whether the operation works on tables.
func (h helper) onTables() bool {
	return h.op == code.TableInit || h.op == code.TableCopy || h.op == code.TableFill
}

// do appends the operation itself.
func (h helper) do(a *code.Assembly) *code.Assembly {
	switch h.op {
	case code.MemoryFill, code.TableFill:
		return a.Op(h.op, h.x)
	}
	return a.Op(h.op, h.x, h.y)
}

// beyond appends the code that finds whether the operation goes out of bounds.
func (w *meter) beyond(a *code.Assembly, h helper) {
	table := h.x
	if h.op == code.TableInit {
		table = h.y
	}
	exceeds(a, to, func() { h.size(a, table) })
	switch h.op {
	case code.MemoryCopy, code.TableCopy:
		exceeds(a, from, func() { h.size(a, h.y) })
	case code.MemoryInit:
		exceeds(a, from, func() { a.I64(int64(w.dataSizes[h.x])) })
	case code.TableInit:
		exceeds(a, from, func() { a.I64(int64(w.elemSizes[h.x])) })
	default:
		return
	}
	a.Op(code.I32Or)
}

// exceeds appends the comparison of a position plus the length with a size.
func exceeds(a *code.Assembly, position uint32, size func()) {
	a.Get(position).Op(code.I64Extend).Get(length).Op(code.I64Extend).Op(code.I64Add)
	size()
	a.Op(code.I64GtU)
}

// size appends the size of the memory in bytes, or that of a table in entries.
func (h helper) size(a *code.Assembly, table uint32) {
	if h.onTables() {
		a.Op(code.TableSize, table).Op(code.I64Extend)
		return
	}
	a.Op(code.MemorySize, 0).Op(code.I64Extend).I64(16).Op(code.I64Shl)
}
