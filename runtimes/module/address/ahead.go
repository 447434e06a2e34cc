package address

import "github.com/polyvoke/polyvoke/runtimes/module/code"

// askAhead finds where the highest use of a frame is asked for: where it is used first after the stack pointer has
// changed, or after ways have met.
func (w *work) askAhead() {
	if w.sp == none {
		return
	}
	for from := 0; from < len(w.steps); {
		to, most := w.epoch(from)
		w.ask(from, to, most)
		from = to
	}
}

// sets reports whether a step sets a local.
func (s *step) sets(local int) bool {
	return (s.op == code.LocalSet || s.op == code.LocalTee) && int(s.x) == local
}

// epoch returns up to where the stack pointer stays what it is after a step, and the end of the highest use. It ends at
// a return, too: Go gives the frame back before, and what comes behind has the frame.
func (w *work) epoch(from int) (to int, most int64) {
	for to = from + 1; to < len(w.steps) && !w.steps[to].sets(w.sp) && w.steps[to].op != code.Return; to++ {
		if s := &w.steps[to]; w.ofFrame(s, from) {
			if end := s.reaches(); end <= mostOffset {
				most = max(most, end)
			}
		}
	}
	return to, most
}

// ofFrame reports whether a step is an access by the stack pointer that was set by another.
func (w *work) ofFrame(s *step, set int) bool {
	return s.base > set && w.steps[s.base].op == code.LocalGet && int(w.steps[s.base].x) == w.sp
}

// reaches returns where an access ends, from its address.
func (s *step) reaches() int64 { return int64(s.y) + s.add + accessed(s.op) }

// ask asks for the highest use before the first in each part of an epoch.
func (w *work) ask(from, to int, most int64) {
	first := true
	for i := from; i < to; i++ {
		s := &w.steps[i]
		switch {
		case s.op == code.Loop || s.op == code.Else || s.op == code.End:
			first = true
		case first && w.ofFrame(s, from):
			first = false
			if s.reaches() < most {
				w.steps[s.base].ahead = most
				w.report.Ahead++
				w.changed = true
			}
		}
	}
}
