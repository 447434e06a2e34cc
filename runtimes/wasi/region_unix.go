//go:build linux || darwin

package wasi

import "syscall"

// clearLimit is up to how many bytes are zeroed by writing zeros. Beyond it, giving the pages back
// and having new ones costs less time, and less memory while the region is idle.
const clearLimit = 1 << 20

// region is address space for one memory. Pages of it become real when they are touched.
type region struct {
	size uint64
	b    []byte
}

// reserve returns a region of zeros.
func reserve(size uint64) (*region, error) {
	b, err := syscall.Mmap(-1, 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_NORESERVE)
	if err != nil {
		return nil, err
	}
	smallPages(b)
	return &region{size: size, b: b}, nil
}

// resize returns the first size bytes, without what follows them.
func (r *region) resize(_, size int) []byte { return r.b[:size:size] }

// zero makes the first used bytes zero again. It returns false if it cannot.
func (r *region) zero(used uint64) bool {
	if used > clearLimit {
		return discard(r.b[:used])
	}
	clear(r.b[:used])
	return true
}

// free gives the address space back.
func (r *region) free() {
	_ = syscall.Munmap(r.b) // the mapping is ours and whole: it cannot fail
	r.b = nil
}
