package module

import "github.com/polyvoke/polyvoke/runtimes/module/code"

// Analysis says what a module can change besides the contents of its memory, as far as its
// instructions and declarations tell. Whoever wants to run a module again in the same place must
// put back, or do without, each of these.
type Analysis struct {
	// TableWrites reports whether tables can change: table.set, grow, copy, init or fill.
	TableWrites bool
	// Drops reports whether segments can be dropped: elem.drop or data.drop.
	Drops bool
	// Segments reports whether data segments are of use after the start: memory.init or data.drop.
	Segments bool
	// Exceptions reports whether exceptions are thrown or handled: try_table, throw or throw_ref.
	Exceptions bool
	// Atomics reports that there are atomic instructions, and Waits that some of them wait for a notification.
	Atomics, Waits bool
	// References reports whether code makes references to functions: ref.func.
	References bool
	// Grows reports whether the memory can grow.
	Grows bool
	// Numbers are the indices of the module's own mutable globals of the types i32, i64, f32 and f64.
	Numbers []uint32
	// Vectors is how many mutable globals of type v128 the module has of its own.
	Vectors int
	// Held is how many mutable globals of a reference type the module has of its own.
	Held int
	// Imported is how many of the imported globals are mutable.
	Imported int
}

// note takes note of an instruction.
func (a *Analysis) note(op code.Op) {
	switch op {
	case code.TableSet, code.TableInit, code.TableCopy, code.TableGrow, code.TableFill:
		a.TableWrites = true
	case code.ElemDrop:
		a.Drops = true
	case code.DataDrop:
		a.Drops, a.Segments = true, true
	case code.MemoryInit:
		a.Segments = true
	case code.TryTable, code.Throw, code.ThrowRef:
		a.Exceptions = true
	case code.RefFunc:
		a.References = true
	case code.MemoryGrow:
		a.Grows = true
	default:
		a.Atomics = a.Atomics || op.IsAtomic()
		a.Waits = a.Waits || op.IsWait()
	}
}

// addGlobal adds a global to its index space and takes note of it.
func (m *Module) addGlobal(g globalType, imported bool) {
	a := &m.Analysis
	switch {
	case !g.mutable:
	case imported:
		a.Imported++
	case g.value == V128:
		a.Vectors++
	case g.value.isReference():
		a.Held++
	default:
		a.Numbers = append(a.Numbers, uint32(len(m.globals)))
	}
	m.globals = append(m.globals, g)
}

// Obstacles names what keeps an instance from being put back to its beginning by memory and
// numeric globals alone. It is empty if nothing does.
func (a *Analysis) Obstacles() []string {
	var list []string
	for _, o := range []struct {
		is   bool
		text string
	}{
		{a.TableWrites, "it changes tables"},
		{a.Drops, "it drops segments"},
		{a.Vectors > 0, "it has mutable globals of type v128"},
		{a.Held > 0, "it has mutable globals of a reference type"},
		{a.Imported > 0, "it imports mutable globals"},
	} {
		if o.is {
			list = append(list, o.text)
		}
	}
	return list
}
