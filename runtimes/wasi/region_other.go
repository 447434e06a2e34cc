//go:build !linux && !darwin

package wasi

// clearLimit is up to how many bytes are zeroed for the next use; larger ones go to the collector.
const clearLimit = 1 << 20

// region is memory from Go's heap, which grows with the guest.
type region struct {
	size uint64
	b    []byte
}

// reserve returns a region of zeros.
func reserve(size uint64) (*region, error) { return &region{size: size}, nil }

// resize returns a memory of size bytes that begins with the first old bytes.
func (r *region) resize(old, size int) []byte {
	if size > len(r.b) {
		b := make([]byte, min(max(size, 2*old), int(r.size)))
		copy(b, r.b[:old])
		r.b = b
	}
	return r.b[:size:size]
}

// zero makes the first used bytes zero again. It returns false if the region should not be kept.
func (r *region) zero(used uint64) bool {
	if used > clearLimit {
		return false
	}
	clear(r.b[:used])
	return true
}

// free leaves the memory to the collector.
func (r *region) free() { r.b = nil }
