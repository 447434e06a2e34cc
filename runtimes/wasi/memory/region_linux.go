package memory

import (
	"runtime"
	"slices"

	"golang.org/x/sys/unix"
)

// smallPages keeps a small guest from getting, and having cleared, a huge page at its first touch.
func smallPages(b []byte) { _ = unix.Madvise(b, unix.MADV_NOHUGEPAGE) }

// discard gives the pages of b back. On Linux, private memory then reads as what it maps: the file, or zeros if it
// maps none. In between others run: Go does not know that a call takes long, and for up to 10 milliseconds does not
// give its place to another goroutine.
func discard(b []byte) bool {
	for part := range slices.Chunk(b, piece) {
		if unix.Madvise(part, unix.MADV_DONTNEED) != nil {
			return false
		}
		runtime.Gosched()
	}
	return true
}
