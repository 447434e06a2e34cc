package module

// Limits are what a module may have at most. They keep modules from an engine that would need
// more than a fair share of time or memory for them, in its decoder or its compiler; no compiler
// that is known makes modules that come near to any but Size. The zero value has the figures that
// the fields name.
//
// They do not bound a body that has many loops, or many branches, over many locals: for that, compile
// under a limit of time and memory.
type Limits struct {
	// Size is of the binary in bytes. 0 means 16 MiB.
	Size int
	// Functions are those that the module defines. 0 means 100,000.
	Functions int
	// Body is the size of one function body in bytes. 0 means 7,654,321.
	Body int
	// Locals are those of one function. 0 means 50,000.
	Locals int
	// AllLocals are those of all functions together, since a few bytes declare 50,000. 0 means 5,000,000.
	AllLocals int
	// Values are the parameters of one function, and as many results. 0 means 1000.
	Values int
	// Nesting is what all functions together may cost because their blocks are nested: 4 for each block around a
	// block, 8 for each around an if, and 1 for each around a call or a return and for each that a branch or a label
	// of br_table leaves. The engine goes through as many, in some 3 ns each, so this bounds what a deep function
	// costs it by the square of the depth. 0 means 256 Mi, and 32 for each byte of the module: the compiler of Go, in
	// Go, has functions of 7,740 blocks in one another, and takes half of it.
	Nesting int64
	// Labels are those in all br_table and try_table instructions of a function. 0 means 65,536.
	Labels int
	// Tables are those of the module, imported ones included. 0 means 10.
	Tables int
	// Entries are those of all tables together when the module starts. Each new instance has them, 8 bytes each. 0
	// means 1,000,000.
	Entries int
	// Elements are those of all element segments together, which the engine makes anew for each instance, in about
	// half a microsecond each. 0 means 100,000.
	Elements int
	// Constants are the instructions of all constant expressions together, which the engine evaluates for each
	// instance. 0 means 500,000.
	Constants int
	// Globals are those that the module defines. Each new instance has them, some 300 bytes each. 0 means 10,000.
	Globals int
	// Data are the data segments. 0 means 100,000.
	Data int
	// Pages is the smallest size of the memory, in pages of 64 KiB. 0 means 65,535, one
	// less than the format allows, because with that many the engine computes wrong bounds. What a process
	// may have in earnest is a matter of its own limit.
	Pages int
}

// orDefaults returns the limits with the figures that zero values stand for, for a module of a size in bytes.
func (l Limits) orDefaults(size int) Limits {
	if l.Nesting == 0 {
		l.Nesting = 256<<20 + 32*int64(size)
	}
	for _, f := range []struct {
		field *int
		value int
	}{
		{&l.Size, 16 << 20}, {&l.Functions, 100_000}, {&l.Body, 7_654_321}, {&l.Locals, 50_000}, {&l.AllLocals, 5_000_000},
		{&l.Values, 1000}, {&l.Labels, 65_536}, {&l.Tables, 10}, {&l.Entries, 1_000_000},
		{&l.Elements, 100_000}, {&l.Constants, 500_000}, {&l.Globals, 10_000}, {&l.Data, 100_000}, {&l.Pages, 65_535},
	} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	return l
}

// What a module may have at most of things that cost an engine little. The figures are those of the
// WebAssembly JavaScript interface (its section "Implementation-defined Limits"), or lower.
const (
	maxSection  = 1<<31 - 1
	maxName     = 100_000
	maxTypes    = 100_000
	maxImports  = 10_000
	maxTags     = 100_000
	maxExports  = 100_000
	maxElements = 100_000
	maxPages    = 65_536
	maxCustoms  = 10_000
)
