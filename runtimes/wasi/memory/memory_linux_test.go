package memory

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestWritten checks that the pages that were written are found, all of them and no others. The same is
// asked of each way to find them, so they are equal too.
func TestWritten(t *testing.T) {
	const size, used = 40 * granule, 60 * granule
	for _, d := range methods(t) {
		if d != scan && d != pread {
			continue
		}
		r := attached(t, testImage(t, size, d), used)
		b := r.Bytes(used)
		want := map[uint64]bool{}
		sum := byte(0)
		for i := uint64(0); i < used; i += pageSize {
			switch i / pageSize % 7 {
			case 0, 3, 4:
				b[i+5]++
				want[i] = true
			case 1:
				if i < size {
					sum += b[i] // read, not written
				}
			}
		}
		got := map[uint64]bool{}
		for from := uint64(0); from < used; {
			n, next, err := r.pages.find(r, written, from, used)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range r.pages.runs[:n] {
				for a := p.start; a < p.end; a += pageSize {
					got[a-r.base()] = true
				}
			}
			from = next
		}
		for i := uint64(0); i < used; i += pageSize {
			if got[i] != want[i] {
				t.Errorf("%s: page %d found: %t, written: %t (%d)", d, i/pageSize, got[i], want[i], sum)
			}
		}
	}
}

// TestLinuxMethods checks that Linux has more than copying.
func TestLinuxMethods(t *testing.T) {
	if all := methods(t); len(all) < 2 {
		t.Errorf("only these methods work: %v", all)
	}
}

// TestPrivate checks what a region has for itself, and that it can be rid of it.
func TestPrivate(t *testing.T) {
	const size, used = 4 * granule, 8 * granule
	page := uint64(os.Getpagesize())
	want := map[method]uint64{scan: 3 * page, pread: 3 * page, giveBack: 0, copyAll: used}
	toPutBack := map[method]uint64{scan: 3 * page, pread: 3 * page, giveBack: used, copyAll: used}
	for _, d := range methods(t) {
		r := attached(t, testImage(t, size, d), used)
		b := r.Bytes(used)
		if n := r.Private(); n != 0 {
			t.Errorf("%s: %d bytes at first, want 0", d, n)
		}
		b[0], b[granule], b[size] = b[0]+1, b[granule]+1, 1
		if n, err := r.Written(used); err != nil || n != toPutBack[d] {
			t.Errorf("%s: %d bytes are to be put back, want %d: %v", d, n, toPutBack[d], err)
		}
		if err := r.Restore(used); err != nil {
			t.Fatal(err)
		}
		if n := r.Private(); n != want[d] {
			t.Errorf("%s: %d bytes after 3 pages were written, want %d", d, n, want[d])
		}
		b[0]++
		if err := r.Shed(); err != nil {
			t.Fatal(err)
		}
		if n := r.Private(); n != 0 {
			t.Errorf("%s: %d bytes after Shed, want 0", d, n)
		}
		if err := r.Verify(used); err != nil {
			t.Error(d, err)
		}
	}
}

// TestLargeRequest checks that one request that wrote much does not burden all that follow.
func TestLargeRequest(t *testing.T) {
	const used = 512 * granule
	for _, d := range methods(t) {
		if d != scan && d != pread {
			continue
		}
		r := attached(t, testImage(t, granule, d), used)
		for i, b := 0, r.Bytes(used); i < used; i += pageSize {
			b[i]++
		}
		for range copyBudget/used + 1 {
			if err := r.Restore(used); err != nil {
				t.Fatal(err)
			}
		}
		if n := r.Private(); n != 0 {
			t.Errorf("%s: the region still has %d bytes for itself", d, n)
		}
		if err := r.Verify(used); err != nil {
			t.Error(d, err)
		}
	}
}

// TestSparse checks that the zero pages of an image stay unallocated whatever we, not a guest, do. To
// copy all is to touch them all.
func TestSparse(t *testing.T) {
	const size = 64 * granule
	b := make([]byte, size)
	b[0], b[9*granule], b[size-1] = 1, 2, 3
	for _, d := range methods(t) {
		if d == copyAll {
			continue
		}
		m, err := newImage(b, d)
		if err != nil {
			t.Fatal(err)
		}
		r := attached(t, m, 2*size)
		r.Bytes(size)[0]++
		if err := r.Restore(2 * size); err != nil {
			t.Fatal(err)
		}
		if d == scan || d == pread {
			if err := r.Verify(2 * size); err != nil {
				t.Fatal(err)
			}
		}
		// The last page was written when the method was tried, and is not zero.
		if want := uint64(3 * os.Getpagesize()); !m.Equal(b) || m.Resident() != want {
			t.Errorf("%s: an image with 3 pages takes %d bytes, want %d", d, m.Resident(), want)
		}
		m.Release()
	}
}

// TestSealed checks that a memory file keeps its size, so that no mapping loses pages, and that no child process gets
// it.
func TestSealed(t *testing.T) {
	m := testImage(t, granule, anyMethod)
	for _, size := range []int64{0, 2 * granule} {
		if err := unix.Ftruncate(m.file.arena.fd, size); err != unix.EPERM {
			t.Errorf("making the file %d bytes long: %v", size, err)
		}
	}
	for _, fd := range []int{m.file.arena.fd, m.file.pagemap} {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("descriptor %d: flags %#x, %v", fd, flags, err)
		}
	}
}

// TestArena makes many images in one pool, has some of them go and others come, and counts what they take.
func TestArena(t *testing.T) {
	p := NewPool(0)
	descriptors, mappings := held(t)
	const n = 100
	images := make([]*Image, n)
	want := make([][]byte, n)
	fill := func(i, round int) {
		want[i] = content(granule * uint64(1+i%3))
		want[i][0], want[i][len(want[i])-1] = byte(i), byte(round+1)
		m, err := p.NewImage(want[i])
		if err != nil {
			t.Fatal(err)
		}
		images[i] = m
	}
	for i := range n {
		fill(i, 0)
	}
	if d, m := held(t); d-descriptors > 3 || m-mappings > 2 { // one file and pagemap, and the mother's
		t.Errorf("%d images take %d descriptors and %d mappings", n, d-descriptors, m-mappings)
	}
	before := p.arenas.current.allocated(0, arenaSize)
	for round := range 3 {
		for i := round; i < n; i += 2 {
			images[i].Release()
			fill(i, round+1)
		}
	}
	if after := p.arenas.current.allocated(0, arenaSize); after != before {
		t.Errorf("after images came and went, they take %d bytes, and before that %d", after, before)
	}
	for i, m := range images {
		r, err := Reserve(m.Size())
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Attach(m); err != nil {
			t.Fatal(err)
		}
		if b := r.Bytes(m.Size()); !bytes.Equal(b, want[i]) || !m.Equal(want[i]) {
			t.Errorf("image %d has changed", i)
		}
		r.Bytes(1)[0]++
		if err := r.Restore(m.Size()); err != nil || r.Verify(m.Size()) != nil {
			t.Errorf("image %d was not put back: %v", i, err)
		}
		m.Release()
		r.Free()
	}
	if left := p.arenas.current.allocated(0, arenaSize); left > 0 {
		t.Errorf("without images, %d bytes are taken", left)
	}
	p.Close()
	if d, m := held(t); d != descriptors || m != mappings {
		t.Errorf("after all, %d descriptors and %d mappings are left", d-descriptors, m-mappings)
	}
}

// TestArenaFull has an arena filled, and checks that the next image begins another, and that an empty one is used anew.
func TestArenaFull(t *testing.T) {
	var p arenas
	a, at, err := p.claim(arenaSize - granule)
	if err != nil || at != 0 {
		t.Fatalf("the first image is at %d: %v", at, err)
	}
	a.free(at, arenaSize-granule)
	again, at, err := p.claim(granule)
	if err != nil || again != a || at != 0 {
		t.Errorf("in an empty arena, an image is at %d: %v", at, err)
	}
	other, at, err := p.claim(arenaSize)
	if err != nil || other == a || at != 0 {
		t.Errorf("what does not fit is at %d, in the same arena: %t, %v", at, other == a, err)
	}
	again.free(0, granule)
	if a.refs != 0 {
		t.Errorf("the full arena has %d references left", a.refs)
	}
	other.free(0, arenaSize)
	p.close()
	if other.refs != 0 {
		t.Errorf("the last arena has %d references left", other.refs)
	}
}

// TestFreed checks that descriptors and address space come back.
func TestFreed(t *testing.T) {
	descriptors, mappings := held(t)
	for _, d := range methods(t) {
		for range 10 {
			m, err := newImage(content(2*granule), d)
			if err != nil {
				t.Fatal(err)
			}
			var regions []*Region
			for range 4 {
				r, err := Reserve(4 * granule)
				if err != nil {
					t.Fatal(err)
				}
				if err := r.Attach(m); err != nil {
					t.Fatal(err)
				}
				regions = append(regions, r)
			}
			m.Release()
			regions[0].Bytes(granule)[0]++
			if err := regions[0].Restore(granule); err != nil { // the image lives on
				t.Fatal(err)
			}
			for _, r := range regions {
				r.Free()
			}
		}
	}
	if d, m := held(t); d != descriptors || m != mappings {
		t.Errorf("%d descriptors and %d mappings of images, at first %d and %d", d, m, descriptors, mappings)
	}
}

// held returns how many descriptors are open, and how many mappings of images there are.
func held(t *testing.T) (descriptors, mappings int) {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		to, _ := os.Readlink("/proc/self/fd/" + d.Name())
		if strings.Contains(to, "polyvoke-image") || strings.Contains(to, "pagemap") {
			descriptors++
		}
	}
	return descriptors, bytes.Count(maps, []byte("polyvoke-image"))
}
