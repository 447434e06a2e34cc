package memory

import "golang.org/x/sys/unix"

// smallPages keeps a small guest from getting, and having cleared, a huge page at its first touch.
func smallPages(b []byte) { _ = unix.Madvise(b, unix.MADV_NOHUGEPAGE) }

// discard gives the pages of b back. On Linux, private memory then reads as what it maps: the
// file, or zeros if it maps none.
func discard(b []byte) bool { return unix.Madvise(b, unix.MADV_DONTNEED) == nil }
