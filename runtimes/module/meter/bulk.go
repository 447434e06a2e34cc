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
	var a assembly
	a.locals(module.I32)
	by, result := uint32(len(params)-1), uint32(len(params))
	for i := range params {
		a.get(uint32(i))
	}
	a.op(h.op, h.x).op(code.LocalTee, result)
	a.i32(-1).op(code.I32Ne).begin(code.If)
	w.chargeLocal(&a, by, factor)
	a.op(code.End).get(result).op(code.End)
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
	var a assembly
	a.locals()
	a.begin(code.Loop)
	a.get(length).i32(chunk).op(code.I32LeU).begin(code.If)
	w.chargeLocal(&a, length, 1)
	h.do(a.get(to, from, length)).op(code.Return).op(code.End)
	w.beyond(&a, h)
	a.begin(code.If)
	h.do(a.get(to, from, length)).op(code.Return).op(code.End)
	w.charge(&a, chunk)
	a.get(length).i32(chunk).op(code.I32Sub).op(code.LocalSet, length)
	if h.op == code.MemoryCopy || h.op == code.TableCopy {
		a.get(to, from).op(code.I32GtU).begin(code.If)
		h.do(a.get(to, length).op(code.I32Add).get(from, length).op(code.I32Add).i32(chunk))
		a.op(code.Br, 1).op(code.End)
	}
	h.do(a.get(to, from).i32(chunk))
	a.get(to).i32(chunk).op(code.I32Add).op(code.LocalSet, to)
	if h.op != code.MemoryFill && h.op != code.TableFill {
		a.get(from).i32(chunk).op(code.I32Add).op(code.LocalSet, from)
	}
	a.op(code.Br, 0).op(code.End).op(code.End)
	what := module.I32
	if h.op == code.TableFill {
		what = w.m.Info.Tables[h.x].Type
	}
	return w.m.AddFunction(module.FuncType{Params: []module.ValueType{module.I32, what, module.I32}}, a)
}

// onTables tells whether the operation works on tables.
func (h helper) onTables() bool {
	return h.op == code.TableInit || h.op == code.TableCopy || h.op == code.TableFill
}

// do appends the operation itself.
func (h helper) do(a *assembly) *assembly {
	switch h.op {
	case code.MemoryFill, code.TableFill:
		return a.op(h.op, h.x)
	}
	return a.op(h.op, h.x, h.y)
}

// beyond appends the code that finds whether the operation goes out of bounds.
func (w *meter) beyond(a *assembly, h helper) {
	table := h.x
	if h.op == code.TableInit {
		table = h.y
	}
	exceeds(a, to, func() { h.size(a, table) })
	switch h.op {
	case code.MemoryCopy, code.TableCopy:
		exceeds(a, from, func() { h.size(a, h.y) })
	case code.MemoryInit:
		exceeds(a, from, func() { a.i64(int64(w.dataSizes[h.x])) })
	case code.TableInit:
		exceeds(a, from, func() { a.i64(int64(w.elemSizes[h.x])) })
	default:
		return
	}
	a.op(code.I32Or)
}

// exceeds appends the comparison of a position plus the length with a size.
func exceeds(a *assembly, position uint32, size func()) {
	a.get(position).op(code.I64Extend).get(length).op(code.I64Extend).op(code.I64Add)
	size()
	a.op(code.I64GtU)
}

// size appends the size of the memory in bytes, or that of a table in entries.
func (h helper) size(a *assembly, table uint32) {
	if h.onTables() {
		a.op(code.TableSize, table).op(code.I64Extend)
		return
	}
	a.op(code.MemorySize, 0).op(code.I64Extend).i64(16).op(code.I64Shl)
}
