package natsd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// lockName is the file in a store that its server holds a lock on. The lock belongs to the
// open file, so the operating system takes it back however the process ends; the file stays.
const lockName = "polyvoke.lock"

// lock is a folder that this process has to itself.
type lock struct{ file *os.File }

// lockFolder makes the folder if it has to, and locks it.
func lockFolder(dir string) (*lock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("store %s: %w", dir, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", dir, err)
	}
	if err := lockFile(f); err != nil {
		owner := ""
		if b, err := os.ReadFile(f.Name()); err == nil && len(b) > 0 {
			owner = " by " + strings.TrimSpace(string(b))
		}
		f.Close()
		return nil, fmt.Errorf("store %s: %w%s", dir, ErrInUse, owner)
	}
	return &lock{f}, nil
}

// describe writes which process has the lock, for the message that the next one gets.
func (l *lock) describe(owner string) {
	if l.file.Truncate(0) == nil {
		_, _ = l.file.WriteAt([]byte(owner+"\n"), 0) // only a message gets poorer without it
	}
}

// release gives the folder free.
func (l *lock) release() {
	l.describe("")
	l.file.Close()
}
