package memory

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// TestRestore writes at random to regions, small and large, grown and not, and looks at every byte after
// each Restore, with all methods that this machine has.
func TestRestore(t *testing.T) {
	for _, d := range methods(t) {
		for _, size := range []uint64{0, granule, 2 * granule, 17 * granule, 50 * granule} {
			t.Run(fmt.Sprintf("%s/%dK", d, size>>10), func(t *testing.T) {
				if d < copyAll && size == 0 {
					d = copyAll // nothing to share
				}
				restoreAtRandom(t, testImage(t, size, d))
			})
		}
	}
}

// TestRestorePlain does it with an image that has no memory file.
func TestRestorePlain(t *testing.T) {
	b := content(3 * granule)
	m := testImage(t, 3*granule, anyMethod)
	m.free()
	m.copyOf(b)
	restoreAtRandom(t, m)
}

// watched runs f as a guest, in most ways in which guests come to run.
func watched(random *rand.Rand, r *Region, f func()) {
	how := random.IntN(8)
	if how > 0 {
		r.Begin()
		defer r.End()
	}
	if f(); how == 1 {
		r.Leave()
		runtime.Gosched()
		f()
	}
}

// restoreAtRandom uses two regions of the image in turn.
func restoreAtRandom(t *testing.T, m *Image) {
	const capacity = 96 * granule
	want := append(content(m.Size()), make([]byte, capacity-m.Size())...)
	random := rand.New(rand.NewPCG(2, m.Size()))
	regions := []*Region{attached(t, m, capacity), attached(t, m, capacity)}
	for i := range 60 {
		r := regions[random.IntN(2)]
		used := max(granule, m.Size())
		if random.IntN(3) == 0 {
			used += random.Uint64N(capacity-used) / granule * granule
		}
		if got := r.Bytes(used); !bytes.Equal(got, want[:used]) {
			t.Fatalf("round %d: a region is not its image", i)
		}
		for range 1 + random.IntN(2) { // two runs, as when a process waits and goes on
			watched(random, r, func() { scribble(random, r.Bytes(used), random.IntN(1<<random.IntN(11))) })
		}
		if i%3 == 1 {
			if n, err := r.Written(used); err != nil || n > used {
				t.Fatalf("%d bytes were written, of %d: %v", n, used, err)
			}
		}
		if i%10 == 9 {
			if err := r.Shed(); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.Restore(used); err != nil {
			t.Fatal(err)
		}
		if err := r.Verify(used); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range regions {
		if !bytes.Equal(r.Bytes(capacity), want) {
			t.Error("at last, a region is not its image")
		}
	}
	if !m.Equal(want[:m.Size()]) {
		t.Error("the image changed")
	}
}

// scribble writes and reads at n places.
func scribble(random *rand.Rand, b []byte, n int) (sum byte) {
	for range n {
		i := random.IntN(len(b))
		sum += b[random.IntN(len(b))]
		switch random.IntN(4) {
		case 0:
			b[i] = 0
		case 1:
			end := min(len(b), i+random.IntN(5*pageSize))
			for ; i < end; i++ {
				b[i] = byte(i) | 1
			}
		default:
			b[i] = byte(random.Uint32())
		}
	}
	return sum
}

// TestRestoreMany writes to every other page, up to more than any vector of results holds.
func TestRestoreMany(t *testing.T) {
	const size = 750 * granule // 12,000 pages
	want := content(size)
	for _, d := range methods(t) {
		t.Run(d.String(), func(t *testing.T) {
			r := attached(t, testImage(t, size, d), size)
			for _, n := range []uint64{0, 1, 63, 64, 65, 127, 128, 129, 511, 512, 513, 1024, 6000, 3} {
				b := r.Bytes(size)
				for i := range n {
					b[2*i*pageSize] ^= 0xff
					b[(2*i+1)*pageSize-1] ^= 0xff
				}
				if err := r.Restore(size); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(r.Bytes(size), want) {
					t.Fatalf("with %d pages written the region is not its image", n)
				}
			}
		})
	}
}

// TestHammerImage restores 8 regions of one image from as many goroutines, while others come and go.
func TestHammerImage(t *testing.T) {
	const size, capacity = 3 * granule, 8 * granule
	for _, d := range methods(t) {
		t.Run(d.String(), func(t *testing.T) {
			m := testImage(t, size, d)
			p := NewPool(4)
			defer p.Close()
			var wg sync.WaitGroup
			for id := range 8 {
				wg.Go(func() {
					if err := hammer(m, p, uint64(id), capacity); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if n := m.refs.Load(); n != 1 {
				t.Errorf("%d references are left, want 1", n)
			}
		})
	}
}

// hammer attaches, uses and gives back regions of a pool.
func hammer(m *Image, p *Pool, id, capacity uint64) error {
	random := rand.New(rand.NewPCG(3, id))
	want := content(m.Size())
	for range 10 {
		r, err := p.Get(capacity)
		if err != nil {
			return err
		}
		if err := r.Attach(m); err != nil {
			return err
		}
		for range 20 {
			watched(random, r, func() { scribble(random, r.Bytes(capacity), 5) })
			if err := r.Restore(capacity); err != nil {
				return err
			}
			if b := r.Bytes(capacity); !bytes.Equal(b[:len(want)], want) || !isZero(b[len(want):]) {
				return fmt.Errorf("the region of goroutine %d is not its image", id)
			}
			_ = r.Private()
		}
		scribble(random, r.Bytes(capacity), 5)
		p.Put(r, capacity)
	}
	return nil
}

// TestPoolForgetsImages checks that nothing of an image, or of what a guest wrote over it, is left for
// the next user of a region.
func TestPoolForgetsImages(t *testing.T) {
	const size, capacity = 4 * granule, 64 * granule
	for _, d := range methods(t) {
		m := testImage(t, size, d)
		p := NewPool(1)
		r, err := p.Get(capacity)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Attach(m); err != nil {
			t.Fatal(err)
		}
		for i, b := 0, r.Bytes(capacity); i < capacity; i += pageSize / 2 {
			b[i] = 1
		}
		p.Put(r, size) // less than was used
		again, err := p.Get(capacity)
		if err != nil {
			t.Fatal(err)
		}
		if again != r || !isZero(again.Bytes(capacity)) || again.Private() != 0 {
			t.Errorf("%s: the next user of a region does not find zeros", d)
		}
		if n := m.refs.Load(); n != 1 {
			t.Errorf("%s: %d references are left, want 1", d, n)
		}
		p.Put(again, capacity)
		p.Close()
	}
}

// TestVerify checks that no difference is overlooked.
func TestVerify(t *testing.T) {
	const size, used = 2 * granule, 4 * granule
	for _, d := range methods(t) {
		r := attached(t, testImage(t, size, d), used)
		for _, i := range []uint64{0, 1, pageSize, size - 1, size, used - 1} {
			b := r.Bytes(used)
			b[i] ^= 0x80
			if err := r.Verify(used); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("byte %d ", i)) {
				t.Errorf("%s: byte %d differs: %v", d, i, err)
			}
			b[i] ^= 0x80
			if err := r.Verify(used); err != nil {
				t.Error(d, err)
			}
		}
	}
}

// TestNoGarbage checks that Restore leaves the collector nothing to do.
func TestNoGarbage(t *testing.T) {
	for _, d := range methods(t) {
		r := attached(t, testImage(t, 2*granule, d), 4*granule)
		b := r.Bytes(4 * granule)
		if n := testing.AllocsPerRun(100, func() {
			r.Begin()
			b[1], b[3*granule] = 1, 1
			r.End()
			if err := r.Restore(4 * granule); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", d, n)
		}
	}
}

// TestRegionErrors checks what is refused, and that it leaves the region usable.
func TestRegionErrors(t *testing.T) {
	m, large := testImage(t, granule, anyMethod), testImage(t, 4*granule, anyMethod)
	gone, err := NewImage(nil)
	if err != nil {
		t.Fatal(err)
	}
	gone.Release()
	r, err := Reserve(2 * granule)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Free()
	for _, c := range []struct {
		name string
		call func() error
		want string // "": no error
	}{
		{"Restore without an image", func() error { return r.Restore(0) }, "attach one first"},
		{"Verify without an image", func() error { return r.Verify(0) }, "attach one first"},
		{"Shed without an image", r.Shed, "attach one first"},
		{"Detach without an image", r.Detach, "attach one first"},
		{"Attach of too much", func() error { return r.Attach(large) }, "too large"},
		{"Attach of a released image", func() error { return r.Attach(gone) }, "released"},
		{"Attach", func() error { return r.Attach(m) }, ""},
		{"Attach again", func() error { return r.Attach(m) }, "detach it first"},
		{"Restore of more than there is", func() error { return r.Restore(2*granule + 1) }, "cannot be in use"},
		{"Verify of more than there is", func() error { return r.Verify(1 << 63) }, "cannot be in use"},
		{"Restore", func() error { return r.Restore(2 * granule) }, ""},
		{"Verify", func() error { return r.Verify(2 * granule) }, ""},
		{"Detach", r.Detach, ""},
	} {
		if err := c.call(); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if r.Bytes(2*granule+1) != nil || r.Zero(2*granule+1) {
		t.Error("a region gives more than it has")
	}
	if _, err := Reserve(1 << 63); err == nil {
		t.Error("more is reserved than there is")
	}
	if !isZero(r.Bytes(2 * granule)) {
		t.Error("the region is not zero")
	}
}
