package code

import "fmt"

// Instruction is one instruction and its immediates.
type Instruction struct {
	// Op says what it does.
	Op Op
	// Start and End are where its bytes begin and end.
	Start, End int
	// X and Y are the indices in it, in the order of the binary: of a label, function, type, local,
	// global, table, data or element segment or tag. call_indirect has the type in X and the
	// table in Y. Loads and stores have their alignment in X and their offset in Y.
	X, Y uint32
	// Value is the constant of i32.const and i64.const, and the block type of a block as [Reader]
	// finds it: a type's index, or below 0 the value type less 128, or -64 for none.
	Value int64
	// Labels are those of br_table, its default last, and of the handlers of try_table, which count
	// from outside of it. They are good until the reader's next step.
	Labels []uint32
	// Tags are those that the handlers of try_table name. They are good until the reader's next step.
	Tags []uint32
	// Kinds are what the handlers of try_table are. They are good until the reader's next step.
	Kinds []HandlerKind
}

// HandlerKind is what a handler of try_table catches, and what it passes on, in its binary encoding.
type HandlerKind byte

// The kinds of handlers: for one tag or for all exceptions, with or without a reference to the exception.
const (
	Catch HandlerKind = iota
	CatchRef
	CatchAll
	CatchAllRef
)

// Error says what is wrong with an instruction and where.
type Error struct {
	// Offset is where in the bytes the fault was seen.
	Offset int
	// Msg is what is wrong and, where it is known, what to do about it.
	Msg string
}

// Error returns offset and message in one line.
func (e *Error) Error() string { return fmt.Sprintf("offset %d: %s", e.Offset, e.Msg) }

// unsupported returns why an opcode without prefix is refused.
func unsupported(op byte) string {
	switch op {
	case 0x06, 0x07, 0x09, 0x18, 0x19:
		return "the module uses the legacy form of exception handling, which is not supported: build with exnref " +
			"(clang: -mllvm -wasm-use-legacy-eh=false, Emscripten: -sWASM_LEGACY_EXCEPTIONS=0) " +
			"or translate with wasm-opt --translate-to-exnref"
	case 0x14, 0x15, 0xd4, 0xd5, 0xd6:
		return "typed function references are not supported"
	case 0xd3, 0xfb:
		return "the module uses garbage collection (WasmGC), which is not supported: " +
			"choose a target of the compiler that uses linear memory"
	}
	return fmt.Sprintf("there is no instruction %#02x", op)
}
