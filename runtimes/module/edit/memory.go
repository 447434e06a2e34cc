package edit

import "github.com/polyvoke/polyvoke/runtimes/module/leb"

// SetMemoryMax sets the largest size of the module's own memory in pages; below the smallest size it means that.
func (m *Module) SetMemoryMax(pages uint32) {
	m.memoryMax = pages
	m.dirty[memorySection] = true
}

// encodeMemories returns the memory section.
func (m *Module) encodeMemories() []byte {
	r, n := m.content(memorySection)
	if m.memoryMax == 0 {
		return appendRest(nil, n, r)
	}
	out := leb.AppendU32(nil, n)
	for range n {
		least, _, _ := r.limits()
		out = appendLimits(out, least, max(least, m.memoryMax))
	}
	return out
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
