// Package rewrite makes a module ready for a sandbox that meters it and uses its instances again. In goes a
// binary from a stranger; out comes one that does the same, with a fuel gauge, with its state within reach,
// and with bounds on what it may take. It does all that the packages module, edit and meter offer,
// in one step.
//
// Whatever it adds is called polyvoke or has a name that begins with "polyvoke.", and modules that
// use such names themselves are refused: they could give themselves fuel.
package rewrite

import (
	"fmt"
	"strings"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/address"
	"github.com/polyvoke/polyvoke/runtimes/module/atomics"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
	"github.com/polyvoke/polyvoke/runtimes/module/dispatch"
	"github.com/polyvoke/polyvoke/runtimes/module/edit"
	"github.com/polyvoke/polyvoke/runtimes/module/leb"
	"github.com/polyvoke/polyvoke/runtimes/module/meter"
	"github.com/polyvoke/polyvoke/runtimes/module/unwind"
)

// The names of what a rewritten module imports and exports, besides those of package meter.
const (
	// EnterName is the function of type () -> () of the module [meter.HookModule] that RunName calls first.
	EnterName = "enter"
	// ReadyName is the function of type () -> () of that module that RunName calls between Setup and the entry.
	ReadyName = "ready"
	// ExitName is the function of type (i32) -> () of that module that RunName calls with the result of the
	// entry, if it has one and there is a Setup.
	ExitName = "exit"
	// SleepName is the function of type (i64) -> () of that module that a module calls to wait, if it was built for
	// threads: for that number of nanoseconds, or below 0 until it is ended.
	SleepName = "sleep"
	// RunName is exported as a function of type () -> () that calls the start function, if there is one, and the
	// entry, and drops its results if there is no Setup.
	RunName = "polyvoke.run"
	// MarkPrefix and a number are what each mark is exported as, see Options.Mark.
	MarkPrefix = "polyvoke.mark."
	// GlobalPrefix and an index are what each mutable numeric global of the module is exported as.
	GlobalPrefix = "polyvoke.global."

	// UncaughtName is what the global is exported as, an i32, that is not zero after a trap because of an exception
	// that nothing caught. There is one if Report.Unwind is not nil. The caller sets it to zero before the next call.
	UncaughtName = "polyvoke.uncaught"

	reserved            = "polyvoke."
	defaultTableEntries = 100_000
)

// Options say what to make of a module.
type Options struct {
	// Limits are those that the module must keep. The zero value has those of package module.
	Limits module.Limits
	// Unmetered leaves the fuel gauge and the bound of the stack out.
	Unmetered bool
	// Stack is how many bytes of stack a recursion may use, see [meter.Options] also for what 0 means.
	Stack int32
	// Piece is how much code may cost between two charges, see [meter.Options] also for what 0 means.
	Piece int64
	// Entry is the exported function, without parameters, that RunName calls. Empty means that there
	// is neither RunName nor the import EnterName, and that a start section stays; otherwise it is left out.
	Entry string
	// Setup is the exported function of type () -> () that RunName calls before, for a module whose entry does not set
	// itself up. Empty means none.
	Setup string
	// MemoryMax is the largest size of the memory in pages. 0 means what the module says.
	MemoryMax uint32
	// TableMax is how many entries a table may grow to; those that are larger from the start do not grow. 0 means
	// 100,000.
	TableMax uint32
	// FoldData takes the bytes of the active data segments out of the module, for a memory that is filled with
	// an image; Report.Data has them. Where their offsets are not plain numbers, they stay.
	FoldData bool
	// KeepCustom keeps the custom sections as they are. What they say of function indices is then wrong. Otherwise the
	// names of functions stay, and are right.
	KeepCustom bool
	// Mark adds marks: globals that tell which functions have been called.
	Mark bool
	// Without says for each function that the module defines whether it is left out: it traps with unreachable. What
	// is said about the module holds for the whole of it, and what is left costs the fuel and the stack that it always
	// costs. Nil means none.
	Without []bool
	// KeepExceptions leaves try_table and throw to the engine. Otherwise they are lowered where that is possible, see
	// package unwind.
	KeepExceptions bool
	// KeepDispatch leaves the functions that Go's compiler makes as they are. Otherwise their jumps become branches, see
	// package dispatch. The fuel that a call takes is another then.
	KeepDispatch bool
	// KeepAddresses leaves addresses as Go's compiler computes them. Otherwise they are made plain, see package address.
	// The fuel that a call takes is another then.
	KeepAddresses bool
}

// Report says what a module is and what has been made of it.
type Report struct {
	// Module is the module before. If its dispatch loops, atomic instructions or exceptions were lowered it is the module
	// right after that, which, but for the first, has a few more globals, types and functions.
	Module *module.Module
	// Dispatch is what has been made of functions with dispatch loops. It is nil if there are none, or if they stay.
	Dispatch *dispatch.Report
	// Address is what has been made of the addresses of a program in Go. It is nil for another, or if they stay.
	Address *address.Report
	// Unwind is what lowering exceptions has done. It is nil if there are none, or if they stay.
	Unwind *unwind.Report
	// Exceptions says why there still are exceptions. It is empty if there are none.
	Exceptions string
	// Meter is what metering has added. It is nil for an unmetered module.
	Meter *meter.Report
	// Globals are the names that the mutable numeric globals are exported as.
	Globals []string
	// Marks are the names that the marks are exported as, if there are any: of type i64, each for 64 functions that
	// the module defines, one bit each, the lowest for the first. Nothing in the module reads them.
	Marks []string
	// Folded reports whether the memory is empty now, and must be filled with Data before anything runs.
	Folded bool
	// Data are the data segments that were folded, later ones on top of earlier ones.
	Data []edit.Segment
	// Size is the size of the binary now, in bytes.
	Size int
}

// Rewrite checks a binary and makes it ready. It needs time and memory in proportion to len(b).
//
// # Errors
//
// Every error is a *module.Error: the module is malformed, more than the limits allow, uses a
// reserved name, or has no such entry.
func Rewrite(b []byte, o Options) ([]byte, *Report, error) {
	r := &Report{}
	m, err := r.open(b, &o)
	if err != nil {
		return nil, nil, err
	}
	if m.Info.Analysis.Exceptions {
		if m, err = r.lower(m, &o); err != nil {
			return nil, nil, err
		}
	}
	r.Module, r.Globals = m.Info, exportGlobals(m, r.Unwind)
	if o.Entry != "" {
		if err := o.addRun(m); err != nil {
			return nil, nil, err
		}
	}
	if err := o.bound(m); err != nil {
		return nil, nil, err
	}
	if o.FoldData {
		if err := r.fold(m); err != nil {
			return nil, nil, err
		}
	}
	if !o.Unmetered {
		r.Meter = meter.Apply(m, meter.Options{Stack: o.Stack, Piece: o.Piece})
	}
	if o.Mark {
		r.Marks = mark(m)
	}
	omit(m, o.Without)
	out := m.Encode()
	r.Size = len(out)
	return out, r, nil
}

// open checks a binary, lowers what it has for threads and to be entered in the middle, and takes it apart.
func (r *Report) open(b []byte, o *Options) (*edit.Module, error) {
	m, err := edit.Open(b, o.Limits, o.imports()...)
	if err == nil {
		err = checkNames(m.Info)
	}
	if err != nil {
		return nil, err
	}
	switch {
	case atomics.Needed(m.Info):
		b, err = atomics.Lower(b, o.Limits, atomics.Sleep(meter.HookModule, SleepName))
	case dispatch.Found(m.Info) && !(o.KeepDispatch && o.KeepAddresses):
		b, err = r.plain(b, o)
	default:
		return m, nil
	}
	if err != nil {
		return nil, err
	}
	o.Limits = unwind.Limits(o.Limits) // the code has grown
	return edit.Open(b, o.Limits, o.imports()...)
}

// plain makes plain code of a program in Go.
func (r *Report) plain(b []byte, o *Options) (_ []byte, err error) {
	l := o.Limits
	if !o.KeepDispatch {
		if b, r.Dispatch, err = dispatch.Lower(b, l); err != nil {
			return nil, err
		}
		l = unwind.Limits(l)
	}
	if !o.KeepAddresses {
		b, r.Address, err = address.Lower(b, l)
	}
	return b, err
}

// lower takes the exceptions out of a module, or notes why it cannot.
func (r *Report) lower(m *edit.Module, o *Options) (*edit.Module, error) {
	if o.KeepExceptions {
		r.Exceptions = "they are to be kept"
		return m, nil
	}
	b, report, err := unwind.Lower(m.Bytes(), o.Limits)
	if err != nil {
		r.Exceptions = err.Error()
		return m, nil
	}
	r.Unwind = report
	return edit.Open(b, unwind.Limits(o.Limits), o.imports()...)
}

// imports returns the functions to import.
func (o *Options) imports() (list []edit.Import) {
	if !o.Unmetered {
		list = append(list, meter.Hook())
	}
	if o.Setup != "" {
		list = append(list, edit.Import{Module: meter.HookModule, Name: ReadyName},
			edit.Import{Module: meter.HookModule, Name: ExitName, Type: module.FuncType{Params: []module.ValueType{module.I32}}})
	}
	if o.Entry != "" {
		list = append(list, edit.Import{Module: meter.HookModule, Name: EnterName})
	}
	return list
}

// checkNames refuses a module that uses reserved names.
func checkNames(m *module.Module) error {
	for _, im := range m.Imports {
		if im.Module == meter.HookModule {
			return &module.Error{Section: "import",
				Msg: fmt.Sprintf("the module imports %q from %q, which is reserved", im.Name, im.Module)}
		}
	}
	for _, e := range m.Exports {
		if strings.HasPrefix(e.Name, reserved) {
			return &module.Error{Section: "export",
				Msg: fmt.Sprintf("the module exports %q; names that begin with %q are reserved", e.Name, reserved)}
		}
	}
	return nil
}

// exportGlobals exports the mutable numeric globals.
func exportGlobals(m *edit.Module, u *unwind.Report) (names []string) {
	for _, g := range m.Info.Analysis.Numbers {
		if u != nil && g == u.Uncaught {
			m.AddExport(UncaughtName, module.GlobalKind, g)
			continue
		}
		name := fmt.Sprintf("%s%d", GlobalPrefix, g)
		m.AddExport(name, module.GlobalKind, g)
		names = append(names, name)
	}
	return names
}

// addRun adds the function that calls the entry.
func (o *Options) addRun(m *edit.Module) error {
	entry, t, err := exported(m, o.Entry)
	if err != nil {
		return err
	}
	enter := m.Function(uint32(m.Info.ImportedFunctions())) - 1 // the last of those imported
	exit, ready := enter-1, enter-2
	body := call(nil, enter)
	if m.Info.Start {
		body = call(body, m.Function(m.Start()))
		m.DropStart()
	}
	if o.Setup != "" {
		setup, t, err := exported(m, o.Setup)
		if err != nil {
			return err
		}
		body = dropAll(call(body, setup), t)
		body = call(body, ready)
	}
	body = call(body, entry)
	if o.Setup != "" && len(t.Results) == 1 && t.Results[0] == module.I32 {
		body = call(body, exit)
	} else {
		body = dropAll(body, t)
	}
	body = append([]byte{0}, body...) // no locals
	m.AddExport(RunName, module.FunctionKind, m.AddFunction(module.FuncType{}, append(body, byte(code.End))))
	return nil
}

// exported returns the index that an exported function without parameters has now, and its type.
func exported(m *edit.Module, name string) (uint32, module.FuncType, error) {
	for _, e := range m.Info.Exports {
		if e.Name != name || e.Kind != module.FunctionKind {
			continue
		}
		t := m.Info.Types()[m.Info.FunctionTypes()[e.Index]]
		if len(t.Params) > 0 {
			return 0, t, &module.Error{Section: "export",
				Msg: fmt.Sprintf("the entry %q has parameters: its type is %s", name, t)}
		}
		return m.Function(e.Index), t, nil
	}
	return 0, module.FuncType{}, &module.Error{Section: "export",
		Msg: fmt.Sprintf("the module exports no function %q", name)}
}

// call appends the call of a function.
func call(body []byte, f uint32) []byte { return leb.AppendU32(append(body, byte(code.Call)), f) }

// dropAll appends instructions that drop the results of a function.
func dropAll(body []byte, t module.FuncType) []byte {
	for range t.Results {
		body = append(body, byte(code.Drop))
	}
	return body
}

// bound sets what the module may take, and leaves out what is not needed.
func (o *Options) bound(m *edit.Module) error {
	if o.MemoryMax > 0 {
		m.SetMemoryMax(o.MemoryMax)
	}
	m.CapTables(o.tableMax())
	if !o.KeepCustom {
		m.DropCustom()
	}
	return m.ShareReferences()
}

// fold takes the data segments out, if it can.
func (r *Report) fold(m *edit.Module) error {
	data, ok := m.Data()
	if !ok || len(m.Info.Memories) == 0 {
		return nil
	}
	size := uint64(m.Info.Memories[0].Min) * module.PageSize
	for i, s := range data {
		if uint64(s.Offset)+uint64(len(s.Bytes)) > size {
			return &module.Error{Section: "data", Msg: fmt.Sprintf("the %d bytes at %d of the active data segment number %d "+
				"lie outside of the memory, which has %d bytes: the module could never start",
				len(s.Bytes), s.Offset, i, size)}
		}
	}
	m.EmptyData()
	r.Data, r.Folded = data, true
	return nil
}

// tableMax is TableMax or what it stands for.
func (o *Options) tableMax() uint32 {
	if o.TableMax == 0 {
		return defaultTableEntries
	}
	return o.TableMax
}
