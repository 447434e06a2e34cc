package unwind

import (
	"slices"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
)

// try writes the beginning of a try_table: three blocks, the outer two for its handlers.
func (b *body) try(in *code.Instruction) error {
	first := len(b.clauses)
	tags := in.Tags
	for i, l := range in.Labels {
		to := len(b.blocks) - 1 - int(l)
		kind := in.Kinds[i]
		c := clause{
			all:   kind >= code.CatchAll,
			ref:   kind == code.CatchRef || kind == code.CatchAllRef,
			level: b.blocks[to].level,
		}
		var carried []module.ValueType
		if !c.all {
			c.tag, tags = tags[0], tags[1:]
			carried = b.w.params(c.tag)
		}
		if c.ref {
			carried = append(slices.Clip(carried), module.ExnRef)
		}
		if !slices.Equal(carried, b.labelTypes(to)) {
			return errHandler
		}
		b.clauses = append(b.clauses, c)
	}
	t := b.w.blockType(in.Value)
	b.replace(in).BeginTyped(code.Block, t).BeginTyped(code.Block, b.w.taking(in.Value)).BeginTyped(code.Block, t)
	b.level += 3
	b.handlers = append(b.handlers, b.level-1)
	b.blocks = append(b.blocks, block{op: code.TryTable, typ: in.Value, level: b.level, clauses: first})
	b.w.report.Tries++
	return nil
}

// taking returns the type of a block that takes what one of another type does, and leaves nothing.
func (w *lowering) taking(t int64) int64 {
	if t < 0 {
		return noType
	}
	if known, ok := w.takes[t]; ok { // looking it up among all types is slow if it has many parameters
		return known
	}
	w.takes[t] = noType
	if params := w.shapes[t].Params; len(params) > 0 {
		w.takes[t] = int64(w.m.Type(module.FuncType{Params: params}))
	}
	return w.takes[t]
}

// labelTypes returns the types of what a branch to a block of the old body takes, as they were.
func (b *body) labelTypes(i int) []module.ValueType {
	k := b.blocks[i]
	switch {
	case i == 0:
		return b.signature().Results
	case k.typ == noType || k.op == code.Loop && k.typ < 0:
		return nil
	case k.typ < 0:
		return []module.ValueType{module.ValueType(k.typ + 128)}
	case k.op == code.Loop:
		return b.w.m.Info.Types()[k.typ].Params
	}
	return b.w.m.Info.Types()[k.typ].Results
}

// end writes the end of a block, and after a try_table its handlers.
func (b *body) end(in *code.Instruction) error {
	last := len(b.blocks) - 1
	k := b.blocks[last]
	b.blocks = b.blocks[:last]
	b.level--
	if k.op != code.TryTable {
		return nil
	}
	b.copy(in.End)
	b.out.Op(code.Br, 1).Op(code.End)
	b.level--
	b.handlers = b.handlers[:len(b.handlers)-1]
	b.dispatch(b.clauses[k.clauses:])
	b.clauses = b.clauses[:k.clauses]
	b.out.Op(code.End)
	b.level--
	return b.bound()
}

// bound returns an error if the body becomes too large.
func (b *body) bound() error {
	if len(b.out) > b.w.left {
		return errSize
	}
	return nil
}

// dispatch writes the handlers of a try_table, and where exceptions go that none of them catches.
func (b *body) dispatch(clauses []clause) {
	a, w := &b.out, b.w
	for _, c := range clauses {
		to := uint32(b.level - c.level)
		if c.all {
			if c.ref {
				w.hold(a.Op(code.GlobalGet, w.pending))
			}
			w.clear(a)
			a.Op(code.Br, to)
			return
		}
		a.Op(code.GlobalGet, w.pending).I32(int64(c.tag) + 1).Op(code.I32Eq).Begin(code.If)
		w.load(a, &c)
		a.Op(code.Br, to+1).Op(code.End)
	}
	if len(b.handlers) > 0 {
		b.leave(a, code.Br)
	} else { // there are no exceptions here
		a.Op(code.Unreachable)
	}
}
