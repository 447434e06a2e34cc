package memory

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
)

const (
	granule = 1 << 16 // bytes; memories and images are whole numbers of it, as in WebAssembly

	// clearLimit is up to how many bytes are zeroed by writing zeros. Beyond it, giving the pages back
	// and having new ones costs less time, and less memory while the region is idle.
	clearLimit = 1 << 20

	// piece is how many bytes are given back at once: 50 to 100 microseconds.
	piece = 1 << 20
)

var (
	errNoImage  = errors.New("the region has no image: attach one first")
	errBroken   = errors.New("the region lost its address space when a mapping failed: free it")
	errReleased = errors.New("the image was released by all: keep a reference to an image in use")
)

// Region is the address space of one memory. One goroutine may use a region at a time; Private alone
// may be called at any time.
type Region struct {
	size    uint64 // capacity, a multiple of granule
	b       []byte // all of it, or as much as there is yet (see Bytes)
	image   *Image // nil: zeros
	top     uint64 // the most bytes in use since Attach, or since they were zero
	broken  bool   // a mapping failed, so there may be a hole in b
	private atomic.Uint64
	pages   *pages // to find the written ones; of Linux
}

// Reserve returns a region for memories of up to capacity bytes, all zeros. It must be freed.
// On Linux and macOS its pages become real as they are touched. The error is the system's, if it
// refuses to give that much address space.
func Reserve(capacity uint64) (*Region, error) {
	if capacity > math.MaxInt-granule {
		return nil, fmt.Errorf("a region of %d bytes is more than there are addresses: reserve less", capacity)
	}
	r := &Region{size: max(granule, roundUp(capacity))}
	if err := r.reserve(); err != nil {
		return nil, fmt.Errorf("reserving %d bytes of address space: %w", r.size, err)
	}
	return r, nil
}

// roundUp returns the next multiple of granule.
func roundUp(size uint64) uint64 { return (size + granule - 1) &^ (granule - 1) }

// Capacity returns the most bytes that the region can hold.
func (r *Region) Capacity() uint64 { return r.size }

// Bytes returns the first size bytes of the region, or nil if it cannot hold that many. On systems without address
// space to reserve, a larger size moves the content: use only the latest Bytes.
func (r *Region) Bytes(size uint64) []byte {
	if size > r.size || r.broken {
		return nil
	}
	r.top = max(r.top, size)
	return r.bytes(size)
}

// Zero makes the region zero again after its first used bytes were in use, and detaches it from its
// image. It returns false if the region should be freed, not used again.
func (r *Region) Zero(used uint64) bool {
	if r.broken || used > r.size {
		return false
	}
	if r.image != nil {
		return r.Detach() == nil
	}
	return r.zero(used)
}

// Free gives the region up, and its reference to an image. Its bytes must not be used any more.
func (r *Region) Free() {
	r.unmap()
	r.b, r.broken = nil, true
	r.letGo()
}

// letGo forgets the image.
func (r *Region) letGo() {
	if r.image != nil {
		r.image.Release()
	}
	r.image, r.top = nil, 0
	r.private.Store(0)
}

// Attach makes the region's first bytes those of the image and all others zero, whatever they were.
// The region holds a reference to the image until it is detached or freed. After an error it has no image.
func (r *Region) Attach(m *Image) error {
	switch {
	case r.broken:
		return errBroken
	case r.image != nil:
		return errors.New("the region has an image: detach it first")
	case m.size > r.size:
		return fmt.Errorf("an image of %d bytes is too large for a region of %d", m.size, r.size)
	case !m.retain():
		return errReleased
	}
	err := r.wipe()
	if err == nil {
		err = m.lay(r)
	}
	if err != nil {
		m.Release()
		return fmt.Errorf("attaching an image of %d bytes: %w", m.size, err)
	}
	r.image, r.top = m, m.size
	r.private.Store(m.unshared())
	return nil
}

// Detach makes all of the region zero and drops its image. After an error the region can only be freed.
func (r *Region) Detach() error {
	if r.image == nil {
		return errNoImage
	}
	defer r.letGo()
	if r.broken {
		return errBroken
	}
	return r.wipe()
}

// Written returns how many bytes the next Restore will put back, if used are in use and none is written until then:
// those that were written, or all where that cannot be known. The errors are those of Restore.
func (r *Region) Written(used uint64) (uint64, error) {
	used, err := r.inUse(used)
	if err != nil || r.image.method != scan && r.image.method != pread {
		return used, err
	}
	return r.findWritten(used)
}

// Restore puts the image back after the first used bytes were in use, and makes all beyond the image
// zero. After an error the region must not be used by anyone else before Detach or Free.
func (r *Region) Restore(used uint64) error {
	used, err := r.inUse(used)
	if err != nil {
		return err
	}
	switch r.image.method {
	case scan, pread:
		return r.restoreWritten(used)
	case giveBack:
		return r.giveBack(used)
	}
	r.restoreAll(used)
	return nil
}

// restoreAll copies the whole image, and zeroes what is beyond it.
func (r *Region) restoreAll(used uint64) {
	b, size := r.bytes(used), r.image.size
	r.image.put(b, 0, size)
	own := used
	if used-size > clearLimit && discard(b[size:]) {
		own = size
	} else {
		clear(b[size:])
	}
	r.private.Store(own)
}

// inUse checks used and makes it a whole number of granules, no fewer than the image has.
func (r *Region) inUse(used uint64) (uint64, error) {
	switch {
	case r.image == nil:
		return 0, errNoImage
	case r.broken:
		return 0, errBroken
	case used > r.size:
		return 0, fmt.Errorf("%d bytes cannot be in use in a region of %d", used, r.size)
	}
	used = max(roundUp(used), r.image.size)
	r.top = max(r.top, used)
	return used, nil
}

// giveBack gives the pages of the first used bytes back to the system.
func (r *Region) giveBack(used uint64) error {
	if !discard(r.bytes(used)) {
		return errors.New("the system did not take the pages of a region back: free the region")
	}
	r.forgetOwn()
	r.private.Store(0)
	return nil
}

// Private returns an estimate of how many bytes the region takes besides what it shares with others
// of its image. It is as of the last Attach, Restore or Shed; zero without an image.
func (r *Region) Private() uint64 { return r.private.Load() }

// Shed gives the pages that the region has for itself back to the system, at the price of page faults
// for its next user. The content is then the image, as after Restore. Where content cannot be
// shared there is nothing to give back, and it only restores.
func (r *Region) Shed() error {
	if r.image == nil {
		return errNoImage
	}
	if r.image.shared() && !r.broken {
		return r.giveBack(r.top)
	}
	return r.Restore(r.top)
}

// Verify compares the first used bytes with the image, and with zeros beyond it. The error names the
// first byte that differs.
func (r *Region) Verify(used uint64) error {
	used, err := r.inUse(used)
	if err != nil {
		return err
	}
	if used == 0 {
		return nil
	}
	return r.verify(used)
}

// compare compares the bytes between two offsets with the image, and with zeros beyond it.
func (r *Region) compare(from, to uint64) error {
	b := r.bytes(to)
	if r.image.same(b, from, to) {
		return nil
	}
	for i := from; i < to; i++ {
		if want := r.image.at(i); b[i] != want {
			return fmt.Errorf("byte %d of a memory is %#02x, in its image it is %#02x", i, b[i], want)
		}
	}
	return errors.New("a memory changed while it was compared with its image")
}
