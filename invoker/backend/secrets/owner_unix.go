//go:build unix

package secrets

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// modes says that the modes of files mean something here.
const modes = true

// nonblock is how a file is opened that may be a pipe nobody writes to.
const nonblock = syscall.O_NONBLOCK

// mine returns an error if a file belongs to another user than this one or root.
func mine(info fs.FileInfo, name string) error {
	s, ok := info.Sys().(*syscall.Stat_t)
	if ok && s.Uid != 0 && int(s.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d, and not to the one that serves (%d) or to root: use chown", name, s.Uid,
			os.Geteuid())
	}
	return nil
}
