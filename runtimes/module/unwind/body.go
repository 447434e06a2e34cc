package unwind

import (
	"slices"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
	"github.com/polyvoke/polyvoke/runtimes/module/edit"
)

// noType is the type of a block that neither takes nor leaves anything, as [code.Instruction] has it.
const noType = -64

// body is a function body that is being rewritten. Blocks have levels: the function's is 0, that of a block in it 1,
// and so on. A label is the difference of two.
type body struct {
	w      *lowering
	f      uint32
	out    code.Assembly
	copied int // up to where the old body is in the new one, but for changes

	level    int      // of the innermost block of the new body
	blocks   []block  // of the old body, the function's first
	handlers []int    // levels of blocks to leave for an exception, the outermost first
	clauses  []clause // of open try_tables

	operands *operands // nil for a function without references to exceptions
	spans    []span    // locals, of a function in which some are references
}

// block is an open block of the old body.
type block struct {
	op      code.Op
	typ     int64
	level   int // in the new body
	clauses int // of a try_table: where its handlers begin
}

// clause is a handler of a try_table.
type clause struct {
	all   bool // it catches all
	ref   bool // it passes on a reference
	tag   uint32
	level int // of the block to branch to
}

// rewrite lowers function f, unless nothing in it has to do with exceptions.
func (w *lowering) rewrite(f uint32) error {
	if !w.leaves[f] && !w.tries[f] && !w.refers[f] {
		return nil
	}
	old := w.m.Bodies()[f]
	b := &body{w: w, f: f, copied: old.Start, out: make(code.Assembly, 0, (old.End-old.Start)*5/4+32)}
	if w.refers[f] {
		b.operands = newOperands(w, f)
	}
	if err := b.begin(&old); err != nil {
		return err
	}
	var in code.Instruction
	for w.m.Instructions(&w.reader, old); w.reader.Next(&in); {
		if err := b.instruction(&in); err != nil {
			return err
		}
	}
	b.copy(old.End)
	b.finish()
	w.m.SetBody(int(f), b.out)
	return w.spend(len(b.out) - (old.End - old.Start))
}

// signature is the function's type as it was.
func (b *body) signature() module.FuncType { return b.w.m.Info.Types()[b.w.types[b.f]] }

// results are those of the function.
func (b *body) results() []module.ValueType { return b.w.shapes[b.w.types[b.f]].Results }

// begin writes the locals, and opens two blocks if an exception may leave the function: one to leave for it, and one
// that is the function's body as it was.
func (b *body) begin(old *edit.Body) error {
	if err := b.locals(old); err != nil {
		return err
	}
	b.blocks = append(b.blocks, block{op: code.Block})
	if b.w.leaves[b.f] {
		b.out.Begin(code.Block).BeginTyped(code.Block, b.w.leaving(b.results()))
		b.handlers, b.level = append(b.handlers, 1), 2
		b.blocks[0].level = 2
	}
	return nil
}

// finish writes how the function ends if an exception leaves it: with results that nobody looks at.
func (b *body) finish() {
	if !b.w.leaves[b.f] {
		return
	}
	a := b.out.Op(code.Return).Op(code.End)
	for _, t := range b.results() {
		a.Zero(byte(t))
	}
	a.Op(code.End)
}

// copy copies the old body up to an offset.
func (b *body) copy(to int) {
	b.out = append(b.out, b.w.m.Bytes()[b.copied:to]...)
	b.copied = to
}

// instruction writes one instruction, unless it can be copied with those around it.
func (b *body) instruction(in *code.Instruction) error {
	if b.operands != nil {
		if err := b.operands.follow(in); err != nil {
			return err
		}
		if b.reference(in) {
			return b.bound()
		}
	}
	switch op := in.Op; {
	case op == code.TryTable:
		return b.try(in)
	case op.Opens():
		b.level++
		b.blocks = append(b.blocks, block{op: op, typ: in.Value, level: b.level})
		if t := b.w.blockType(in.Value); t != in.Value {
			b.replace(in).BeginTyped(op, t)
		}
	case op == code.End:
		return b.end(in)
	case op == code.Br || op == code.BrIf:
		if l := b.label(in.X); l != in.X {
			b.replace(in).Op(op, l)
		}
	case op == code.BrTable:
		b.table(in)
	case op == code.Throw:
		b.throw(in)
	case b.w.mayThrow(in):
		b.copy(in.End)
		b.check()
	}
	return nil
}

// replace copies what is before an instruction, and leaves it out.
func (b *body) replace(in *code.Instruction) *code.Assembly {
	b.copy(in.Start)
	b.copied = in.End
	return &b.out
}

// label returns what a label of the old body is in the new one.
func (b *body) label(old uint32) uint32 {
	return uint32(b.level - b.blocks[len(b.blocks)-1-int(old)].level)
}

// table writes a br_table.
func (b *body) table(in *code.Instruction) {
	moved := func(l uint32) bool { return b.label(l) != l }
	if !slices.ContainsFunc(in.Labels, moved) {
		return
	}
	a := b.replace(in).Op(code.BrTable, uint32(len(in.Labels)-1))
	for _, l := range in.Labels {
		a.Label(b.label(l))
	}
}

// throw writes a throw.
func (b *body) throw(in *code.Instruction) {
	a := b.replace(in)
	b.w.store(a, in.X)
	b.leave(a, code.Br)
	b.w.report.Throws++
}

// check writes a look at what a call has left.
func (b *body) check() {
	b.leave(b.out.Op(code.GlobalGet, b.w.pending), code.BrIf)
	b.w.report.Checks++
}

// leave writes a branch to the next handler.
func (b *body) leave(a *code.Assembly, op code.Op) {
	a.Op(op, uint32(b.level-b.handlers[len(b.handlers)-1]))
}
