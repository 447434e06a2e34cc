package modulecache

import (
	"io/fs"
	"syscall"
	"time"
)

// lastRead returns when a file was read last. Linux notes it once a day or so (relatime), or not at all; then it is
// when the file was made.
func lastRead(info fs.FileInfo) time.Time {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		if at := time.Unix(int64(s.Atim.Sec), int64(s.Atim.Nsec)); at.After(info.ModTime()) {
			return at
		}
	}
	return info.ModTime()
}
