//go:build linux || darwin

package memory

import (
	"math"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	readWrite = unix.PROT_READ | unix.PROT_WRITE
	ofZeros   = unix.MAP_PRIVATE | unix.MAP_ANON | unix.MAP_NORESERVE
)

// reserve gives a region its address space.
func (r *Region) reserve() (err error) {
	if r.b, err = unix.Mmap(-1, 0, int(r.size), readWrite, ofZeros); err != nil {
		return err
	}
	if err := keepRoom(); err != nil {
		_ = unix.Munmap(r.b) // the mapping is ours and whole: it cannot fail
		return err
	}
	smallPages(r.b)
	return nil
}

// room is how many bytes of address space are left to Go's heap, which grows by 64 MiB at a time: the process would
// end if it could not.
const room = 192 << 20

// keepRoom returns an error if there is less address space left. Most processes may have all there is.
func keepRoom() error {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_AS, &l) != nil || l.Cur >= math.MaxInt64 {
		return nil
	}
	b, err := unix.Mmap(-1, 0, room, unix.PROT_NONE, ofZeros)
	if err == nil {
		_ = unix.Munmap(b) // as above
	}
	return err
}

// bytes returns the first size bytes.
func (r *Region) bytes(size uint64) []byte { return r.b[:size:size] }

// zero makes the first used bytes zero again. It returns false if it cannot.
func (r *Region) zero(used uint64) bool {
	if used > clearLimit {
		return discard(r.b[:used])
	}
	clear(r.b[:used])
	return true
}

// wipe makes the whole region zero, whatever it maps, by mapping nothing in its place.
func (r *Region) wipe() error {
	r.lighten()
	_, err := unix.MmapPtr(-1, 0, unsafe.Pointer(&r.b[0]), uintptr(r.size), readWrite, ofZeros|unix.MAP_FIXED)
	if err != nil {
		r.broken = true
		return err
	}
	smallPages(r.b)
	return nil
}

// lighten gives the pages back of a region whose mapping is about to change. With them that takes long, and until it
// is done all threads wait that need a page.
func (r *Region) lighten() {
	if r.top > piece {
		discard(r.b[:r.top])
	}
}

// unmap gives the address space back.
func (r *Region) unmap() {
	r.lighten()
	_ = unix.Munmap(r.b) // the mapping is ours and whole: it cannot fail
}
