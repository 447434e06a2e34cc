package meter

import "github.com/polyvoke/polyvoke/runtimes/module/code"

// unreached stands for the cost of the way to code that no way leads to.
const unreached = -1

// paths finds the longest ways through a function: from its entry, and from the head of each of its loops, to
// wherever the next charge is or the function ends. The way through a joined loop counts as if it had one turn, since
// more of them are paid for as they come. Other loops pay for all their turns, so the way past one costs nothing but
// what is before and after it.
//
// It goes through the instructions once, and keeps for each open block the costliest way that
// branches to its end.
type paths struct {
	// costs are those of the entry, and of a turn of each loop in the order of the code; 0 where no way leads, and
	// for a joined loop that never turns.
	costs []int64
	// open reports whether the entry may lead to a call that is not known, or of the function's own group:
	// then it must pay for itself, or a recursion could cost nothing.
	open bool
	// cuts are the further places that are paid for by themselves, in the order of the code, because the way to them
	// is long.
	cuts []cut

	survey survey
	now    int64 // the cost of the way to this instruction from the scope's beginning
	scopes []scope
	turns  []turn
	blocks []block
	labels []uint32 // of the handlers of open try_tables
	tries  int      // how many try_tables are open
	most   int      // how many have been at once
}

// scope is code that is paid for at one place: the function, a loop that is not joined, or what is between a cut and
// the end of the block around it.
type scope struct {
	cut   bool  // it begins at a cut
	at    int   // the index of its cost
	outer int64 // the cost of the way to it, in the scope around it
}

// cut is a place in the middle of code.
type cut struct {
	start int   // where in the module the instruction is that comes next
	cost  int64 // of the longest way from there
}

// turn is an open joined loop.
type turn struct {
	at     int   // the index of its cost
	scopes int   // how many there are around it
	start  int64 // the cost of the way to it
	most   int64 // the cost of the longest way in it, from where start counts
}

// block is an open block.
type block struct {
	op       code.Op
	joined   bool  // it is a joined loop
	scopes   int   // how many there are around it
	best     int64 // the costliest way that branches to its end
	other    int64 // of an if: the cost of the way that skips it
	handlers int   // of a try_table: where its labels begin
}

// find goes through function f.
func (p *paths) find(w *meter, f uint32) {
	p.survey.find(w, f)
	*p = paths{
		costs:  append(p.costs[:0], 0),
		scopes: append(p.scopes[:0], scope{}),
		cuts:   p.cuts[:0],
		turns:  p.turns[:0],
		labels: p.labels[:0],
		blocks: append(p.blocks[:0], block{op: code.Block, scopes: 1, best: unreached}),
		survey: p.survey,
	}
	var in, before code.Instruction
	for w.m.Instructions(&w.reader, w.m.Bodies()[f]); w.reader.Next(&in); before = in {
		if p.now != unreached {
			p.cut(&in, w.o.Piece)
			p.pay(w.cost(&in, &before))
			p.open = p.open || len(p.scopes) == 1 && w.mayRecur(f, &in)
		}
		p.step(&in)
	}
}

// cut begins a new scope before an instruction if the way to it costs as much as a piece. It ends with the block
// around it.
func (p *paths) cut(in *code.Instruction, piece int64) {
	if p.now < piece || in.Op == code.End || in.Op == code.Else {
		return
	}
	p.scopes = append(p.scopes, scope{cut: true, at: len(p.cuts), outer: p.now})
	p.cuts = append(p.cuts, cut{start: in.Start})
	p.now = 0
}

// cost returns the cost of a scope.
func (p *paths) cost(s scope) *int64 {
	if s.cut {
		return &p.cuts[s.at].cost
	}
	return &p.costs[s.at]
}

// mayRecur reports whether an instruction of function f may lead back to it without a charge.
func (w *meter) mayRecur(f uint32, in *code.Instruction) bool {
	if in.Op.IsIndirect() {
		return true
	}
	return in.Op.IsCall() && in.X >= w.imported && w.group[in.X-w.imported] == w.group[f]
}

// pay adds to the cost of the way.
func (p *paths) pay(cost int64) {
	p.now += cost
	p.reach(p.now)
}

// reach notes that there is a way of a cost in the innermost loop, if that is joined, or else in the scope.
func (p *paths) reach(cost int64) {
	if n := len(p.turns); n > 0 && p.turns[n-1].scopes == len(p.scopes) {
		p.turns[n-1].most = max(p.turns[n-1].most, cost)
		return
	}
	c := p.cost(p.scopes[len(p.scopes)-1])
	*c = max(*c, cost)
}

// step follows what an instruction does to the way.
func (p *paths) step(in *code.Instruction) {
	switch op := in.Op; op {
	case code.Block, code.If, code.TryTable, code.Loop:
		p.begin(in)
	case code.Else:
		b := &p.blocks[len(p.blocks)-1]
		b.op, b.best = code.Else, max(b.best, p.in(b))
		p.now, p.scopes = b.other, p.scopes[:b.scopes]
	case code.End:
		p.end()
	case code.Br, code.BrIf:
		p.branch(in.X)
	case code.BrTable:
		for _, l := range in.Labels {
			p.branch(l)
		}
	}
	if in.Op.Leaves() {
		p.now = unreached
	}
}

// begin opens a block, and a scope if it is a loop.
func (p *paths) begin(in *code.Instruction) {
	p.blocks = append(p.blocks, block{
		op: in.Op, scopes: len(p.scopes), best: unreached, other: p.now, handlers: len(p.labels),
	})
	if in.Op == code.TryTable {
		p.labels = append(p.labels, in.Labels...)
		p.tries++
		p.most = max(p.most, p.tries)
	}
	if in.Op != code.Loop {
		return
	}
	p.costs = append(p.costs, 0)
	if p.now != unreached {
		p.loop(len(p.costs) - 1)
	}
}

// loop begins a loop.
func (p *paths) loop(at int) {
	if p.survey.loops[at-1].joined {
		p.blocks[len(p.blocks)-1].joined = true
		p.turns = append(p.turns, turn{at: at, scopes: len(p.scopes), start: p.now, most: p.now})
		return
	}
	p.scopes = append(p.scopes, scope{at: at, outer: p.now})
	p.now = 0
	p.pay(1) // a turn costs something, even of an empty loop
}

// in returns the cost of the way so far as it counts in the scope around a block.
func (p *paths) in(b *block) int64 {
	if p.now == unreached || len(p.scopes) == b.scopes {
		return p.now
	}
	return p.scopes[b.scopes].outer
}

// branch notes a way to the end of a block. Ways to the head of a loop end there.
func (p *paths) branch(label uint32) {
	if b := &p.blocks[len(p.blocks)-1-int(label)]; b.op != code.Loop {
		b.best = max(b.best, p.in(b))
	}
}

// end closes a block.
func (p *paths) end() {
	b := p.blocks[len(p.blocks)-1]
	p.blocks = p.blocks[:len(p.blocks)-1]
	now := max(p.in(&b), b.best)
	if b.op == code.If {
		now = max(now, b.other)
	}
	p.scopes = p.scopes[:b.scopes]
	if b.joined {
		last := len(p.turns) - 1
		t := p.turns[last]
		p.turns = p.turns[:last]
		p.costs[t.at] = t.most - t.start
		p.reach(t.most)
	}
	for _, l := range p.labels[b.handlers:] {
		p.catch(l)
	}
	p.labels = p.labels[:b.handlers]
	if b.op == code.TryTable {
		p.tries--
	}
	p.now = now
}

// catch notes the way of an exception to the end of a block. It may come from anywhere in the try_table, so it counts
// as much as the costliest way so far.
func (p *paths) catch(label uint32) {
	b := &p.blocks[len(p.blocks)-1-int(label)]
	switch {
	case b.op == code.Loop:
	case len(p.scopes) > b.scopes:
		b.best = max(b.best, p.scopes[b.scopes].outer)
	default:
		b.best = max(b.best, *p.cost(p.scopes[b.scopes-1])) // no joined loop is around a try_table
	}
}
