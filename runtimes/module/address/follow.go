package address

import "github.com/polyvoke/polyvoke/runtimes/module/code"

// findStack finds the local that holds the stack pointer: it gets it where the function begins, and nothing else but it
// after calls, or with something added.
func (w *work) findStack() {
	s := w.steps
	w.sp = none
	if len(s) < 3 || s[0].op != code.GlobalGet || s[1].op != code.LocalSet {
		return
	}
	global, local := s[0].x, s[1].x
	for i := 2; i < len(s); i++ {
		if s[i].x != local || s[i].op != code.LocalSet && s[i].op != code.LocalTee {
			continue
		}
		if s[i-1].op == code.GlobalGet && s[i-1].x == global {
			continue
		}
		if i < 3 || s[i-1].op != code.I32Add && s[i-1].op != code.I32Sub || s[i-2].op != code.I32Const ||
			s[i-3].op != code.LocalGet || s[i-3].x != local {
			return
		}
	}
	w.sp = int(local)
}

// follow follows the operands: which address each access has.
func (w *work) follow(i int) {
	s := &w.steps[i]
	switch op := s.op; {
	case op == code.LocalGet:
		w.push(i)
	case op == code.LocalSet || op == code.Drop:
		w.pop()
	case op == code.LocalTee:
		w.pop()
		w.push(none) // what it keeps must stay
	case op == code.I32Wrap:
		w.pop()
		w.push(w.sum(i))
	case op < code.Drop, op >= code.SelectType && op < code.LocalGet, op >= code.RefNull:
		w.stack = w.stack[:0]
	default:
		takes, puts := op.Effect()
		for range takes - 1 {
			w.pop()
		}
		if takes > 0 {
			if top := w.pop(); accessed(op) > 0 {
				w.access(s, top)
			}
		}
		for range puts {
			w.push(none)
		}
	}
}

// push puts an operand.
func (w *work) push(i int) { w.stack = append(w.stack, i) }

// pop takes an operand. One that was put before a block began or ended is not known.
func (w *work) pop() int {
	last := len(w.stack) - 1
	if last < 0 {
		return none
	}
	i := w.stack[last]
	w.stack = w.stack[:last]
	return i
}

// sum returns a step if that narrows the sum of the stack pointer and a constant.
func (w *work) sum(i int) int {
	s := w.steps
	if w.sp == none || i < 4 || s[i-1].op != code.I64Add || s[i-2].op != code.I64Const || s[i-3].op != code.I64Extend ||
		s[i-4].op != code.LocalGet || int(s[i-4].x) != w.sp || s[i-2].value < 0 || s[i-2].value >= mostOffset {
		return none
	}
	return i
}

// access takes note of the address of an access.
func (w *work) access(s *step, base int) {
	if base == none {
		return
	}
	if w.steps[base].op == code.I32Wrap {
		add := w.steps[base-2].value
		if int64(s.y)+add >= mostOffset {
			return
		}
		for i := base - 3; i <= base; i++ {
			w.steps[i].gone = true
		}
		base -= 4
		s.add = add
		w.report.Offsets++
		w.changed = true
	}
	s.base = base
}

// accessed returns how many bytes a load or store works on, or 0 for another instruction.
func accessed(op code.Op) int64 {
	if op < 0x28 || op > 0x3e {
		return 0
	}
	return [...]int64{4, 8, 4, 8, 1, 1, 2, 2, 1, 1, 2, 2, 4, 4, 4, 8, 4, 8, 1, 2, 1, 2, 4}[op-0x28]
}

// negate makes one of a comparison and its negation.
func (w *work) negate(i int) {
	if i == 0 || w.steps[i].op != code.I32Eqz {
		return
	}
	s := &w.steps[i-1]
	op, ok := opposite(s.op)
	if !ok || s.other {
		return
	}
	s.op = op
	s.other, w.steps[i].gone, w.changed = true, true, true
	w.report.Negated++
}

// stores leaves out a store of the stack pointer after which another comes at once.
func (w *work) stores(i int) {
	if w.sp == none || i < 6 || w.steps[i].op != code.GlobalSet {
		return
	}
	s := w.steps[i-6 : i+1]
	if s[0].op != code.LocalTee || int(s[0].x) != w.sp || s[1].op != code.GlobalSet || s[1].x != s[6].x ||
		s[2].op != code.LocalGet || int(s[2].x) != w.sp || s[3].op != code.I32Const ||
		s[4].op != code.I32Add && s[4].op != code.I32Sub || s[5].op != code.LocalTee || int(s[5].x) != w.sp {
		return
	}
	s[0].op, s[0].other, s[1].gone, w.changed = code.LocalSet, true, true, true
	w.report.Stores++
}
