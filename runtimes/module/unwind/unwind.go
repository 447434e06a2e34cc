// Package unwind takes the exceptions out of a module. In goes a module that throws and catches; out comes one
// that does the same with branches and globals, so that its state is memory, globals and the stack
// alone, and no engine needs to know where its handlers are.
//
// It lowers the proposal for exception handling with exnref: the tag section, throw, throw_ref, and try_table with
// all its handlers. That is what compilers make of setjmp and longjmp, and of C++. What is not lowered is left to the
// engine, see [Apply].
//
// # How it works
//
// A throw puts its operands into globals, the number of its tag into another, and leaves for the handler. Around it
// that is a branch. Farther out, each call of a function that an exception may leave is followed by a look at that
// global, and a branch if it is set. Which functions those are is known from who calls whom, and for calls through
// tables from the types; so code that no exception passes through stays as it is, byte by byte.
//
//	try_table (catch $t $l)        block $join
//	  ...                            block $handler
//	end                                block ... end        (what was in the try_table)
//	                                   br $join
//	                                 end
//	                                 if pending is $t: take it, br $l with its operands
//	                                 br (to the next handler outside)
//	                               end
//
// A reference to an exception becomes several values: the number of the tag, or 0 for none, and all that exceptions
// carry. So a local becomes several, as do a parameter, a result, and what a block takes and leaves. To throw it
// again is to put its values back into the globals. Exceptions cannot be told apart but by what they are, so nobody
// sees that there are copies. In functions that have references, the operands are followed to know which of them they
// are.
//
// Whoever calls an export that an exception leaves sees a trap, as before. So does whoever makes an instance, if an
// exception leaves the start function. The global [Report].Uncaught tells such a trap from others. Nobody may call what
// is in a table that the module exports.
package unwind

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
	"github.com/polyvoke/polyvoke/runtimes/module/edit"
)

// Why modules keep their exceptions.
var (
	errShared = errors.New("exceptions might pass between it and another module: " +
		"it exports a tag, or imports something that is not of WASI")
	errReferences = errors.New("it has references to exceptions (exnref) in tables, in globals, " +
		"or in the types of what it imports or exports")
	errMany     = errors.New("it has references to exceptions (exnref), which together carry more than 16 values")
	errAlike    = errors.New("without references to exceptions (exnref), two types of functions would become one")
	errOperands = errors.New("an instruction has operands of the wrong type")
	errPayload  = errors.New("its exceptions carry more than 16 values, vectors or references")
	errHandler  = errors.New("a handler does not fit the label that it branches to")
	errSize     = errors.New("without them it would become too large")
)

// mostPayload is how many values an exception may carry, and if there are references to exceptions, all of them
// together.
const mostPayload = 16

// Report says what has been made of a module.
type Report struct {
	// Functions is how many functions an exception may leave.
	Functions int
	// Tries, Throws and Checks are how many try_tables and throws were lowered, and how many calls are
	// followed by a look.
	Tries, Throws, Checks int
	// Uncaught is the index of the global, an i32, that is not zero after a call from outside has trapped because
	// nothing caught an exception. It stays so until somebody sets it.
	Uncaught uint32
}

// lowering is the work on one module.
type lowering struct {
	m      *edit.Module
	report Report
	reader code.Reader
	left   int // bytes that may still be written
	steps  int // operands that may still be followed

	imported  uint32 // functions of the module's own
	types     []uint32
	canonical []uint32        // by type: the first that is the same
	leaves    []bool          // by defined function: an exception may leave it
	indirect  []bool          // by canonical type: an exception may leave a function of it that is in a table
	tries     []bool          // by defined function: it has a try_table
	named     map[uint32]bool // functions that code refers to
	refs      []bool          // by type: it has references to exceptions
	refers    []bool          // by defined function: it has references to exceptions, or calls what takes or leaves some
	signs     map[uint32]bool // types of functions and calls

	shapes []module.FuncType  // what the types become
	values []module.ValueType // what a reference to an exception becomes

	pending uint32                        // the global that holds the number of a tag, counted from 1
	slots   map[module.ValueType][]uint32 // globals for the values that exceptions carry
	all     []uint32                      // the slots, in the order of values
	payload map[uint32][]uint32           // by type of a tag: its slots
	takes   map[int64]int64               // by type of a block: that of one which only takes the same
}

// Apply lowers the exceptions of a module that was opened without imports to add. It needs time and memory in
// proportion to the module, and makes it at most about three times as large, and 64 KiB.
//
// # Errors
//
// The error says why the module must keep its exceptions: it exports a tag, or imports anything but functions of
// WASI; it has references to exceptions in tables or globals; its exceptions carry vectors, references or many
// values; a handler's label is of another type, or operands are, so that the module is not valid; or it would grow
// too much. What has been done to m until then is of no use.
func Apply(m *edit.Module) (*Report, error) {
	w := &lowering{
		m:        m,
		imported: uint32(m.Info.ImportedFunctions()),
		left:     2*m.Info.Size + 1<<16,
		steps:    16*m.Info.Size + 1<<16,
		slots:    map[module.ValueType][]uint32{},
		payload:  map[uint32][]uint32{},
		named:    map[uint32]bool{},
		signs:    map[uint32]bool{},
		takes:    map[int64]int64{},
	}
	w.types = m.Info.FunctionTypes()[w.imported:]
	for _, t := range m.Info.Types() {
		w.canonical = append(w.canonical, m.Type(t))
		w.refs = append(w.refs, slices.Contains(t.Params, module.ExnRef) || slices.Contains(t.Results, module.ExnRef))
	}
	if err := w.findThrowing(); err != nil {
		return nil, err
	}
	w.pending = m.AddGlobal(module.I32, 0)
	w.report.Uncaught = m.AddGlobal(module.I32, 0)
	if err := w.addPayloads(); err != nil {
		return nil, err
	}
	if err := w.reshape(); err != nil {
		return nil, err
	}
	for f := range w.types {
		if err := w.rewrite(uint32(f)); err != nil {
			return nil, err
		}
	}
	if err := w.guard(); err != nil {
		return nil, err
	}
	return &w.report, nil
}

// Lower takes the exceptions out of a binary, see [Apply]. What it returns has the sections of the binary, and may
// exceed the limits in what lowering adds; [Limits] are those to read it with.
//
// # Errors
//
// A *module.Error says that the binary is malformed or exceeds the limits; others are those of Apply.
func Lower(b []byte, l module.Limits) ([]byte, *Report, error) {
	m, err := edit.Open(b, l)
	if err != nil {
		return nil, nil, err
	}
	r, err := Apply(m)
	if err != nil {
		return nil, nil, err
	}
	b = m.Encode()
	if _, err := Limits(l).Parse(b); err != nil {
		return nil, nil, fmt.Errorf("without them it would exceed a limit: %w", err)
	}
	return b, r, nil
}

// Limits returns limits that what Lower makes of a module keeps if the module keeps l.
func Limits(l module.Limits) module.Limits {
	const endless = 1 << 30
	l.Size, l.Functions, l.Body = endless, endless, endless
	l.Nesting, l.Globals, l.Constants = math.MaxInt64, endless, endless
	return l
}

// spend takes note that code has been written.
func (w *lowering) spend(bytes int) error {
	if w.left -= bytes; w.left < 0 {
		return errSize
	}
	return nil
}
