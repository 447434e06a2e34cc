package wasi

import (
	"math/bits"
	"sync"
)

// regionPool keeps memory regions between runs. A region that comes out of it is all zeros.
// Memory from Go's heap would make the collector the slowest part of a short run.
type regionPool struct {
	mu     sync.Mutex
	idle   map[uint64][]*region // by size
	count  int                  // how many are idle
	most   int                  // how many may be
	closed bool
}

// newRegionPool returns a pool that keeps at most most regions.
func newRegionPool(most int) *regionPool {
	return &regionPool{idle: map[uint64][]*region{}, most: most}
}

// class rounds a size up to a power of two, so that programs can share regions.
func class(size uint64) uint64 {
	if size <= 1<<16 {
		return 1 << 16
	}
	return 1 << bits.Len64(size-1)
}

// get returns a region for memories of up to size bytes.
func (p *regionPool) get(size uint64) (*region, error) {
	size = class(size)
	if r := p.take(size); r != nil {
		return r, nil
	}
	return reserve(size)
}

// take takes an idle region out of the pool, the one used last.
func (p *regionPool) take(size uint64) *region {
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

// put takes a region back of which the first used bytes were in use.
func (p *regionPool) put(r *region, used uint64) {
	if p.full() || !r.zero(used) || !p.keep(r) {
		r.free()
	}
}

// full tells whether the pool can take no more, so that zeroing is not worth it.
func (p *regionPool) full() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed || p.count >= p.most
}

// keep puts a region into the pool if there is room.
func (p *regionPool) keep(r *region) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.count >= p.most {
		return false
	}
	p.idle[r.size] = append(p.idle[r.size], r)
	p.count++
	return true
}

// close frees what is idle; what comes back later is freed then.
func (p *regionPool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, list := range p.idle {
		for _, r := range list {
			r.free()
		}
	}
	p.idle, p.count = nil, 0
}
