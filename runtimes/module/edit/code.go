package edit

import (
	"slices"

	"github.com/polyvoke/polyvoke/runtimes/module/code"
	"github.com/polyvoke/polyvoke/runtimes/module/leb"
)

// Body is where a function body is in the binary.
type Body struct {
	// Start is where its locals begin, Code where its instructions do, and End where it ends.
	Start, Code, End int
	// Groups is how many groups of locals it declares, and Locals how many locals.
	Groups, Locals uint32
}

// findBodies notes where function bodies are.
func (m *Module) findBodies() {
	r, n := m.content(codeSection)
	m.bodies = make([]Body, 0, n)
	for range n {
		size := int(r.u32())
		b := Body{Start: r.pos, End: r.pos + size}
		b.Groups = r.u32()
		for range b.Groups {
			b.Locals += r.u32()
			r.byte()
		}
		b.Code = r.pos
		r.pos = b.End
		m.bodies = append(m.bodies, b)
	}
}

// Bodies returns the bodies of the functions that the module defines. They must not be changed.
func (m *Module) Bodies() []Body { return m.bodies }

// Instructions points a reader at the instructions of a body.
func (m *Module) Instructions(r *code.Reader, b Body) {
	r.Reset(m.b, b.Code, b.End, m.Info.MaxLabels())
}

// SetBody replaces the body of a function that the module defines, counted from 0. The body has the
// locals and the instructions with their end, and indices as they are now.
func (m *Module) SetBody(i int, body []byte) {
	m.replaced[i] = body
	m.dirty[codeSection] = true
}

// Insert puts instructions before those that a function has, which the module defines, counted from 0. Indices in
// them are as they are now.
func (m *Module) Insert(i int, instructions []byte) {
	body := m.replaced[i]
	if body == nil {
		body = m.shift(nil, m.bodies[i])
	}
	at := afterLocals(body)
	m.SetBody(i, slices.Concat(body[:at], instructions, body[at:]))
}

// afterLocals returns where the instructions of a body begin.
func afterLocals(body []byte) int {
	r := &reader{b: body}
	for range r.u32() {
		r.u32()
		r.byte()
	}
	return r.pos
}

// encodeCode returns the code section.
func (m *Module) encodeCode() []byte {
	out := make([]byte, 0, len(m.b)+len(m.b)/8)
	out = leb.AppendU32(out, uint32(len(m.bodies)+len(m.functions)))
	var shifted []byte
	for i, b := range m.bodies {
		body := m.replaced[i]
		if body == nil {
			shifted = m.shift(shifted[:0], b)
			body = shifted
		}
		out = append(leb.AppendU32(out, uint32(len(body))), body...)
	}
	for _, f := range m.functions {
		out = append(leb.AppendU32(out, uint32(len(f.body))), f.body...)
	}
	return out
}

// shift appends a body with the indices that its functions have now.
func (m *Module) shift(out []byte, b Body) []byte {
	if len(m.imports) == 0 && m.shared == nil {
		return append(out, m.b[b.Start:b.End]...)
	}
	out = append(out, m.b[b.Start:b.Code]...)
	m.Instructions(&m.reader, b)
	var in code.Instruction
	copied := b.Code
	for m.reader.Next(&in) {
		if in.Op.NamesFunction() {
			out = append(out, m.b[copied:in.Start]...)
			out = m.AppendInstruction(out, &in)
			copied = in.End
		}
	}
	return append(out, m.b[copied:b.End]...)
}
