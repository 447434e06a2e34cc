package module

import "github.com/polyvoke/polyvoke/runtimes/module/code"

// walker goes through the instructions of function bodies: it checks that blocks are closed, that
// every index has something behind it, and notes what the analysis wants to know. The types of
// operands are left to the engine.
type walker struct {
	m      *Module
	params int   // of the function
	locals int64 // of the function, its parameters included
	all    int64 // locals of all functions so far
	nested int64 // what the nesting of blocks costs so far, see Limits.Nesting
	reader code.Reader
	blocks []code.Op // those open, the function's own first
}

// walk reads the instructions of one body.
func (w *walker) walk(c *cursor) {
	w.reader.Reset(c.b, c.pos, c.end, w.m.limits.Labels)
	w.blocks = append(w.blocks[:0], code.Block)
	var in code.Instruction
	for len(w.blocks) > 0 && w.reader.Next(&in) {
		w.pay(&in)
		if w.check(c, &in); !c.ok() {
			return
		}
		if w.nested > w.m.limits.Nesting {
			c.failAt(in.Start, "blocks are nested too deeply for a module of this size: %d are around one another here; "+
				"split large functions, or have the compiler inline less", len(w.blocks)-1)
			return
		}
		w.m.Analysis.note(in.Op)
	}
	if err := w.reader.Err(); err != nil {
		c.failAt(err.Offset, "%s", err.Msg)
		return
	}
	c.pos = w.reader.Pos()
	if len(w.blocks) > 0 {
		c.fail("a function body does not end with the instruction end")
	}
}

// pay adds what an instruction costs because of the blocks around it.
func (w *walker) pay(in *code.Instruction) {
	depth := int64(len(w.blocks))
	switch op := in.Op; {
	case op == code.If:
		w.nested += 8 * depth
	case op.Opens():
		w.nested += 4 * depth
	case op.IsCall() || op == code.Return:
		w.nested += depth
	case op == code.Br || op == code.BrIf:
		w.nested += int64(in.X)
	case op == code.BrTable:
		for _, l := range in.Labels {
			w.nested += int64(l)
		}
	}
}

// check checks one instruction.
func (w *walker) check(c *cursor, in *code.Instruction) {
	switch op := in.Op; {
	case op.Opens():
		w.open(c, in)
	case op == code.Else:
		if last := len(w.blocks) - 1; w.blocks[last] == code.If {
			w.blocks[last] = code.Else
		} else {
			c.failAt(in.Start, "an else without an if")
		}
	case op == code.End:
		w.blocks = w.blocks[:len(w.blocks)-1]
	case op == code.Br || op == code.BrIf:
		w.label(c, in, in.X)
	case op == code.BrTable:
		for _, l := range in.Labels {
			w.label(c, in, l)
		}
	case op >= code.LocalGet && op <= code.LocalTee:
		w.index(c, in, "local", in.X, w.locals)
	default:
		w.indices(c, in)
	}
}

// open checks the beginning of a block.
func (w *walker) open(c *cursor, in *code.Instruction) {
	for _, t := range in.Tags {
		w.index(c, in, "tag", t, int64(len(w.m.tags)))
	}
	for _, l := range in.Labels { // of handlers, which are outside of the block
		w.label(c, in, l)
	}
	if in.Value >= int64(len(w.m.types)) {
		c.failAt(in.Start, "there is no type %d", in.Value)
	}
	w.blocks = append(w.blocks, in.Op)
}

// label checks the index of a label.
func (w *walker) label(c *cursor, in *code.Instruction, l uint32) {
	if int64(l) >= int64(len(w.blocks)) {
		c.failAt(in.Start, "there is no label %d", l)
	}
}

// index checks an index into n things.
func (w *walker) index(c *cursor, in *code.Instruction, what string, i uint32, n int64) {
	if int64(i) >= n {
		c.failAt(in.Start, "there is no %s %d", what, i)
	}
}

// indices checks the indices of the module's own things.
func (w *walker) indices(c *cursor, in *code.Instruction) {
	m := w.m
	switch op := in.Op; op {
	case code.Call, code.ReturnCall, code.RefFunc:
		w.index(c, in, "function", in.X, int64(len(m.functions)))
	case code.CallIndirect, code.ReturnCallIndirect:
		w.index(c, in, "type", in.X, int64(len(m.types)))
		w.index(c, in, "table", in.Y, int64(len(m.Tables)))
	case code.GlobalGet, code.GlobalSet:
		w.index(c, in, "global", in.X, int64(len(m.globals)))
	case code.TableGet, code.TableSet, code.TableGrow, code.TableSize, code.TableFill:
		w.index(c, in, "table", in.X, int64(len(m.Tables)))
	case code.TableCopy:
		w.index(c, in, "table", max(in.X, in.Y), int64(len(m.Tables)))
	case code.TableInit:
		w.index(c, in, "element segment", in.X, int64(m.Elements))
		w.index(c, in, "table", in.Y, int64(len(m.Tables)))
	case code.ElemDrop:
		w.index(c, in, "element segment", in.X, int64(m.Elements))
	case code.MemoryInit, code.DataDrop:
		w.index(c, in, "data segment (as announced before the code)", in.X, int64(m.dataCount))
	case code.Throw:
		w.index(c, in, "tag", in.X, int64(len(m.tags)))
	}
	if len(m.Memories) == 0 && in.Op.NeedsMemory() {
		c.failAt(in.Start, "the instruction needs a memory, and the module has none")
	}
}
