package memory

import (
	"math/bits"
	"sync"
)

// Pool keeps regions between runs. A region that comes out of it is all zeros and has no image.
// Memory from Go's heap would make the collector the slowest part of a short run.
// Any number of goroutines may use a Pool.
type Pool struct {
	mu     sync.Mutex
	idle   map[uint64][]*Region // by capacity
	count  int                  // how many are idle
	most   int                  // how many may be
	closed bool
	mother *Image // of the images; nil until there is one
	arenas arenas // that the images lie in; of Linux
}

// NewPool returns a pool that keeps at most most regions.
func NewPool(most int) *Pool {
	return &Pool{idle: map[uint64][]*Region{}, most: most}
}

// NewImage is the function NewImage, but all images of the pool share what they need to find written pages, and the
// memory files that they lie in. So an image takes no descriptor of the system, and nothing is tried out for it.
func (p *Pool) NewImage(content []byte) (*Image, error) { return p.newImage(new(Image), content) }

// newImage makes m the image of content.
func (p *Pool) newImage(m *Image, content []byte) (*Image, error) {
	m.mother, m.pool = p.motherOfImages(), p
	if err := m.init(content, anyMethod); err != nil {
		m.letGo()
		return nil, err
	}
	return m, nil
}

// motherOfImages returns an image to which the caller has a reference. It is nil if written pages cannot be found here.
func (p *Pool) motherOfImages() *Image {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mother == nil && !p.closed {
		p.mother, _ = NewImage(make([]byte, granule)) // without one, images find out for themselves
	}
	if p.mother == nil || p.mother.method != scan && p.mother.method != pread {
		return nil
	}
	p.mother.Retain()
	return p.mother
}

// class rounds a size up to a power of two, so that programs can share regions.
func class(size uint64) uint64 {
	if size <= granule {
		return granule
	}
	return 1 << bits.Len64(size-1)
}

// Get returns a region for memories of up to size bytes. The error is that of Reserve.
func (p *Pool) Get(size uint64) (*Region, error) {
	size = class(size)
	if r := p.take(size); r != nil {
		return r, nil
	}
	return Reserve(size)
}

// take takes an idle region out of the pool, the one used last.
func (p *Pool) take(size uint64) *Region {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.idle[size]
	if len(list) == 0 {
		return nil
	}
	r := list[len(list)-1]
	list[len(list)-1] = nil
	p.idle[size] = list[:len(list)-1]
	p.count--
	return r
}

// Put takes a region back; its first used bytes were in use. A region that has an image loses it. The caller must not
// use the region any more.
func (p *Pool) Put(r *Region, used uint64) {
	if p.full() || !r.Zero(used) || !p.keep(r) {
		r.Free()
	}
}

// full reports whether the pool can take no more, so that zeroing is not worth it.
func (p *Pool) full() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed || p.count >= p.most
}

// keep puts a region into the pool if there is room.
func (p *Pool) keep(r *Region) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.count >= p.most {
		return false
	}
	p.idle[r.size] = append(p.idle[r.size], r)
	p.count++
	return true
}

// Trim frees what is idle.
func (p *Pool) Trim() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.count = map[uint64][]*Region{}, 0
	p.mu.Unlock()
	for _, list := range idle {
		for _, r := range list {
			r.Free()
		}
	}
}

// Close frees what is idle; what comes back later is freed then.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Trim()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mother != nil {
		p.mother.Release()
		p.mother = nil
	}
	p.arenas.close()
}
