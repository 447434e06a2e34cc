package wasi

// memory is the linear memory of one run. It implements the engine's LinearMemory.
type memory struct {
	region  *region
	limit   uint64 // bytes
	size    uint64 // bytes; memory never shrinks, so this is also the most there was
	refused bool   // a growth was refused
}

// Reallocate makes the memory size bytes long, or returns nil if that is above the limit.
func (m *memory) Reallocate(size uint64) []byte {
	if size > m.limit {
		m.refused = true
		return nil
	}
	b := m.region.resize(int(m.size), int(size))
	if b == nil {
		m.refused = true
		return nil
	}
	m.size = size
	return b
}

// Free does nothing: the engine does not call it in every case, so the region goes back at the end of the run.
func (m *memory) Free() {}
