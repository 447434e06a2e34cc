package edit

import "github.com/polyvoke/polyvoke/runtimes/module/leb"

// SetMemoryMax sets the largest size of the module's own memory in pages; below the smallest size it means that.
func (m *Module) SetMemoryMax(pages uint32) {
	m.memoryMax = pages
	m.dirty[memorySection] = true
}

// OwnMemory makes the module's memory one that nobody else has: it is not shared, and defined by the module where it
// was imported. Its contents then begin as zeros.
func (m *Module) OwnMemory() {
	m.ownMemory = true
	m.dirty[importSection], m.dirty[memorySection] = true, true
}

// takesMemory reports whether the module imported a memory that it defines now.
func (m *Module) takesMemory() bool {
	return m.ownMemory && len(m.Info.Memories) > 0 && m.Info.Memories[0].Imported
}

// encodeMemories returns the memory section.
func (m *Module) encodeMemories() []byte {
	memories := m.Info.Memories
	if len(memories) == 0 || memories[0].Imported && !m.ownMemory {
		return []byte{0}
	}
	own := memories[0] // there is one at most
	if m.memoryMax > 0 {
		own.Max, own.HasMax = max(own.Min, m.memoryMax), true
	}
	out := []byte{1}
	switch {
	case !own.HasMax:
		return leb.AppendU32(append(out, 0), own.Min)
	case own.Shared && !m.ownMemory:
		return leb.AppendU32(leb.AppendU32(append(out, 3), own.Min), own.Max)
	}
	return appendLimits(out, own.Min, own.Max)
}

// CapTables sets the largest size of each of the module's own tables to a number of entries, or to
// the smallest size if that is more, unless it is lower already.
func (m *Module) CapTables(entries uint32) {
	m.tableMax = entries
	m.dirty[tableSection] = true
}

// encodeTables returns the table section.
func (m *Module) encodeTables() []byte {
	r, n := m.content(tableSection)
	if m.tableMax == 0 {
		return appendRest(nil, n, r)
	}
	out := leb.AppendU32(nil, n)
	for range n {
		out = append(out, r.byte())
		least, most, hasMost := r.limits()
		if !hasMost || most > m.tableMax {
			most = max(least, m.tableMax)
		}
		out = appendLimits(out, least, most)
	}
	return out
}
