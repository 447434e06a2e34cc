package memory

import (
	"bytes"
	"sync"
	"testing"
)

// TestHammerRegions takes regions and gives them back from many goroutines, and checks that each comes
// out zero, that nobody else has it, and that the pool keeps to its bound.
func TestHammerRegions(t *testing.T) {
	const most = 5
	p := NewPool(most)
	zeros := make([]byte, 3<<19)
	sizes := []uint64{1 << 16, 3 << 16, 5 << 16, 3 << 19} // the last is given back, not cleared
	var wg sync.WaitGroup
	for id := range 16 {
		wg.Go(func() {
			for i := range 50 {
				size := sizes[(id+i)%len(sizes)]
				r, err := p.Get(size)
				if err != nil {
					t.Error(err)
					return
				}
				_ = r.Bytes(size / 2)
				b := r.Bytes(size)
				if !bytes.Equal(b, zeros[:size]) {
					t.Errorf("a region of %d bytes is not zero", size)
				}
				mark := byte(1 + id)
				for j := 0; j < len(b); j += 1000 {
					b[j] = mark
				}
				b[len(b)-1] = mark
				for j := 0; j < len(b); j += 1000 {
					if b[j] != mark {
						t.Errorf("a region of %d bytes is used twice", size)
						break
					}
				}
				p.Put(r, size)
			}
		})
	}
	wg.Wait()
	if n := len(p.all()); n != p.count || n > most {
		t.Errorf("%d regions are kept and %d counted, at most %d may be", n, p.count, most)
	}
	r, err := p.Get(1 << 16)
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	p.Put(r, 1<<16)
	if n := len(p.all()); n != 0 {
		t.Errorf("%d regions are left after Close", n)
	}
}

// all returns the idle regions.
func (p *Pool) all() (all []*Region) {
	for _, list := range p.idle {
		all = append(all, list...)
	}
	return all
}

func TestClass(t *testing.T) {
	for size, want := range map[uint64]uint64{0: 1 << 16, 1: 1 << 16, 1 << 16: 1 << 16, 1<<16 + 1: 1 << 17, 128 << 20: 128 << 20, 65_535 << 16: 1 << 32} {
		if got := class(size); got != want {
			t.Errorf("class(%d) is %d, want %d", size, got, want)
		}
	}
}
