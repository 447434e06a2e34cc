package meter

import "github.com/polyvoke/polyvoke/runtimes/module/code"

// cost returns what an instruction costs, given the one before it.
func (w *meter) cost(in, before *code.Instruction) int64 {
	switch op := in.Op; op {
	case code.Nop, code.Block, code.Loop, code.Else, code.End, code.TryTable:
		return 0
	case code.Call, code.ReturnCall:
		if in.X < w.imported {
			return importCost
		}
		return 1 + w.prefix[in.X-w.imported]
	case code.CallIndirect, code.ReturnCallIndirect:
		return 2 + int64(max(w.o.Short, 0))
	case code.MemoryGrow, code.TableGrow:
		return growCost
	default:
		if isBulk(op) {
			return bulkCost + max(inlineLength(in, before), 0)
		}
	}
	return 1
}

// isBulk reports whether an instruction takes time in proportion to a length, which is its last operand.
func isBulk(op code.Op) bool {
	switch op {
	case code.MemoryInit, code.MemoryCopy, code.MemoryFill, code.TableInit, code.TableCopy, code.TableFill:
		return true
	}
	return false
}

// inlineLength returns the length of a bulk operation if the instruction before says that it is a small constant, or
// -1.
func inlineLength(in, before *code.Instruction) int64 {
	constant := before.Op == code.I32Const && before.End == in.Start
	if isBulk(in.Op) && constant && before.Value >= 0 && before.Value <= mostInline {
		return before.Value
	}
	return -1
}

// helped reports whether a helper stands in for an instruction.
func helped(in, before *code.Instruction) bool {
	return in.Op == code.MemoryGrow || in.Op == code.TableGrow || isBulk(in.Op) && inlineLength(in, before) < 0
}
