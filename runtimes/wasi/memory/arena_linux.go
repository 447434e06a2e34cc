package memory

import (
	"errors"
	"fmt"
	"math"
	"sync"

	"golang.org/x/sys/unix"
)

// arenaSize is how many bytes of images one memory file takes: address space, not memory. So a thousand images of
// small programs take one descriptor and one mapping.
const arenaSize uint64 = min(4<<30, math.MaxInt>>2)

// arenas hands out room for images. The zero value is ready. Any number of goroutines may use it.
type arenas struct {
	mu      sync.Mutex
	current *arena // which has one reference from here; nil until there is one
}

// arena is a memory file that images lie in, one behind the other. What an image gives back is a hole from then on: it
// takes no memory, and its place is not used again until the arena is empty.
type arena struct {
	fd   int
	b    []byte // all of it, to be read
	mu   sync.Mutex
	next uint64 // where the next image goes
	refs int    // images, and who else has it
}

// claim returns an arena, with a reference, and where there is room in it for size bytes.
func (p *arenas) claim(size uint64) (*arena, uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.current; a != nil {
		if at, ok := a.claim(size); ok {
			return a, at, nil
		}
		p.drop()
	}
	a, err := newArena(max(size, arenaSize))
	if err != nil {
		return alone(size) // there may be room for less
	}
	p.current = a
	at, _ := a.claim(size)
	return a, at, nil
}

// close forgets the current arena. Images keep theirs.
func (p *arenas) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop()
}

// drop gives the current arena's reference back. The caller holds the lock.
func (p *arenas) drop() {
	if p.current != nil {
		p.current.release()
	}
	p.current = nil
}

// alone returns an arena for one image, which has its only reference.
func alone(size uint64) (*arena, uint64, error) {
	a, err := newArena(size)
	return a, 0, err
}

// newArena returns an arena for size bytes, with one reference.
func newArena(size uint64) (*arena, error) {
	fd, err := memoryFile()
	if err != nil {
		return nil, fmt.Errorf("making a memory file: %w", err)
	}
	a := &arena{fd: fd, refs: 1}
	if err := a.open(size); err != nil {
		_ = unix.Close(fd) // nothing can be lost
		return nil, fmt.Errorf("mapping a memory file of %d bytes: %w", size, err)
	}
	return a, nil
}

// memoryFile returns the descriptor of a new memory file.
func memoryFile() (int, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate("polyvoke-image", flags|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) { // Linux before 6.3
		fd, err = unix.MemfdCreate("polyvoke-image", flags)
	}
	return fd, err
}

// open gives the file its size, for good, and maps it.
func (a *arena) open(size uint64) error {
	if err := unix.Ftruncate(a.fd, int64(size)); err != nil {
		return err
	}
	const seals = unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(uintptr(a.fd), unix.F_ADD_SEALS, seals); err != nil {
		return err
	}
	b, err := unix.Mmap(a.fd, 0, int(size), unix.PROT_READ, unix.MAP_SHARED|unix.MAP_NORESERVE)
	a.b = b
	return err
}

// claim returns where there is room for size bytes, for an image that has a reference from then on.
func (a *arena) claim(size uint64) (at uint64, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refs == 1 {
		a.next = 0 // all of it is a hole
	}
	if size > uint64(len(a.b))-a.next {
		return 0, false
	}
	at = a.next
	a.next += size
	a.refs++
	return at, true
}

// free gives the place of an image back, and its reference. Nobody may map the place any more.
func (a *arena) free(at, size uint64) {
	// If that fails the place is freed with the arena.
	_ = unix.Fallocate(a.fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, int64(at), int64(size))
	a.release()
}

// release drops a reference. With the last the arena ends.
func (a *arena) release() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refs--; a.refs > 0 {
		return
	}
	_ = unix.Munmap(a.b) // the mapping is ours and whole: it cannot fail
	_ = unix.Close(a.fd) // nothing can be lost
}

// allocated returns how many bytes of a stretch take memory.
func (a *arena) allocated(from, to uint64) (n uint64) {
	for from < to {
		data, err := unix.Seek(a.fd, int64(from), unix.SEEK_DATA)
		if err != nil || uint64(data) >= to {
			return n // there is only a hole
		}
		hole, err := unix.Seek(a.fd, data, unix.SEEK_HOLE)
		if err != nil {
			return n
		}
		from = min(uint64(hole), to)
		n += from - uint64(data)
	}
	return n
}
