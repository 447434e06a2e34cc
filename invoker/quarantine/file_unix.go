//go:build unix

package quarantine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// supported reports whether there are journals on this system.
const supported = true

// mapFile maps a file into memory, such that what is written there is in the file whatever becomes of the process.
func mapFile(f *os.File, size int) ([]byte, error) {
	return syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
}

// tryLock locks a file for as long as it is open, unless somebody else has done so.
func tryLock(f *os.File) (free bool, err error) {
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// lockTime is how long another process may hold the folder's lock. Nobody needs it for long, but a process that is
// stopped keeps it.
const lockTime = 5 * time.Second

// lockFolder waits until nobody else judges in a folder.
func lockFolder(ctx context.Context, dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, lockTime)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		free, err := tryLock(f)
		if free {
			return func() { f.Close() }, nil
		}
		if err == nil {
			select {
			case <-again.C:
				continue
			case <-ctx.Done():
				err = fmt.Errorf("%s is locked by another process: %w", f.Name(), ctx.Err())
			}
		}
		f.Close()
		return nil, err
	}
}
