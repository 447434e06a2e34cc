package unwind

import (
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
	"github.com/polyvoke/polyvoke/runtimes/module/meter"
)

// reach finds the functions that exceptions may leave. It is a graph of who may be called by whom: each
// defined function is a node, and so is each type, which stands for all functions of it that are in tables.
type reach struct {
	w       *lowering
	callers [][]uint32 // by node
	thrown  []uint32   // nodes that exceptions are known to leave, whose callers have not been looked at
	marked  []bool     // by node

	blocks   []bool // those open: a try_table that catches all
	barriers int    // how many of those are
}

// findThrowing finds the functions that exceptions may leave.
func (w *lowering) findThrowing() error {
	for _, e := range w.m.Info.Exports {
		if e.Kind == module.TagKind {
			return errShared
		}
	}
	for _, im := range w.m.Info.Imports {
		if im.Kind != module.FunctionKind || !ours(im.Module) {
			return errShared
		}
	}
	if !w.inside() {
		return errReferences
	}
	functions := len(w.types)
	n := functions + len(w.canonical)
	r := &reach{w: w, callers: make([][]uint32, n), marked: make([]bool, n)}
	w.tries, w.refers = make([]bool, functions), make([]bool, functions)
	for f := range w.types {
		r.scan(uint32(f))
	}
	for _, f := range w.m.References() {
		r.offer(f)
	}
	for f := range w.named {
		r.offer(f)
	}
	r.spread()
	w.leaves, w.indirect = r.marked[:functions], r.marked[functions:]
	for _, l := range w.leaves {
		if l {
			w.report.Functions++
		}
	}
	return nil
}

// ours reports whether the functions of a module are the sandbox's, which throw nothing.
func ours(from string) bool {
	return from == module.Preview1 || from == module.Threads || from == meter.HookModule
}

// offer takes note that a function may be called through a table.
func (r *reach) offer(f uint32) {
	if f >= r.w.imported {
		f -= r.w.imported
		r.callers[f] = append(r.callers[f], r.typeNode(r.w.types[f]))
	}
}

// typeNode returns the node of a type.
func (r *reach) typeNode(t uint32) uint32 { return uint32(len(r.w.types)) + r.w.canonical[t] }

// mark takes note that exceptions leave a node.
func (r *reach) mark(node uint32) {
	if !r.marked[node] {
		r.marked[node] = true
		r.thrown = append(r.thrown, node)
	}
}

// spread marks all that call what is marked.
func (r *reach) spread() {
	for len(r.thrown) > 0 {
		last := len(r.thrown) - 1
		node := r.thrown[last]
		r.thrown = r.thrown[:last]
		for _, c := range r.callers[node] {
			r.mark(c)
		}
	}
}

// scan looks at the throws and calls in function f that are not in a try_table that catches all.
func (r *reach) scan(f uint32) {
	r.blocks, r.barriers = append(r.blocks[:0], false), 0
	r.w.signs[r.w.types[f]] = true
	r.w.refers[f] = r.w.declares(f)
	var in code.Instruction
	for r.w.m.Instructions(&r.w.reader, r.w.m.Bodies()[f]); r.w.reader.Next(&in); {
		r.w.look(f, &in)
		switch op := in.Op; {
		case op.Opens():
			r.open(f, &in)
		case op == code.End:
			r.end()
		case (op == code.Throw || op == code.ThrowRef) && r.barriers == 0:
			r.mark(f)
		case op == code.RefFunc:
			r.w.named[in.X] = true
		case op.IsCall() && (r.barriers == 0 || op.IsTailCall()): // a tail call leaves the try_table first
			r.call(f, &in)
		}
	}
}

// open opens a block of function f.
func (r *reach) open(f uint32, in *code.Instruction) {
	barrier := false
	for _, k := range in.Kinds {
		barrier = barrier || k >= code.CatchAll
	}
	if in.Op == code.TryTable {
		r.w.tries[f] = true
	}
	if barrier {
		r.barriers++
	}
	r.blocks = append(r.blocks, barrier)
}

// end closes a block.
func (r *reach) end() {
	last := len(r.blocks) - 1
	if r.blocks[last] {
		r.barriers--
	}
	r.blocks = r.blocks[:last]
}

// call takes note of a call by function f.
func (r *reach) call(f uint32, in *code.Instruction) {
	var node uint32
	switch {
	case in.Op.IsIndirect():
		node = r.typeNode(in.X)
	case in.X < r.w.imported:
		return
	default:
		node = in.X - r.w.imported
	}
	r.callers[node] = append(r.callers[node], f)
}

// mayThrow reports whether an exception may leave what an instruction calls, so that it must be looked for. After a
// tail call that is up to the caller.
func (w *lowering) mayThrow(in *code.Instruction) bool {
	switch {
	case !in.Op.IsCall() || in.Op.IsTailCall():
		return false
	case in.Op.IsIndirect():
		return w.indirect[w.canonical[in.X]]
	}
	return in.X >= w.imported && w.leaves[in.X-w.imported]
}
