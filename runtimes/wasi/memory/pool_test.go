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
	for size, want := range map[uint64]uint64{
		0: 1 << 16, 1: 1 << 16, 1 << 16: 1 << 16, 1<<16 + 1: 1 << 17, 128 << 20: 128 << 20, 65_535 << 16: 1 << 32,
	} {
		if got := class(size); got != want {
			t.Errorf("class(%d) is %d, want %d", size, got, want)
		}
	}
}

// TestPoolImages makes images that share what they find written pages with.
func TestPoolImages(t *testing.T) {
	p := NewPool(4)
	var images []*Image
	for i := range 10 {
		m, err := p.NewImage(content(granule * uint64(i)))
		if err != nil {
			t.Fatal(err)
		}
		images = append(images, m)
	}
	if _, err := p.NewImage(make([]byte, 5)); err == nil {
		t.Error("an image of 5 bytes was made")
	}
	p.Close() // images can be used for longer
	for i, m := range images {
		size := uint64(i) * granule
		r := attached(t, m, size+granule)
		b := r.Bytes(size + granule)
		for round := range 3 {
			for at := range b {
				if at%5000 == round {
					b[at]++
				}
			}
			if err := r.Restore(uint64(len(b))); err != nil {
				t.Fatal(err)
			}
			if err := r.Verify(uint64(len(b))); err != nil || !m.Equal(b[:size]) || !isZero(b[size:]) {
				t.Errorf("an image of %d bytes was not put back: %v", size, err)
			}
		}
	}
	for _, m := range images {
		m.Release()
	}
	if m, err := p.NewImage(content(granule)); err != nil {
		t.Error(err)
	} else {
		m.Release()
	}
}
