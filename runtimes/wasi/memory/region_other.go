//go:build !linux && !darwin

package memory

// reserve takes nothing: the memory comes from Go's heap and grows with the guest.
func (r *Region) reserve() error { return nil }

// bytes returns the first size bytes.
func (r *Region) bytes(size uint64) []byte {
	if size > uint64(len(r.b)) {
		b := make([]byte, min(max(size, 2*uint64(len(r.b))), r.size))
		copy(b, r.b)
		r.b = b
	}
	return r.b[:size:size]
}

// zero makes the first used bytes zero again. It returns false if the region should not be kept.
func (r *Region) zero(used uint64) bool {
	if used > clearLimit {
		return false
	}
	clear(r.bytes(used))
	return true
}

// wipe makes the whole region zero.
func (r *Region) wipe() error {
	r.b = nil
	return nil
}

// unmap leaves the memory to the collector.
func (r *Region) unmap() {}
