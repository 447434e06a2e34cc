// Package address makes plain what Go's compiler makes of addresses. In goes a module; out comes one that does the same
// with fewer questions whether an address lies in the memory.
//
// An engine that checks bounds by code asks once for each value that is an address, and again if a use goes beyond what
// it has asked for. Go adds offsets to its stack pointer in 64 bits, which makes each sum a value of its own:
//
//	local.get $sp  i64.extend_i32_u  i64.const 24  i64.add  i32.wrap_i64      local.get $sp
//	local.get $x   i64.store                                                  local.get $x  i64.store offset=24
//
// Where a function uses its stack pointer several times, the highest use is asked for first, by a load that is dropped.
//
// What follows a call is never reached if the function never returns zero, which Go's functions do to go on. Go has such
// a call, which panics, at each use of a pointer that may be nil. Otherwise the ways would meet behind it, with another
// stack pointer and another size of the memory.
//
// Besides, a comparison that is negated becomes its opposite; of two values that the stack pointer gets in a row only
// the second is stored; and code that panics, or makes the stack larger, moves to the other branch of its if, where the
// engine puts it behind all other code.
//
// # What changes
//
// The stack of a program in Go lies in its memory, and a function is called only when the memory at the stack pointer
// has the address to return to. So what a function uses of its frame is in the memory, too, and nothing changes but the
// fuel. A module that pretends to come from Go, and has its stack pointer within 64 KiB of the end of the memory or of
// the 32 bits, may trap earlier than it did.
package address

import (
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
	"github.com/polyvoke/polyvoke/runtimes/module/edit"
)

// Report says what has been made of a module.
type Report struct {
	// Functions is how many functions have changed.
	Functions int
	// Offsets is how many additions to the stack pointer became offsets.
	Offsets int
	// Ahead is how many times the highest use of a frame is asked for first.
	Ahead int
	// Stores is how many stores of the stack pointer are left out, and Negated how many negations.
	Stores, Negated int
	// Ends is how many calls are known to never come back, and Rare how much code is put behind the rest.
	Ends, Rare int
}

// mostOffset is the highest offset that is taken for one in a frame.
const mostOffset = 1 << 16

// Lower changes the functions of a binary that Go's linker has made. What it returns has the sections and functions of
// the binary, and may exceed the limits in how large functions are.
//
// # Errors
//
// A *module.Error says that the binary is malformed or exceeds the limits.
func Lower(b []byte, l module.Limits) ([]byte, *Report, error) {
	m, err := edit.Open(b, l)
	if err != nil {
		return nil, nil, err
	}
	r := Apply(m)
	return m.Encode(), r, nil
}

// Apply changes the functions of a module that was opened without imports to add. It needs time in proportion to the
// module.
func Apply(m *edit.Module) *Report {
	w := &work{m: m}
	w.findNever()
	for f, b := range m.Bodies() {
		w.function(f, b)
	}
	return &w.report
}

// work is the work on one module, and on one function after the other.
type work struct {
	m      *edit.Module
	reader code.Reader
	report Report

	steps   []step
	stack   []int // by operand: the step that it is an address of, or none
	sp      int   // the local that holds the stack pointer, or none
	changed bool
	never   []bool // by function of the binary: it never returns zero
}

// none is no step, and no local.
const none = -1

// step is an instruction and what becomes of it.
type step struct {
	op         code.Op
	x, y       uint32
	value      int64
	start, end int

	base  int   // of an access: the step that is its address, or none
	add   int64 // of an access: what is added to its offset
	gone  bool  // it is left out
	other bool  // op, or x, is another than in the binary
	ahead int64 // what is asked for before it, from the local that it gets, or 0
	never bool  // what comes after it is never reached

	swapped bool // of an if: what is in it goes to the other branch
	not     bool // a negation is before it
	zero    bool // of i64.eqz: it becomes the opposite
}

// function changes one function, if there is something to change.
func (w *work) function(f int, b edit.Body) {
	w.read(b)
	w.changed, w.stack = false, w.stack[:0]
	w.findStack()
	for i := range w.steps {
		w.follow(i)
		w.negate(i)
		w.stores(i)
		w.end(i)
	}
	w.askAhead()
	w.rare()
	if w.changed {
		w.report.Functions++
		w.m.SetBody(f, w.emit(b))
	}
}

// read reads the instructions of a body.
func (w *work) read(b edit.Body) {
	w.steps = w.steps[:0]
	w.m.Instructions(&w.reader, b)
	for in := (code.Instruction{}); w.reader.Next(&in); {
		w.steps = append(w.steps, step{op: in.Op, x: in.X, y: in.Y, value: in.Value, start: in.Start, end: in.End,
			base: none})
	}
}
