package meter

import (
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
	"github.com/polyvoke/polyvoke/runtimes/module/leb"
)

// body is a function body that is being rewritten.
type body struct {
	w      *meter
	out    code.Assembly
	copied int // up to where the old body is in the new one, but for changes
	loops  int // how many have been seen

	depth byte   // how far the function is from recursion
	frame int64  // what a call of it takes from the stack
	rest  uint32 // the local that holds the stack left
}

// rewrite returns the metered form of a function whose costs have been planned.
func (w *meter) rewrite(f uint32) []byte {
	old := w.m.Bodies()[f]
	b := &body{w: w, copied: old.Code, out: make(code.Assembly, 0, (old.End-old.Start)*5/4+32)}
	b.begin(f)
	if c := w.paths.costs[0]; c > 0 {
		w.charge(&b.out, c)
		w.report.Entries++
	}
	var in, before code.Instruction
	for w.m.Instructions(&w.reader, old); w.reader.Next(&in); before = in {
		b.instruction(&in, &before)
	}
	b.copy(old.End)
	return b.out
}

// begin writes the locals, and the code that bounds the stack.
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
	b.frame = callFrame + valueFrame*int64(b.rest) + tryFrame*int64(w.paths.most)
	b.out = append(b.out, 1, byte(module.I32))
	b.enter()
}

// enter writes the code that reads how much stack is left. A function that can call itself takes its own frame from it and
// traps if there is not enough; what is left is below zero then, which tells this trap from others. Nothing is needed where a function ends, since each sets what is
// left for those that it calls.
func (b *body) enter() {
	a := b.out.Op(code.GlobalGet, b.w.stack)
	if b.depth == leading {
		a.Op(code.LocalSet, b.rest)
		return
	}
	a.I32(b.frame).Op(code.I32Sub).Op(code.LocalTee, b.rest)
	a.I32(0).Op(code.I32LtS).Begin(code.If).Get(b.rest).Op(code.GlobalSet, b.w.stack).Op(code.Unreachable).Op(code.End)
}

// copy copies the old body up to an offset.
func (b *body) copy(to int) {
	b.out = append(b.out, b.w.m.Bytes()[b.copied:to]...)
	b.copied = to
}

// instruction writes one instruction, unless it can be copied with those around it.
func (b *body) instruction(in, before *code.Instruction) {
	w := b.w
	if b.descends(in) {
		b.copy(in.Start)
		b.descend(in)
	}
	switch {
	case in.Op == code.TryTable:
		b.copy(in.Start)
		b.out.Op(code.Call, w.try)
	case in.Op == code.Throw || in.Op == code.ThrowRef:
		b.copy(in.Start)
		b.out.Op(code.Call, w.throw)
	case in.Op == code.Loop:
		b.loops++
		if c := w.paths.costs[b.loops]; c > 0 {
			b.copy(in.End)
			w.charge(&b.out, c)
			w.report.Loops++
		}
	case in.Op.NamesFunction():
		b.copy(in.Start)
		b.out = w.m.AppendInstruction(b.out, in)
		b.copied = in.End
	case helped(in, before):
		b.copy(in.Start)
		b.out.Op(code.Call, w.helper(in))
		b.copied = in.End
	}
}

// descends tells whether an instruction is a call that may lead to a recursion.
func (b *body) descends(in *code.Instruction) bool {
	switch {
	case b.depth == straight || !in.Op.IsCall():
		return false
	case in.Op.IsIndirect():
		return true
	}
	return in.X >= b.w.imported && b.w.depths.of[in.X-b.w.imported] != straight
}

// descend writes the code that says how much stack is left to the function that is called. A tail call gives back the frame.
func (b *body) descend(in *code.Instruction) {
	b.out.Get(b.rest)
	if in.Op.IsTailCall() && b.depth == recursive {
		b.out.I32(b.frame).Op(code.I32Add)
	}
	b.out.Op(code.GlobalSet, b.w.stack)
}
