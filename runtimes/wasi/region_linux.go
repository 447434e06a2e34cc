package wasi

import "syscall"

// smallPages keeps a small guest from getting, and having cleared, a huge page at its first touch.
func smallPages(b []byte) { _ = syscall.Madvise(b, syscall.MADV_NOHUGEPAGE) }

// discard makes b zero by giving its pages back. On Linux, private anonymous memory reads as
// zero after that.
func discard(b []byte) bool { return syscall.Madvise(b, syscall.MADV_DONTNEED) == nil }
