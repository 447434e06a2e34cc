// Package atomics makes a module that was built for threads one for a single thread. In goes a module with atomic
// instructions or a shared memory; out comes one with a memory of its own and plain instructions that do the same, as
// long as nobody else runs.
//
// It lowers the threads proposal. A load, a store or a read-modify-write becomes a call of a function which checks
// that the address is aligned and does it in plain instructions. A fence is left out. Nobody waits, so
// memory.atomic.notify wakes nobody and returns 0. And since nothing can wake a waiter, memory.atomic.wait returns 1 if
// the value is another one already, and otherwise 2 when its time is over: without a time-out it waits until the
// process is ended. In a memory that is not shared it traps, as the proposal says.
//
// An address that is not aligned traps like one that is out of bounds.
package atomics

import (
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
	"github.com/polyvoke/polyvoke/runtimes/module/edit"
)

// lowering is the work on one module.
type lowering struct {
	m       *edit.Module
	shared  bool   // the memory was
	sleep   uint32 // the function to wait with, if the module waits
	helpers map[code.Op]uint32
	reader  code.Reader
}

// Needed reports whether a module has anything to lower.
func Needed(m *module.Module) bool {
	return m.Analysis.Atomics || len(m.Memories) > 0 && m.Memories[0].Shared
}

// Lower lowers the atomic instructions of a binary, and makes its memory one of its own if it is shared. sleep is the
// function of type (i64) -> () that is imported if the module waits: it waits for that number of nanoseconds, or below
// 0 until the process is ended. The code grows by less than 8 bytes for each atomic instruction.
//
// # Errors
//
// A *module.Error says that the binary is malformed or exceeds the limits.
func Lower(b []byte, l module.Limits, sleep edit.Import) ([]byte, error) {
	m, err := edit.Open(b, l)
	if err != nil {
		return nil, err
	}
	w := &lowering{m: m, shared: len(m.Info.Memories) > 0 && m.Info.Memories[0].Shared, helpers: map[code.Op]uint32{}}
	if w.shared && m.Info.Analysis.Waits {
		if m, err = edit.Open(b, l, sleep); err != nil {
			return nil, err
		}
		w.m, w.sleep = m, uint32(m.Info.ImportedFunctions())
	}
	if w.shared {
		m.OwnMemory()
	}
	for i, body := range m.Bodies() {
		w.rewrite(i, body)
	}
	return m.Encode(), nil
}

// Sleep returns the function to import that is called so.
func Sleep(from, name string) edit.Import {
	return edit.Import{Module: from, Name: name, Type: module.FuncType{Params: []module.ValueType{module.I64}}}
}

// rewrite lowers a function, unless it has no atomic instruction.
func (w *lowering) rewrite(i int, body edit.Body) {
	var out code.Assembly
	var in code.Instruction
	copied, atomic := body.Start, false
	for w.m.Instructions(&w.reader, body); w.reader.Next(&in); {
		if !in.Op.IsAtomic() && !in.Op.NamesFunction() {
			continue
		}
		out = append(out, w.m.Bytes()[copied:in.Start]...)
		copied = in.End
		switch {
		case in.Op.NamesFunction():
			out = w.m.AppendInstruction(out, &in)
		case in.Op != code.AtomicFence:
			out.I32(int64(int32(in.Y))).Op(code.Call, w.helper(in.Op))
		}
		atomic = atomic || in.Op.IsAtomic()
	}
	if atomic {
		w.m.SetBody(i, append(out, w.m.Bytes()[copied:body.End]...))
	}
}

// helper returns the function that does what an instruction does, which is made when it is first needed. Its
// parameters are the operands and the offset.
func (w *lowering) helper(op code.Op) uint32 {
	f, ok := w.helpers[op]
	if !ok {
		h := newHelper(op)
		switch {
		case op == code.AtomicNotify:
			h.notify()
		case op.IsWait():
			h.wait(w.shared, w.sleep)
		case op < code.AtomicStore:
			h.load()
		case op < code.AtomicAdd:
			h.store()
		case op < code.AtomicExchange:
			h.modify()
		case op < code.AtomicCompare:
			h.exchange()
		default:
			h.compare()
		}
		f = w.m.AddFunction(h.typ, *h.Op(code.End))
		w.helpers[op] = f
	}
	return f
}
