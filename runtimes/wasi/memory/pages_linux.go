package memory

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A page that was written once is put back every time, so that one large request would slow down all
// that follow. To give it back costs a page fault, about 20 times as much, if it is written again. So
// a region that has more than alwaysKept bytes for itself gives them back each time that it has put back
// copyBudget bytes: guests that need the pages pay 8% more at 1 MiB, and those that do not are rid of
// them after some 25 ms.
const (
	alwaysKept = 1 << 20
	copyBudget = 256 << 20
)

// pages finds pages of a region. It is kept with the region, so that Restore allocates nothing.
type pages struct {
	runs    []run
	args    scanArgs
	copied  uint64   // bytes put back since the last time that pages were given back
	entries []uint64 // of /proc/self/pagemap, for pread
	watch   watch
}

// newPages returns what the method needs. The ioctl costs more the longer its vector is, and most
// guests write to few pages. A read costs as much for one page as for many; it finds at most a run
// in every second page.
func newPages(d method) *pages {
	if d == pread {
		return &pages{runs: make([]run, 256), entries: make([]uint64, 512)}
	}
	return &pages{runs: make([]run, 64)}
}

// run is pages next to each other, by their addresses. It is struct page_region of linux/fs.h.
type run struct{ start, end, categories uint64 }

// scanArgs is struct pm_scan_arg of linux/fs.h.
type scanArgs struct {
	size, flags, start, end, walkEnd, vec, vecLen, maxPages, inverted, mask, anyOf, returned uint64
}

// Of linux/fs.h.
const (
	pagemapScan = 0xC0606610 // the ioctl

	isFile    = 1 << 2
	isPresent = 1 << 3
	isSwapped = 1 << 4
	isZeroed  = 1 << 5 // the zero page that all share, which is there after a read
)

// which says what pages to find.
type which int

const (
	written which = iota // pages that are the region's own, no longer the file's
	present              // pages that the region has, the file's included
)

// find finds pages between two offsets, both at the edge of a page. It returns how many runs it found,
// and up to where it looked: there may be more runs beyond that.
func (g *pages) find(r *Region, w which, from, to uint64) (n int, next uint64, err error) {
	if r.image.method == scan {
		return g.scan(r, w, from, to)
	}
	return g.pread(r, w, from, to)
}

// scan is find with the ioctl.
func (g *pages) scan(r *Region, w which, from, to uint64) (n int, next uint64, err error) {
	base := r.base()
	a := &g.args
	*a = scanArgs{
		size: uint64(unsafe.Sizeof(*a)), start: base + from, end: base + to,
		vec: uint64(uintptr(unsafe.Pointer(&g.runs[0]))), vecLen: uint64(len(g.runs)),
		anyOf: isPresent | isSwapped, returned: isFile,
	}
	if w == written {
		a.inverted, a.mask = isFile|isZeroed, isFile|isZeroed
	}
	found, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(r.image.file.pagemap), pagemapScan, uintptr(unsafe.Pointer(a)))
	runtime.KeepAlive(g)
	if e != 0 {
		return 0, 0, fmt.Errorf("finding the written pages of a memory: PAGEMAP_SCAN: %w", e)
	}
	// If the vector is full there may be more, which begin no earlier than the last run ends. The
	// kernel's walk_end would not tell: it can be an inner stop of the walk.
	n = int(found)
	if n == len(g.runs) {
		return n, g.runs[n-1].end - base, nil
	}
	return n, to, nil
}

// pread is find with the file's content, which has 8 bytes for each page.
func (g *pages) pread(r *Region, w which, from, to uint64) (n int, next uint64, err error) {
	const ofFile = 1 << 61 // and present is bit 63, swapped is bit 62
	page := uint64(os.Getpagesize())
	at := r.base() + from
	entries := g.entries[:min(uint64(len(g.entries)), (to-from)/page)]
	b := unsafe.Slice((*byte)(unsafe.Pointer(&entries[0])), 8*len(entries))
	if got, err := unix.Pread(r.image.file.pagemap, b, int64(at/page*8)); err != nil || got != len(b) {
		return 0, 0, fmt.Errorf("finding the written pages of a memory: %d of %d bytes of /proc/self/pagemap: %w",
			got, len(b), cmp.Or(err, io.ErrUnexpectedEOF))
	}
	for _, e := range entries {
		if e>>62 != 0 && (w == present || e&ofFile == 0) {
			if n > 0 && g.runs[n-1].end == at {
				g.runs[n-1].end += page
			} else {
				g.runs[n] = run{start: at, end: at + page}
				n++
			}
		}
		at += page
	}
	return n, from + uint64(len(entries))*page, nil
}

// base returns the region's address.
func (r *Region) base() uint64 { return uint64(uintptr(unsafe.Pointer(&r.b[0]))) }

// findWritten finds the pages that were written, unless they are known, and returns how many bytes they are. They
// stay known until the next Restore.
func (r *Region) findWritten(used uint64) (own uint64, err error) {
	w := &r.pages.watch
	if !w.sure(used) {
		if err := r.findOwn(used); err != nil {
			return 0, err
		}
	}
	w.quiet = true
	for _, p := range w.known {
		own += p.end - p.start
	}
	return own, nil
}

// restoreWritten copies the image over the pages that were written.
func (r *Region) restoreWritten(used uint64) error {
	own, err := r.findWritten(used)
	if err != nil {
		return err
	}
	w := &r.pages.watch
	w.quiet = false
	for _, p := range w.known {
		r.image.put(r.b, p.start-r.base(), p.end-r.base())
	}
	r.private.Store(own)
	r.pages.copied += own
	if own > alwaysKept && r.pages.copied > copyBudget {
		r.pages.copied = 0
		return r.giveBack(used)
	}
	return nil
}

// forgetOwn takes note that pages were given back.
func (r *Region) forgetOwn() {
	if r.pages != nil {
		r.pages.watch.forget()
	}
}

// findOwn finds the pages of the first used bytes that are the region's own.
func (r *Region) findOwn(used uint64) error {
	w := &r.pages.watch
	w.forget()
	for from := uint64(0); from < used; {
		n, next, err := r.pages.find(r, written, from, used)
		if err != nil {
			return err
		}
		w.known = append(w.known, r.pages.runs[:n]...)
		from = next
	}
	w.used = used
	return nil
}

// verify compares the first used bytes with the image. Pages that the region has nothing of are left
// out: they are the file's, and to read them would be to allocate its zero pages.
func (r *Region) verify(used uint64) error {
	if r.image.file.pagemap < 0 {
		return r.compare(0, used)
	}
	base := r.base()
	for from := uint64(0); from < used; {
		n, next, err := r.pages.find(r, present, from, used)
		if err != nil {
			return err
		}
		for _, p := range r.pages.runs[:n] {
			if err := r.compare(p.start-base, p.end-base); err != nil {
				return err
			}
		}
		from = next
	}
	return nil
}
