package meter

import "github.com/polyvoke/polyvoke/runtimes/module/code"

// loop is what is known of a loop before its costs are.
type loop struct {
	// joined reports whether the way to the loop pays for its first turn, and the branch to its head for
	// another. Other loops are charged at the head.
	joined bool
	// outermost reports whether the loop is charged at the head by [meter.chargeHead] and none around it is, covered
	// whether one is.
	outermost, covered bool

	outer    int  // the index of the loop around it, or -1
	params   bool // it has parameters
	odd      bool // not only br and br_if lead to the head
	tries    bool // there is a try_table in it
	recurs   bool // a call in it may lead back to its function
	descends bool // a call in it may lead to a recursion
	branches int  // how many lead to the head
}

// survey looks at the loops of a function, and decides where each is charged.
type survey struct {
	loops []loop
	open  []int // for each open block the index of its loop, or -1
	inner int   // the index of the innermost open loop, or -1

	recurs   bool // a call outside of loops may lead back to the function
	descends bool // a call outside of loops that are charged at the head may lead to a recursion
}

// find looks at function f.
func (s *survey) find(w *meter, f uint32) {
	*s = survey{loops: s.loops[:0], open: append(s.open[:0], -1), inner: -1}
	var in code.Instruction
	for w.m.Instructions(&w.reader, w.m.Bodies()[f]); w.reader.Next(&in); {
		switch op := in.Op; {
		case op.Opens():
			s.begin(w, &in)
		case op == code.End:
			s.end()
		case op == code.Br || op == code.BrIf:
			if l := s.target(in.X); l != nil {
				l.branches++
			}
		case op == code.BrTable:
			s.odd(in.Labels)
		case op.IsCall():
			s.call(w.mayRecur(f, &in), w.descends(f, &in))
		}
	}
	for i := range s.loops {
		s.decide(&s.loops[i])
	}
}

// decide chooses where a loop is charged. A charge goes where there is a branch to the head only if there is one such
// branch, without operands, and it is a br or br_if. A loop with a call that may be a recursion pays for its first
// turn as well, unless the function pays for its entry anyway: otherwise that would have to, and would more often.
func (s *survey) decide(l *loop) {
	l.joined = l.branches <= 1 && !l.odd && !l.params && !l.tries && (!l.recurs || s.recurs)
	if l.outer >= 0 {
		o := &s.loops[l.outer]
		l.covered = o.covered || o.outermost
	}
	l.outermost = !l.joined && !l.params && !l.covered
	s.descends = s.descends || l.descends && !l.covered && !l.outermost
}

// call notes a call.
func (s *survey) call(recurs, descends bool) {
	if s.inner < 0 {
		s.recurs, s.descends = s.recurs || recurs, s.descends || descends
		return
	}
	l := &s.loops[s.inner]
	l.recurs, l.descends = l.recurs || recurs, l.descends || descends
}

// begin opens a block.
func (s *survey) begin(w *meter, in *code.Instruction) {
	at := -1
	switch in.Op {
	case code.TryTable: // its labels count from outside of it
		s.odd(in.Labels)
		if s.inner >= 0 {
			s.loops[s.inner].tries = true
		}
	case code.Loop:
		at = len(s.loops)
		s.loops = append(s.loops, loop{outer: s.inner, params: in.Value >= 0 && len(w.m.Info.Types()[in.Value].Params) > 0})
		s.inner = at
	}
	s.open = append(s.open, at)
}

// end closes a block.
func (s *survey) end() {
	last := len(s.open) - 1
	if i := s.open[last]; i >= 0 {
		s.inner = s.loops[i].outer
	}
	s.open = s.open[:last]
}

// target returns the loop that a label leads to the head of, or nil.
func (s *survey) target(label uint32) *loop {
	if i := s.open[len(s.open)-1-int(label)]; i >= 0 {
		return &s.loops[i]
	}
	return nil
}

// odd notes that labels of a br_table or of handlers lead to loops.
func (s *survey) odd(labels []uint32) {
	for _, label := range labels {
		if l := s.target(label); l != nil {
			l.odd = true
		}
	}
}
