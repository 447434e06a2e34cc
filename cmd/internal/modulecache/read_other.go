//go:build !linux

package modulecache

import (
	"io/fs"
	"time"
)

// lastRead returns when a file was made: when it was read is not known here.
func lastRead(info fs.FileInfo) time.Time { return info.ModTime() }
