package memory

import (
	"bytes"
	"fmt"
	"sync/atomic"
)

// pageSize is the unit in which an image knows what is zero. The pages of every system are multiples of it.
const pageSize = 1 << 12

// Image is a content of memories. It never changes, and any number of goroutines and regions may use it.
// Each use is counted: whoever makes an image has the first reference, and its memory is freed with the last.
type Image struct {
	size    uint64
	data    []byte   // the content that it has itself; zero pages of it are better not touched, see image_linux.go
	nonzero []uint64 // a bit for each page that is not zero
	count   uint64   // of these pages, those that it has itself
	method  method
	refs    atomic.Int64
	pool    *Pool    // with whose images it shares memory files; nil: it has one of its own
	file    file     // what data maps; of Linux
	mother  *Image   // whose method it uses, and means for it; nil: it has its own
	under   *Image   // over which it lies; nil: it has all of its content itself
	spans   []span   // in which it has content of its own, if it lies over another
	own     []uint64 // a bit for each page in these; nil: all pages are its own
}

// method is a way to put a region back to its image.
type method int

const (
	anyMethod method = iota // the best that works here
	scan                    // ask the PAGEMAP_SCAN ioctl what was written, and copy that
	pread                   // read /proc/self/pagemap to see what was written, and copy that
	giveBack                // give all pages back to the system
	copyAll                 // copy all
)

// String returns the method's name.
func (d method) String() string {
	return [...]string{"any", "scan", "pread", "madvise", "memcpy"}[d]
}

// NewImage returns an image of a memory's content, which must be whole pages of WebAssembly (64 KiB).
// It keeps no reference to content. The caller has a reference to release.
func NewImage(content []byte) (*Image, error) { return newImage(content, anyMethod) }

// newImage returns an image whose regions are put back with the given method.
func newImage(content []byte, d method) (*Image, error) {
	m := new(Image)
	if err := m.init(content, d); err != nil {
		return nil, err
	}
	return m, nil
}

// init makes the image one of content. An image with a mother takes the method from there.
func (m *Image) init(content []byte, d method) error {
	size := uint64(len(content))
	if size%granule != 0 {
		return fmt.Errorf("an image of %d bytes is not a multiple of %d: pass a whole memory", size, granule)
	}
	m.size, m.nonzero = size, make([]uint64, size/pageSize/64+1)
	m.refs.Store(1)
	for i := range size / pageSize {
		if !isZero(content[i*pageSize : (i+1)*pageSize]) {
			m.nonzero[i/64] |= 1 << (i % 64)
			m.count++
		}
	}
	if m.under != nil {
		m.spans = m.under.spansOver(content)
		m.count = nonzeroIn(m.spans, content)
		m.own = pagesIn(m.spans, len(m.nonzero))
	}
	return m.keep(content, d)
}

// isZero reports whether all bytes are zero: the first is, and each is as the one before.
func isZero(b []byte) bool {
	return len(b) == 0 || b[0] == 0 && bytes.Equal(b[1:], b[:len(b)-1])
}

// copyOf makes the image a plain copy of content, and copyAll its method.
func (m *Image) copyOf(content []byte) {
	m.data, m.method, m.own = bytes.Clone(content), copyAll, nil
}

// Size returns the length of the content in bytes.
func (m *Image) Size() uint64 { return m.size }

// Resident returns how many bytes the image takes, which all of its regions share: its pages that are
// not zero, without those of an image that it lies over. On Linux, zero pages of it that guests touched are added.
func (m *Image) Resident() uint64 { return max(m.count*pageSize, m.allocated()) }

// Method returns the name of the way in which regions are put back to the image: scan, pread, madvise
// or memcpy.
func (m *Image) Method() string { return m.method.String() }

// Equal reports whether the image's content is the given one, byte by byte.
func (m *Image) Equal(content []byte) bool {
	return uint64(len(content)) == m.size && m.same(content, 0, m.size)
}

// Retain adds a reference.
func (m *Image) Retain() {
	if !m.retain() {
		panic("memory: Retain of an image that was released by all")
	}
}

// retain adds a reference unless there is none any more.
func (m *Image) retain() bool {
	for {
		n := m.refs.Load()
		if n <= 0 {
			return false
		}
		if m.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Release drops a reference. Like a sync.WaitGroup, it panics if that is one too many.
func (m *Image) Release() {
	switch n := m.refs.Add(-1); {
	case n == 0:
		m.free()
		m.letGo()
	case n < 0:
		panic("memory: Release of an image that was released by all")
	}
}

// letGo drops the references to other images.
func (m *Image) letGo() {
	for _, other := range []*Image{m.mother, m.under} {
		if other != nil {
			other.Release()
		}
	}
}

// page reports whether the page at an offset is in the image and not zero.
func (m *Image) page(offset uint64) bool {
	i := offset / pageSize
	return offset < m.size && m.nonzero[i/64]>>(i%64)&1 != 0
}

// at returns the content at an offset, which is zero beyond the image.
func (m *Image) at(offset uint64) byte {
	if !m.page(offset) {
		return 0
	}
	return m.holder(offset).data[offset]
}

// holder returns the image that has the page at an offset, which is not zero: this one, or the one that it lies over.
func (m *Image) holder(offset uint64) *Image {
	if i := offset / pageSize; m.own != nil && m.own[i/64]>>(i%64)&1 == 0 {
		return m.under
	}
	return m
}

// stretch returns where the pages end that are like that at from, all zero or all held by one image, but at most to,
// and who holds them: nobody if they are zero. Both are at the edge of a page.
func (m *Image) stretch(from, to uint64) (end uint64, holder *Image) {
	if end = from + pageSize; m.page(from) {
		holder = m.holder(from)
		for end < to && m.page(end) && m.holder(end) == holder {
			end += pageSize
		}
		return min(end, to), holder
	}
	for end < to && !m.page(end) {
		if end >= m.size {
			return to, nil
		}
		end += pageSize
	}
	return min(end, to), nil
}

// put writes the content, and zeros beyond it, to the bytes of b between two offsets.
func (m *Image) put(b []byte, from, to uint64) {
	for from < to {
		end, holder := m.stretch(from, to)
		if holder != nil {
			copy(b[from:end], holder.data[from:end])
		} else {
			clear(b[from:end])
		}
		from = end
	}
}

// same reports whether the bytes of b between two offsets are the content, and zeros beyond it.
func (m *Image) same(b []byte, from, to uint64) bool {
	for from < to {
		end, holder := m.stretch(from, to)
		if holder != nil && !bytes.Equal(b[from:end], holder.data[from:end]) || holder == nil && !isZero(b[from:end]) {
			return false
		}
		from = end
	}
	return true
}
