package edit

import (
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/leb"
)

// addImport adds a function to import. Every place with a function's index changes by it.
func (m *Module) addImport(im Import) {
	m.Type(im.Type)
	m.imports = append(m.imports, im)
	changed := []byte{
		importSection, globalSection, exportSection, startSection, elementSection, codeSection, dataSection,
	}
	for _, id := range changed {
		m.dirty[id] = true
	}
}

// encodeImports returns the import section.
func (m *Module) encodeImports() []byte {
	r, n := m.content(importSection)
	var out []byte
	if m.takesMemory() {
		out = appendWithoutMemory(leb.AppendU32(nil, n-1+uint32(len(m.imports))), r, n)
	} else {
		out = appendRest(nil, n+uint32(len(m.imports)), r)
	}
	for _, im := range m.imports {
		out = appendName(appendName(out, im.Module), im.Name)
		out = leb.AppendU32(append(out, byte(module.FunctionKind)), m.Type(im.Type))
	}
	return out
}

// appendWithoutMemory appends n imports but for that of a memory.
func appendWithoutMemory(out []byte, r *reader, n uint32) []byte {
	for range n {
		start := r.pos
		r.name()
		r.name()
		kind := module.Kind(r.byte())
		switch kind {
		case module.FunctionKind:
			r.u32()
		case module.TableKind:
			r.byte()
			r.limits()
		case module.MemoryKind:
			r.limits()
			continue
		case module.GlobalKind:
			r.pos += 2
		case module.TagKind:
			r.byte()
			r.u32()
		}
		out = append(out, r.b[start:r.pos]...)
	}
	return out
}

// appendName appends a string.
func appendName(out []byte, s string) []byte {
	return append(leb.AppendU32(out, uint32(len(s))), s...)
}
