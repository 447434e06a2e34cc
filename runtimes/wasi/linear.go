package wasi

import "github.com/polyvoke/polyvoke/runtimes/wasi/memory"

// linear is the linear memory of a sandbox. It implements the engine's LinearMemory.
type linear struct {
	region  *memory.Region
	most    uint64 // bytes that the module can use
	limit   uint64 // bytes that it may use
	size    uint64 // bytes; a process never makes it smaller, so at its end this is also the most there was
	exact   uint64 // what the next Reallocate comes to whatever is asked for; 0: what is asked for
	refused bool   // a growth beyond the limit was refused
}

// Reallocate makes the memory size bytes long, or returns nil if that is above the limit.
func (l *linear) Reallocate(size uint64) []byte {
	if l.exact > 0 {
		size = l.exact
	}
	if size > l.most {
		l.refused = l.refused || size > l.limit
		return nil
	}
	b := l.region.Bytes(size)
	if b == nil {
		l.refused = true
		return nil
	}
	l.size = size
	return b[:size:size]
}

// Free does nothing: the engine does not call it in every case, so the region goes back with the sandbox.
func (l *linear) Free() {}
