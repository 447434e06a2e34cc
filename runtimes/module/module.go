// Package module reads a WebAssembly binary module as bytes. It says what is in a module and whether that can run as a
// process, without an engine. In go bytes from strangers; out comes a [Module] that describes them, or an [Error] that
// names the section and the offset of the fault.
//
// It reads the binary format of the WebAssembly core specification, version 2.0, and the tags of its exception handling
// proposal. Everything is bounded by the bytes that are there: time and memory are linear in the size of the module,
// whatever is in it. A module that has more of anything than [Limits] allow is refused. Only the types of operands are
// left to the engine.
package module

import "fmt"

// Module is what a wasm binary says about itself. It does not refer to the bytes it was read from.
type Module struct {
	// Size is the size of the binary in bytes.
	Size int
	// Imports are in the order of the module.
	Imports []Import
	// Exports are in the order of the module.
	Exports []Export
	// Memories are the memories that the module has, imported ones first. There is at most one.
	Memories []Memory
	// Tables are the tables that the module has, imported ones first.
	Tables []Table
	// Functions is how many functions the module defines, imported ones not counted.
	Functions int
	// Globals is how many globals the module defines, imported ones not counted.
	Globals int
	// Elements is how many element segments there are.
	Elements int
	// Data is how many data segments there are.
	Data int
	// DataBytes is how many bytes the data segments hold together.
	DataBytes int
	// Start reports whether a start function runs before anything is called.
	Start bool
	// Analysis is what the module can change besides its memory.
	Analysis Analysis
	// Custom are the custom sections, in the order of the module.
	Custom []Custom

	limits    Limits
	types     []FuncType
	texts     []string // of types, as far as they were asked for
	functions []uint32 // the type of each function, imported ones first
	globals   []globalType
	tags      []uint32 // the type of each tag, imported ones first
	entries   int64    // of all tables
	elements  int      // of all element segments so far
	constants int      // instructions of constant expressions so far
	dataCount int      // as announced; -1 if it is not
	bodies    int
	named     bool // there was a custom section "name"
	signs     signs
}

// Parse reads a binary under the default [Limits].
func Parse(b []byte) (*Module, error) { return Limits{}.Parse(b) }

// Parse reads a binary and checks its structure: the order and the size of each section,
// every count, every number, every index, every instruction, the nesting of blocks. It never panics,
// and needs time and memory in proportion to len(b).
//
// # Errors
//
// Every error is an *[Error].
func (l Limits) Parse(b []byte) (*Module, error) {
	if err := checkHeader(b); err != nil {
		return nil, err
	}
	m := &Module{Size: len(b), limits: l.orDefaults(len(b)), dataCount: -1}
	if m.Size > m.limits.Size {
		return nil, &Error{Msg: fmt.Sprintf("a module of %d bytes is larger than the %d allowed", m.Size, m.limits.Size)}
	}
	c := &cursor{b: b, pos: headerSize, end: len(b)}
	m.readSections(c)
	if c.ok() {
		m.checkWhole(c)
	}
	if c.err != nil {
		return nil, c.err
	}
	return m, nil
}

// checkWhole checks what can be seen at the end only.
func (m *Module) checkWhole(c *cursor) {
	switch bodies := m.bodies; {
	case bodies != m.Functions:
		c.fail("%d functions are declared, but there are %d bodies: the file may have been cut off", m.Functions, bodies)
	case m.dataCount >= 0 && m.dataCount != m.Data:
		c.fail("%d data segments are announced, but there are %d: the file may have been cut off", m.dataCount, m.Data)
	}
}

// String sums the module up in one line.
func (m *Module) String() string {
	return fmt.Sprintf("wasm module of %d bytes, %d imports, %d functions", m.Size, len(m.Imports), m.Functions)
}
