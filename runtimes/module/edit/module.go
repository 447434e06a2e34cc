// Package edit takes a module apart and puts it together again with additions and changes. In goes a
// binary that package module accepts; out comes another, in which every index stands for the same
// thing as before. Sections that nothing touches come out as they went in, byte by byte.
//
// Functions to import are named at the beginning. They come after the module's own imports, so the
// indices of the functions that it defines move up: whoever writes code passes each old index through
// [Module.Function]. Nothing else moves, since all other additions go to the end.
package edit

import (
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
	"github.com/polyvoke/polyvoke/runtimes/module/leb"
)

// Module is a module that is being changed. It is not for concurrent use.
type Module struct {
	// Info is what the module was like before any change.
	Info *module.Module

	b        []byte
	sections []section // in the order of the binary
	bodies   []Body
	imported uint32      // functions that the module imports itself
	reader   code.Reader // of constants and of bodies that stay

	types     []module.FuncType // added
	retyped   map[int]module.FuncType
	known     map[string]uint32 // types by their text
	imports   []Import          // added
	functions []function        // added
	replaced  [][]byte          // by function; nil where it stays
	shared    map[uint32]uint32 // global by the function of the binary it refers to; nil if code makes references itself
	globals   [][]byte          // added, encoded
	exports   [][]byte          // added, encoded
	moved     map[int]uint32    // exports of the binary that are of other functions now

	memoryMax  uint32
	ownMemory  bool
	tableMax   uint32
	dirty      [sectionIDs]bool
	start      *uint32 // another start function; nil: that of the binary
	dropStart  bool
	dropCustom bool
	emptyData  bool
}

// section is a section of the binary.
type section struct {
	id      byte
	start   int // of its id
	content int
	end     int
}

// Import is a function to import.
type Import struct {
	Module, Name string
	Type         module.FuncType
}

// Open checks a binary under the given limits and takes it apart. The functions to import get the
// indices from Info.ImportedFunctions() on, in their order. The bytes must not be changed while the module is in use.
//
// # Errors
//
// Every error is a *module.Error.
func Open(b []byte, l module.Limits, imports ...Import) (*Module, error) {
	info, err := l.Parse(b)
	if err != nil {
		return nil, err
	}
	m := &Module{Info: info, b: b, imported: uint32(info.ImportedFunctions()), known: map[string]uint32{}}
	for i, t := range info.Types() {
		if _, ok := m.known[t.String()]; !ok {
			m.known[t.String()] = uint32(i)
		}
	}
	m.findSections()
	m.replaced = make([][]byte, info.Functions)
	for _, im := range imports {
		m.addImport(im)
	}
	return m, nil
}

// findSections notes where sections and function bodies are.
func (m *Module) findSections() {
	r := &reader{b: m.b, pos: 8}
	for r.pos < len(m.b) {
		s := section{start: r.pos}
		s.id = r.byte()
		size := int(r.u32())
		s.content, s.end = r.pos, r.pos+size
		r.pos = s.end
		m.sections = append(m.sections, s)
	}
	m.findBodies()
}

// content returns a reader of what is in a section, and how many entries it has: 0 if there is none.
func (m *Module) content(id byte) (*reader, uint32) {
	for _, s := range m.sections {
		if s.id == id {
			r := &reader{b: m.b[:s.end], pos: s.content}
			return r, r.u32()
		}
	}
	return &reader{}, 0
}

// Bytes returns the binary as it was. It must not be changed.
func (m *Module) Bytes() []byte { return m.b }

// Function returns the index that a function has now.
func (m *Module) Function(old uint32) uint32 {
	if old >= m.imported {
		return old + uint32(len(m.imports))
	}
	return old
}

// DropCustom leaves out all custom sections, since what they say of functions would be wrong; only the
// functions' names stay, and move along.
func (m *Module) DropCustom() { m.dropCustom = true }

// Touch makes Encode write every section anew, though nothing in it has changed.
func (m *Module) Touch() {
	for id := range m.dirty {
		m.dirty[id] = true
	}
}

// appendRest appends a count and the rest of a section that stays as it is.
func appendRest(out []byte, count uint32, r *reader) []byte {
	return append(leb.AppendU32(out, count), r.b[r.pos:]...)
}
