package secrets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/polyvoke/polyvoke/protocol"
)

// Folder is a Source over a folder with a file a secret, as systemd's credentials and Kubernetes' volumes of secrets
// are. Nobody but the user of this process and root may be able to write it, or to read the files. In a volume of
// Kubernetes, which is known by its link ..data, all may read: only a container sees it. Links are followed as long as
// they stay in the folder. The value is what is in the file, its last line feed included.
type Folder struct {
	// Dir is the folder.
	Dir string
}

var _ Source = Folder{}

// kubernetes is the link by which the files of a volume are exchanged all at once.
const kubernetes = "..data"

// Check returns an error if secrets cannot be in the folder: if it is none, or others may write it.
func (f Folder) Check() error {
	info, err := os.Stat(f.Dir)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return &fs.PathError{Op: "open", Path: f.Dir, Err: syscall.ENOTDIR}
	case info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0 && modes:
		return fmt.Errorf("%s: others may write this folder (mode %s): use chmod go-w", f.Dir, info.Mode())
	}
	return mine(info, f.Dir)
}

// Secret implements Source: a file is for all functions. It ignores the context, since the read of a file cannot be
// interrupted.
func (f Folder) Secret(_ context.Context, _, name string) ([]byte, error) {
	if err := CheckName(name); err != nil {
		return nil, errors.Join(err, fs.ErrNotExist)
	}
	if err := f.Check(); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(f.Dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	file, err := root.OpenFile(name, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := checkFile(root, file); err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(file, MaxValue+1))
	if err == nil && len(b) > MaxValue {
		err = tooLarge()
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// checkFile returns an error if a secret cannot be in a file.
func checkFile(root *os.Root, file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	mode := info.Mode()
	if !mode.IsRegular() {
		return refused("it is no regular file")
	}
	if err := mine(info, file.Name()); err != nil {
		return err
	}
	switch {
	case !modes:
	case mode.Perm()&0o022 != 0:
		return refused("others may write its file (mode %s): use chmod go-w", mode)
	case mode.Perm()&0o004 != 0:
		if _, err := root.Lstat(kubernetes); err != nil {
			return refused("others may read its file (mode %s): use chmod o-r", mode)
		}
	}
	return nil
}

// refused returns an error for a file that is not read.
func refused(format string, a ...any) error {
	return protocol.Errorf(protocol.CodeUnavailable, "", format, a...)
}
