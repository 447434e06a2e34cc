package memory

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Spill puts a file without a name, in a folder, under bytes that nobody changes any more: whole pages of code, which
// others may be running. From then on they take memory only where they are used, and [Unload] gives that back. The
// file goes with the mapping, which whoever made b may give up as before. After an error b is what it was.
func Spill(b []byte, dir string) error {
	if len(b) == 0 {
		return nil
	}
	f, err := unnamed(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(b); err != nil {
		return err
	}
	const protection, flags = unix.PROT_READ | unix.PROT_EXEC, unix.MAP_PRIVATE
	size := uintptr(len(b))
	// The folder may forbid code, or there may be no mapping left.
	trial, err := unix.MmapPtr(int(f.Fd()), 0, nil, size, protection, flags)
	if err != nil {
		return fmt.Errorf("mapping code: %w", err)
	}
	// Moving it over b is one step for all that run in there.
	_, err = unix.MremapPtr(trial, size, unsafe.Pointer(&b[0]), size, unix.MREMAP_MAYMOVE|unix.MREMAP_FIXED)
	if err != nil {
		_ = unix.MunmapPtr(trial, size)
		return fmt.Errorf("moving code: %w", err)
	}
	return nil
}

// unnamed returns a new file in a folder that no other process can open.
func unnamed(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir, unix.O_TMPFILE|os.O_RDWR, 0o600)
	if !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EISDIR) {
		return f, err
	}
	if f, err = os.CreateTemp(dir, "code-"); err != nil { // the file system has no files without a name
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close() // the first error counts
		return nil, err
	}
	return f, nil
}

// Unload gives the memory back that bytes take which Spill was called for, until they are used.
func Unload(b []byte) {
	if len(b) > 0 {
		_ = unix.Madvise(b, unix.MADV_DONTNEED) // else they take it for longer
	}
}
