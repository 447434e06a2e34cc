package edit

import "github.com/polyvoke/polyvoke/runtimes/module/leb"

// The ids of sections.
const (
	customSection = iota
	typeSection
	importSection
	functionSection
	tableSection
	memorySection
	globalSection
	exportSection
	startSection
	elementSection
	codeSection
	dataSection
	dataCountSection
	tagSection
	sectionIDs
)

// order returns the sections in the order that the specification demands, custom ones left out.
func order() []byte {
	return []byte{typeSection, importSection, functionSection, tableSection, memorySection, tagSection, globalSection,
		exportSection, startSection, elementSection, dataCountSection, codeSection, dataSection}
}

// Encode returns the binary with all changes.
func (m *Module) Encode() []byte {
	out := append(make([]byte, 0, len(m.b)+len(m.b)/8+1024), m.b[:8]...)
	next := order()
	for _, s := range m.sections {
		if s.id == customSection {
			out = m.encodeCustom(out, s)
			continue
		}
		for next[0] != s.id {
			out = m.encodeNew(out, next[0])
			next = next[1:]
		}
		switch {
		case s.id == startSection && m.dropStart:
		case m.dirty[s.id]:
			out = m.encodeSection(out, s.id)
		default:
			out = append(out, m.b[s.start:s.end]...)
		}
		next = next[1:]
	}
	for _, id := range next {
		out = m.encodeNew(out, id)
	}
	return out
}

// encodeNew appends a section that the binary did not have, if it has something in it now.
func (m *Module) encodeNew(out []byte, id byte) []byte {
	has := false
	switch id {
	case typeSection:
		has = len(m.types) > 0
	case importSection:
		has = len(m.imports) > 0
	case memorySection:
		has = m.takesMemory()
	case functionSection, codeSection:
		has = len(m.functions) > 0
	case globalSection:
		has = len(m.globals) > 0
	case exportSection:
		has = len(m.exports) > 0
	}
	if !has {
		return out
	}
	return m.encodeSection(out, id)
}

// encodeSection appends a section with its changes.
func (m *Module) encodeSection(out []byte, id byte) []byte {
	var content []byte
	switch id {
	case typeSection:
		content = m.encodeTypes()
	case importSection:
		content = m.encodeImports()
	case functionSection:
		content = m.encodeFunctions()
	case tableSection:
		content = m.encodeTables()
	case memorySection:
		content = m.encodeMemories()
	case tagSection:
		r, n := m.content(id)
		content = appendRest(nil, n, r)
	case globalSection:
		content = m.encodeGlobals()
	case exportSection:
		content = m.encodeExports()
	case startSection, dataCountSection:
		content = m.encodeNumber(id)
	case elementSection:
		content = m.encodeElements()
	case codeSection:
		content = m.encodeCode()
	case dataSection:
		content = m.encodeData()
	}
	out = leb.AppendU32(append(out, id), uint32(len(content)))
	return append(out, content...)
}

// encodeNumber returns the start section or the data count section, which hold one number.
func (m *Module) encodeNumber(id byte) []byte {
	_, n := m.content(id)
	switch {
	case id == startSection && m.start != nil:
		n = *m.start
	case id == startSection:
		n = m.Function(n)
	case m.noData():
		n = 0
	}
	return leb.AppendU32(nil, n)
}
