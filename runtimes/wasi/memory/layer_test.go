package memory

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// layered returns a content, and an image of it that lies over another one: the other one is smaller, and differs in
// every so many pages, in one direction or the other.
func layered(t *testing.T, p *Pool, size, baseSize uint64, every int) (*Image, []byte) {
	t.Helper()
	want := content(size)
	under := bytes.Clone(want[:baseSize])
	random := rand.New(rand.NewPCG(uint64(every), size))
	for at := uint64(0); at < baseSize; at += pageSize {
		switch random.IntN(3 * every) {
		case 0:
			under[at+random.Uint64N(pageSize)] ^= 0x55
		case 1:
			clear(under[at : at+pageSize])
		case 2:
			clear(want[at : at+pageSize])
		}
	}
	base, err := p.NewImage(under)
	if err != nil {
		t.Fatal(err)
	}
	m, err := p.NewImageOver(base, want)
	if err != nil {
		t.Fatal(err)
	}
	base.Release() // the layer keeps it
	return m, want
}

// TestLayer uses regions of images that lie over others.
func TestLayer(t *testing.T) {
	for _, c := range []struct {
		name           string
		size, baseSize uint64
		every          int
	}{
		{"few differences", 50 * granule, 50 * granule, 100},
		{"many differences", 50 * granule, 50 * granule, 1},
		{"grown", 20 * granule, 3 * granule, 10},
		{"small", granule, granule, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := NewPool(2)
			defer p.Close()
			m, want := layered(t, p, c.size, c.baseSize, c.every)
			defer m.Release()
			if len(m.spans) > mostSpans {
				t.Errorf("%d spans", len(m.spans))
			}
			if !m.Equal(want) {
				t.Fatal("the image is not its content")
			}
			regionsOf(t, m, want)
		})
	}
}

// regionsOf writes at random to two regions in turn, and looks at every byte after each Restore.
func regionsOf(t *testing.T, m *Image, want []byte) {
	t.Helper()
	const more = 8 * granule
	capacity := m.Size() + more
	want = append(bytes.Clone(want), make([]byte, more)...)
	random := rand.New(rand.NewPCG(4, m.Size()))
	regions := []*Region{attached(t, m, capacity), attached(t, m, capacity)}
	for i := range 40 {
		r := regions[i%2]
		scribble(random, r.Bytes(capacity), random.IntN(300))
		if i%10 == 9 {
			if err := r.Shed(); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.Restore(capacity); err != nil {
			t.Fatal(err)
		}
		if err := r.Verify(capacity); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(r.Bytes(capacity), want) {
			t.Fatalf("round %d: a region is not its image", i)
		}
	}
}

// TestLayerTakesLittle checks that an image takes the pages only in which it differs from the one below, and
// that the lower one lives as long as the layer.
func TestLayerTakesLittle(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	want := bytes.Repeat([]byte{1}, 64*granule)
	base, err := p.NewImage(want)
	if err != nil {
		t.Fatal(err)
	}
	if !base.shared() {
		base.Release()
		return // here images share nothing
	}
	want[5*pageSize], want[5*pageSize+1], want[500*pageSize] = 2, 3, 4
	m, err := p.NewImageOver(base, want)
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Resident(); got != 2*pageSize {
		t.Errorf("the layer takes %d bytes, want %d", got, 2*pageSize)
	}
	over, err := p.NewImageOver(m, want)
	if err != nil {
		t.Fatal(err)
	}
	if over.under != nil {
		t.Error("a layer lies over a layer")
	}
	over.Release()
	if n := base.refs.Load(); n != 2 {
		t.Errorf("the lower image has %d references, want 2", n)
	}
	base.Release()
	m.Release()
	if n := base.refs.Load(); n != 0 {
		t.Errorf("the lower image has %d references at last", n)
	}
}
