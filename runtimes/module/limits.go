package module

// What a module may have at most. The figures are those of the WebAssembly JavaScript interface
// (its section "Implementation-defined Limits"), or lower where an engine needs more than a
// fair share of time or memory for them. No compiler that is known comes near any of them.
const (
	maxSection   = 1<<31 - 1
	maxName      = 100_000
	maxTypes     = 100_000
	maxImports   = 10_000
	maxFunctions = 100_000
	maxTables    = 10
	maxEntries   = 10_000_000 // of one table to begin with
	maxGlobals   = 1_000_000
	maxTags      = 100_000
	maxExports   = 100_000
	maxElements  = 100_000
	maxData      = 100_000
	maxValues    = 1000 // parameters of a function, and results
	maxLocals    = 50_000
	maxBody      = 7_654_321
	maxPages     = 65_536
	maxCustoms   = 10_000
)
