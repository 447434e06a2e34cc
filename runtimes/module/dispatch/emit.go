package dispatch

import (
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
	"github.com/polyvoke/polyvoke/runtimes/module/edit"
	"github.com/polyvoke/polyvoke/runtimes/module/leb"
)

// emitter writes the new body of a function.
type emitter struct {
	*graph
	out  code.Assembly
	open []int  // what labels there are, the innermost last
	at   []int  // by node: where its label is in open, or none
	kept uint32 // the local in place of local 0 for what a call through a table calls
}

// emit returns the new form of a body.
func (g *graph) emit(b edit.Body) []byte {
	e := &emitter{graph: g, at: filled(len(g.to)), kept: 1 + b.Locals}
	end := b.End
	e.out = e.locals(make(code.Assembly, 0, end-b.Start+64), b)
	e.out = append(e.out, g.p.b[g.p.start:g.p.loop]...)
	if g.p.wrapped {
		e.out.Begin(code.Block)
	}
	e.begin(code.Block, none) // what falls out of the loop comes to its end
	e.tree(g.entry)
	e.end()
	return append(e.out, g.p.b[g.p.after:end]...)
}

// locals writes the locals of a body, and the one that is added.
func (e *emitter) locals(out code.Assembly, b edit.Body) code.Assembly {
	if e.p.keeps == 0 {
		return append(out, e.p.b[b.Start:b.Code]...)
	}
	_, n := leb.U32(e.p.b[b.Start:])
	out = append(leb.AppendU32(out, b.Groups+1), e.p.b[b.Start+n:b.Code]...)
	return append(out, 1, byte(module.I32))
}

// begin begins a block whose label leads to a node.
func (e *emitter) begin(op code.Op, node int) {
	e.out.Begin(op)
	if node != none {
		e.at[node] = len(e.open)
	}
	e.open = append(e.open, node)
}

// end ends the innermost block.
func (e *emitter) end() {
	e.out.Op(code.End)
	last := len(e.open) - 1
	if node := e.open[last]; node != none {
		e.at[node] = none
	}
	e.open = e.open[:last]
}

// tree writes a node and all that stand behind it.
func (e *emitter) tree(x int) {
	isHead := e.loopOf[x] == x
	if isHead {
		for i := len(e.behind[x]) - 1; i >= 0; i-- {
			e.begin(code.Block, e.behind[x][i])
		}
		e.begin(code.Loop, x)
	}
	for i := len(e.below[x]) - 1; i >= 0; i-- {
		e.begin(code.Block, e.below[x][i])
	}
	e.node(x)
	for _, y := range e.below[x] {
		e.end()
		e.tree(y)
	}
	if !isHead {
		return
	}
	e.end()
	for _, y := range e.behind[x] {
		e.end()
		e.tree(y)
	}
}

// node writes the code of one node.
func (e *emitter) node(x int) {
	switch {
	case x == e.trap:
		e.out.Op(code.Unreachable)
	case x == e.entry:
		e.choose(none)
	case x > e.trap:
		e.choose(e.heads[x-e.trap-1])
	default:
		e.segment(x)
	}
}

// label returns the number of a node's label, in depth blocks more.
func (e *emitter) label(node, depth int) uint32 { return uint32(len(e.open) - 1 - e.at[node] + depth) }

// segment writes a segment, in which jumps are branches.
func (e *emitter) segment(i int) {
	s := &e.p.segments[i]
	if len(e.heads) > 0 && e.enter[i] && i > 0 {
		e.out.I32(0)
		e.out.Op(code.LocalSet, 0) // whoever entered here has come to where they go
	}
	copied, keeps := s.from, s.keeps
	for _, j := range s.jumps {
		keeps = e.copy(copied, j.start, keeps)
		copied = j.end
		switch {
		case j.to == outside:
			e.out.Op(j.op, uint32(len(e.open)+j.depth+j.beyond-1))
		default:
			e.out.Op(j.op, e.label(e.enterLoop(j.to), j.depth))
		}
	}
	e.copy(copied, s.to, keeps)
	switch {
	case !s.falls:
	case i+1 == len(e.p.segments):
		e.out.Op(code.Br, uint32(len(e.open)-1))
	default:
		e.out.Op(code.Br, e.label(e.enterLoop(i+1), 0))
	}
}

// copy copies code, in which what a call through a table calls is kept in the added local. It returns those of the
// instructions for that which come after.
func (e *emitter) copy(from, to int, keeps []keep) []keep {
	for len(keeps) > 0 && keeps[0].start < to {
		e.out = append(e.out, e.p.b[from:keeps[0].start]...)
		e.out.Op(keeps[0].op, e.kept)
		from, keeps = keeps[0].end, keeps[1:]
	}
	e.out = append(e.out, e.p.b[from:to]...)
	return keeps
}

// choose writes the choice by the number for the loop of a head, or for the function.
func (e *emitter) choose(h int) {
	first, table := h, e.p.table
	if h == none {
		first = e.route(none, table[0])
	}
	e.out.Get(0)
	e.out.Op(code.I32Eqz)
	e.out.Op(code.BrIf, e.label(first, 0)) // nearly always
	e.out.Get(0)
	e.out.Op(code.BrTable, uint32(len(table)-1))
	for v, i := range table {
		to := e.route(h, i)
		if v == 0 {
			to = first
		}
		e.out.Label(e.label(to, 0))
	}
}
