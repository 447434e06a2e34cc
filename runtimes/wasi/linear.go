package wasi

import "github.com/polyvoke/polyvoke/runtimes/wasi/memory"

// linear is the linear memory of one run. It implements the engine's LinearMemory.
type linear struct {
	region  *memory.Region
	limit   uint64 // bytes
	size    uint64 // bytes; memory never shrinks, so this is also the most there was
	refused bool   // a growth was refused
}

// Reallocate makes the memory size bytes long, or returns nil if that is above the limit.
func (m *linear) Reallocate(size uint64) []byte {
	if size > m.limit {
		m.refused = true
		return nil
	}
	b := m.region.Bytes(size)
	if b == nil {
		m.refused = true
		return nil
	}
	m.size = size
	return b
}

// Free does nothing: the engine does not call it in every case, so the region goes back at the end of the run.
func (m *linear) Free() {}
