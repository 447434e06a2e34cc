// Package meter makes a module count what it does, so that whoever runs it can end it. In goes a
// module; out comes the same module with a fuel gauge in it.
//
// The fuel is a global of type i64. At the entry of a function, and where a loop turns, the code takes from it what
// the longest way to the next such place costs; when it falls below zero, the code calls the imported function
// [Hook], which returns the fuel to go on with or does not return; it is called again until there is enough. So no
// code runs for long without a call of the hook, whatever it does, and the sum is the same for the same module and
// input wherever it runs.
//
// Code that goes on for long without either is charged in pieces of some 4,096 units, so that it does not do
// everything at once that it was charged for: a store into a page that the system has still to provide costs a unit
// and takes ten microseconds.
//
// A loop turns at the branch to its head. Its first turn is on the way that leads to it, and paid for with that. A
// loop that has several such branches is charged at the head instead, and so is one whose first turn may be a
// recursion, which is to pay for itself. The entry of a function that costs little, and from which no recursion is
// reached, is paid for by those that call it.
//
// # What things cost
//
// Most instructions cost 1; block, loop, else, end, try_table and nop nothing; a call of an imported
// function 64; a call through a table 100 more than one that is not; a bulk operation 8, and 1 for
// each byte or entry; growing the memory 4096 a page, and a table 1 an entry, once it has worked.
//
// Entering a try_table costs 65,536, and 64 for each exception that the instance has thrown before: the
// engine copies the whole native stack there, and makes it larger by each exception that is handled.
package meter

import (
	"math"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
	"github.com/polyvoke/polyvoke/runtimes/module/edit"
)

// The names of what metering adds to a module.
const (
	// FuelName is what the global is exported as that holds the fuel left, an i64. It begins at 0.
	FuelName = "polyvoke.fuel"
	// StackName is what the global is exported as that holds the stack left in bytes, an i64. Nothing puts it back
	// when a call from outside has ended: whoever makes one sets it before.
	StackName = "polyvoke.stack"
	// ThrownName is what the global is exported as that counts exceptions, an i64, if the module has any. It begins
	// at 0.
	ThrownName = "polyvoke.thrown"
	// Overflow is what the global StackName is after a trap because there was no stack left.
	Overflow = math.MinInt64
	// HookModule and HookName are what the import is called that gets the fuel left, which is below
	// zero, and returns the fuel to go on with, which may still be.
	HookModule = "polyvoke"
	HookName   = "meter"
)

// What things cost, see the package.
const (
	importCost   = 64
	bulkCost     = 8
	growCost     = 64
	pageCost     = 4096
	memoryChunk  = 1 << 16 // bytes that a bulk operation works on between two charges
	tableChunk   = 1 << 13 // entries
	mostInline   = 1024    // the longest bulk operation of constant length that is left in its place
	tryCost      = 1 << 16
	thrownCost   = 64 // more for a try_table, for each exception before
	defaultShort = 100
	defaultPiece = 4096

	callFrame    = 64      // bytes of stack that a call takes
	valueFrame   = 8       // bytes of stack that a parameter or local takes
	tryFrame     = 1 << 14 // bytes of stack that a try_table counts as, for the copy that is kept while it is open
	defaultStack = 1 << 20 // of a module with exceptions
	mostStack    = 2 << 20 // of a module with exceptions: half of it with 64 copies of that half are 64 MiB
)

// Options say how to meter.
type Options struct {
	// Short is the most that the entry of a function may cost for its callers to pay it instead of the function
	// itself. 0 means 100; below 0, no caller pays.
	Short int
	// Stack is how many bytes of stack a recursion may use before it traps with unreachable, by an estimate of 64
	// bytes a call, 8 a parameter or local, and 16 KiB an open try_table. A tail call takes nothing, but for one that
	// has more than 6 parameters, or 8 results, of other types than f32, f64 and v128, or 8 of these. Since only one
	// function in each cycle of calls tests it, up to 64 KiB more may be used. 0 means that only the engine bounds
	// it, or 1 MiB for a module with exceptions, which never gets more than 2 MiB: the engine keeps a copy of the
	// whole stack for each open try_table, and needs memory by the square of the depth.
	Stack int32
	// Piece is how much code may cost between two charges, but for its last instruction. 0 means 4096.
	Piece int64
}

// Report says what metering has added.
type Report struct {
	// Entries and Loops are how many function entries and loops are charged.
	Entries, Loops int
	// Bulk is how many bulk operations go through helpers.
	Bulk int
	// Longest is what is charged most at once.
	Longest int64
	// Stack is the bound of the stack in bytes: what the global StackName must be set to before each call
	// from outside. 0 means that there is none.
	Stack int32
	// Recursive is how many functions take from the stack, since they can call themselves by some way, or handle
	// exceptions.
	Recursive int
}

// Hook is the import that metering needs: it must be among those that the module was opened with, first.
func Hook() edit.Import {
	return edit.Import{Module: HookModule, Name: HookName,
		Type: module.FuncType{Params: []module.ValueType{module.I64}, Results: []module.ValueType{module.I64}}}
}

// meter meters one module.
type meter struct {
	m      *edit.Module
	o      Options
	report Report

	imported uint32 // functions of the module's own
	types    []uint32
	callees  [][]uint32 // by defined function: those that it calls directly
	group    []int      // by defined function: the strongly connected component of its calls
	prefix   []int64    // by defined function: what its callers pay for its entry

	fuel, stack, thrown uint32 // globals
	refill, again       uint32 // functions
	try, throw          uint32 // functions
	helpers             map[helper]uint32
	dataSizes           []uint32
	elemSizes           []uint32

	depths *depths
	paths  paths
	reader code.Reader
}

// Apply meters a module that was opened with the [Hook].
func Apply(m *edit.Module, o Options) *Report {
	if o.Short == 0 {
		o.Short = defaultShort
	}
	if o.Piece == 0 {
		o.Piece = defaultPiece
	}
	w := &meter{m: m, o: o, helpers: map[helper]uint32{}, imported: uint32(m.Info.ImportedFunctions())}
	w.types = m.Info.FunctionTypes()[w.imported:]
	w.dataSizes, w.elemSizes = m.DataSizes(), m.ElementSizes()
	w.fuel = m.AddGlobal(module.I64, 0)
	m.AddExport(FuelName, module.GlobalKind, w.fuel)
	w.addRefill()
	if m.Info.Analysis.Exceptions {
		w.addExceptions()
	}
	if w.report.Stack = w.o.Stack; w.o.Stack > 0 {
		w.stack = m.AddGlobal(module.I64, int64(w.o.Stack))
		m.AddExport(StackName, module.GlobalKind, w.stack)
	}
	w.rewriteAll()
	return &w.report
}

// addRefill adds the functions that call the hook: one for a charge that goes on then, and one for a charge that is
// made again, which gets back what that took.
func (w *meter) addRefill() {
	var refill, again code.Assembly
	refill.Locals().Op(code.GlobalGet, w.fuel).Op(code.Call, w.imported).Op(code.GlobalSet, w.fuel).Op(code.End)
	w.refill = w.m.AddFunction(module.FuncType{}, refill)
	again.Locals().Op(code.GlobalGet, w.fuel).Op(code.Call, w.imported).
		Get(0).Op(code.I64Add).Op(code.GlobalSet, w.fuel).Op(code.End)
	w.again = w.m.AddFunction(module.FuncType{Params: []module.ValueType{module.I64}}, again)
}

// addExceptions adds what a module needs that has exceptions: a bound of the stack, and functions to call before each
// try_table and each throw.
func (w *meter) addExceptions() {
	if w.o.Stack == 0 {
		w.o.Stack = defaultStack
	}
	w.o.Stack = min(w.o.Stack, mostStack)
	w.thrown = w.m.AddGlobal(module.I64, 0)
	w.m.AddExport(ThrownName, module.GlobalKind, w.thrown)
	var try, throw code.Assembly
	try.Locals().Op(code.GlobalGet, w.fuel)
	try.Op(code.GlobalGet, w.thrown).I64(thrownCost).Op(code.I64Mul).I64(tryCost).Op(code.I64Add)
	w.take(&try)
	w.try = w.m.AddFunction(module.FuncType{}, *try.Op(code.End))
	throw.Locals().Op(code.GlobalGet, w.thrown).I64(1).Op(code.I64Add).Op(code.GlobalSet, w.thrown).Op(code.End)
	w.throw = w.m.AddFunction(module.FuncType{}, throw)
}

// rewriteAll rewrites all bodies, callees before callers, since those need to know what they pay for.
func (w *meter) rewriteAll() {
	groups := w.graph()
	w.prefix = make([]int64, len(w.types))
	if w.o.Stack > 0 {
		w.depths = w.findDepths()
	}
	for _, g := range groups {
		if w.cyclic(g) {
			for _, f := range g {
				w.plan(f)
			}
		}
		for _, f := range g {
			w.plan(f)
			w.m.SetBody(int(f), w.rewrite(f))
		}
	}
}

// plan finds what function f costs from each place where it charges, and who pays for its entry.
func (w *meter) plan(f uint32) {
	w.paths.find(w, f)
	w.prefix[f] = 0
	if c := w.paths.costs[0]; !w.paths.open && c <= int64(w.o.Short) {
		w.prefix[f] = c
		w.paths.costs[0] = 0
	}
}
