package wasi

import "github.com/polyvoke/polyvoke/runtimes/wasi/memory"

// linear is the linear memory of a sandbox. It implements the engine's LinearMemory.
type linear struct {
	region  *memory.Region
	most    uint64 // bytes that the module can use
	limit   uint64 // bytes that it may use
	size    uint64 // bytes; a process never makes it smaller, so at its end this is also the most there was
	shrink  uint64 // what the next Reallocate comes to whatever is asked for; 0: what is asked for
	refused bool   // a growth beyond the limit was refused
}

// Reallocate makes the memory size bytes long, or returns nil if that is above the limit.
func (m *linear) Reallocate(size uint64) []byte {
	if m.shrink > 0 {
		size = m.shrink
	}
	if size > m.most {
		m.refused = m.refused || size > m.limit
		return nil
	}
	b := m.region.Bytes(size)
	if b == nil {
		m.refused = true
		return nil
	}
	m.size = size
	return b[:size:size]
}

// Free does nothing: the engine does not call it in every case, so the region goes back with the sandbox.
func (m *linear) Free() {}
