package address

import "github.com/polyvoke/polyvoke/runtimes/module/code"

// rare puts code that is rarely run into the other branch of its if: what ends in a call that never comes back, and
// what makes the stack larger where a function begins. The engine puts that behind all other code, so that the usual way
// has no jump.
func (w *work) rare() {
	w.stack = w.stack[:0] // the ifs that are open, or none for other blocks and ifs with two branches
	entry := none         // the first if, unless something has been done before it
	begun := false
	for i := range w.steps {
		s := &w.steps[i]
		if s.op == code.If && !begun {
			entry = i
		}
		begun = begun || s.op == code.If || s.op.IsCall() || i > 1 && s.sets(w.sp)
		switch last := len(w.stack) - 1; {
		case s.op == code.If && s.value == emptyType:
			w.push(i)
		case s.op.Opens():
			w.push(none)
		case s.op == code.Else && last >= 0:
			w.stack[last] = none
		case s.op == code.End:
			if at := w.pop(); at != none && (w.steps[i-1].never || at == entry && w.grows(at, i)) {
				w.swap(at)
			}
		}
	}
}

// emptyType is the type of a block without parameters and results.
const emptyType = -64

// prologue is how many steps it may take to make the stack larger.
const prologue = 16

// grows reports whether what is between an if at the beginning of a function and its end makes the stack larger.
func (w *work) grows(at, end int) bool {
	return w.sp != none && w.steps[at-1].op == code.I32LeU && end-at < prologue && w.steps[end-1].op == code.BrIf
}

// swap makes an if one with an empty first branch.
func (w *work) swap(at int) {
	c := at - 1
	for c > 0 && w.steps[c].gone && w.steps[c].op == code.I32Eqz {
		c--
	}
	s := &w.steps[c]
	switch opposite, ok := opposite(s.op); {
	case ok:
		s.op, s.other = opposite, true
	case s.op == code.I32Eqz:
		s.gone = true
	case s.op == code.I64Eqz:
		s.zero = true
	default:
		w.steps[at].not = true
	}
	w.steps[at].swapped, w.changed = true, true
	w.report.Rare++
}

// opposite returns the opposite of a comparison of integers.
func opposite(op code.Op) (code.Op, bool) {
	first := code.I32Eq
	if op >= code.I64Eq {
		first = code.I64Eq
	}
	if op < first || op >= first+10 {
		return 0, false
	}
	// eq, ne, lt_s, lt_u, gt_s, gt_u, le_s, le_u, ge_s, ge_u
	return first + [...]code.Op{1, 0, 8, 9, 6, 7, 4, 5, 2, 3}[op-first], true
}
