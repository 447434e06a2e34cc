package meter

import (
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
	"github.com/polyvoke/polyvoke/runtimes/module/leb"
)

// body is a function body that is being rewritten.
type body struct {
	w      *meter
	f      uint32
	out    code.Assembly
	copied int   // up to where the old body is in the new one, but for changes
	loops  int   // how many have been seen
	cuts   []cut // that have not
	open   []int // for each open block the number of its loop, from 1, or 0

	depth byte   // how far the function is from recursion
	frame int64  // what a call of it takes from the stack
	rest  uint32 // the local that holds the stack left
	heads bool   // the stack is tested at the heads of loops
}

// rewrite returns the metered form of a function whose costs have been planned.
func (w *meter) rewrite(f uint32) []byte {
	old := w.m.Bodies()[f]
	b := &body{w: w, f: f, copied: old.Code, cuts: w.paths.cuts, open: []int{0},
		out: make(code.Assembly, 0, (old.End-old.Start)*5/4+32)}
	b.begin(f)
	b.enter(f, w.paths.costs[0])
	var in, before code.Instruction
	for w.m.Instructions(&w.reader, old); w.reader.Next(&in); before = in {
		b.instruction(&in, &before)
	}
	b.copy(old.End)
	return b.out
}

// begin writes the locals.
func (b *body) begin(f uint32) {
	w := b.w
	old := w.m.Bodies()[f]
	groups := old.Groups
	if w.depths != nil {
		b.depth = w.depths.of[f]
	}
	if b.depth != straight {
		groups++
	}
	bytes := w.m.Bytes()
	_, n := leb.U32(bytes[old.Start:])
	b.out = append(leb.AppendU32(b.out, groups), bytes[old.Start+n:old.Code]...)
	if b.depth == straight {
		return
	}
	params := len(w.m.Info.Types()[w.types[f]].Params)
	b.rest = uint32(params) + old.Locals
	b.frame = w.frame(f) + tryFrame*int64(w.paths.most)
	b.out = append(b.out, 1, byte(module.I64))
}

// copy copies the old body up to an offset.
func (b *body) copy(to int) {
	b.out = append(b.out, b.w.m.Bytes()[b.copied:to]...)
	b.copied = to
}

// instruction writes one instruction, unless it can be copied with those around it.
func (b *body) instruction(in, before *code.Instruction) {
	w := b.w
	b.cut(in)
	descends := w.descends(b.f, in)
	if descends {
		b.copy(in.Start)
		b.descend(in)
	}
	switch {
	case in.Op == code.End:
		b.open = b.open[:len(b.open)-1]
	case in.Op.Opens():
		b.open = append(b.open, 0)
	}
	switch {
	case in.Op == code.TryTable:
		b.copy(in.Start)
		b.out.Op(code.Call, w.try)
	case in.Op == code.Throw || in.Op == code.ThrowRef:
		b.copy(in.Start)
		b.out.Op(code.Call, w.throw)
	case in.Op == code.Loop:
		b.loop(in)
	case in.Op == code.Br || in.Op == code.BrIf:
		b.branch(in)
	case in.Op.NamesFunction():
		b.copy(in.Start)
		b.out = w.m.AppendInstruction(b.out, in)
		b.copied = in.End
	case helped(in, before):
		b.copy(in.Start)
		b.out.Op(code.Call, w.helper(in))
		b.copied = in.End
	}
	if descends {
		b.copy(in.End)
		b.ascend(in)
	}
}

// cut charges before an instruction if there is a cut.
func (b *body) cut(in *code.Instruction) {
	if len(b.cuts) == 0 || b.cuts[0].start != in.Start {
		return
	}
	b.copy(in.Start)
	b.w.charge(&b.out, b.cuts[0].cost)
	b.cuts = b.cuts[1:]
}

// loop begins a loop, which is charged here if it is not joined.
func (b *body) loop(in *code.Instruction) {
	b.loops++
	b.open[len(b.open)-1] = b.loops
	cost, l := b.w.paths.costs[b.loops], b.w.paths.survey.loops[b.loops-1]
	if cost == 0 || l.joined {
		return
	}
	b.copy(in.End)
	if l.params {
		b.w.charge(&b.out, cost) // a branch to the head would need them
	} else {
		b.w.chargeHead(&b.out, cost, test{b.rest, b.heads && l.outermost})
	}
	b.w.report.Loops++
}

// branch charges a branch to the head of a joined loop. One with a condition becomes an if, charged or not: the engine
// does not combine a comparison with a br_if that leads to a loop.
func (b *body) branch(in *code.Instruction) {
	i := b.open[len(b.open)-1-int(in.X)]
	if i == 0 {
		return
	}
	cost, l := b.w.paths.costs[i], &b.w.paths.survey.loops[i-1]
	charged := l.joined && cost > 0
	if l.params || !charged && in.Op == code.Br {
		return
	}
	b.copy(in.Start)
	b.copied = in.End
	label := in.X
	if in.Op == code.BrIf {
		b.out.Begin(code.If)
		label++
	}
	if charged {
		b.w.chargeBranch(&b.out, cost, label)
		b.w.report.Loops++
	} else {
		b.out.Op(code.Br, label)
	}
	if in.Op == code.BrIf {
		b.out.Op(code.End)
	}
}
