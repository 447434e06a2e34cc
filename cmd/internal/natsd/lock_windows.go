package natsd

import (
	"os"

	"golang.org/x/sys/windows"
)

// lockFile locks f for this process, or fails at once. Windows locks ranges of bytes against
// reading too, so the range lies behind the text that describe writes.
func lockFile(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	return windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{Offset: 1 << 20})
}
