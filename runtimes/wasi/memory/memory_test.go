package memory

import (
	"math/rand/v2"
	"testing"
)

// methods returns all methods that work on this machine.
func methods(t testing.TB) (all []method) {
	for d := scan; d <= copyAll; d++ {
		m, err := newImage(make([]byte, granule), d)
		if err != nil {
			t.Logf("method %s: %v", d, err)
			continue
		}
		if m.method == d {
			all = append(all, d)
		}
		m.Release()
	}
	return all
}

// content returns size bytes, of which about a third of the pages are zero.
func content(size uint64) []byte {
	random := rand.New(rand.NewPCG(1, size))
	b := make([]byte, size)
	for i := uint64(0); i < size; i += pageSize {
		if random.IntN(3) == 0 {
			continue
		}
		for j := uint64(0); j < pageSize; j += 64 {
			b[i+j] = byte(random.Uint32())
		}
	}
	return b
}

// testImage returns an image of content(size), which is released at the end of the test.
func testImage(t testing.TB, size uint64, d method) *Image {
	t.Helper()
	m, err := newImage(content(size), d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Release)
	return m
}

// attached returns a region with the image, which is freed at the end of the test.
func attached(t testing.TB, m *Image, capacity uint64) *Region {
	t.Helper()
	r, err := Reserve(capacity)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Free)
	if err := r.Attach(m); err != nil {
		t.Fatal(err)
	}
	return r
}
