package preview1

import (
	"errors"
	"io"
	"io/fs"
	"syscall"
)

// errno is an error number of WASI preview1. 0 is success.
type errno uint32

// The error numbers in use.
const (
	eagain       errno = 6
	ebadf        errno = 8
	eexist       errno = 20
	efault       errno = 21
	einval       errno = 28
	eio          errno = 29
	eisdir       errno = 31
	eloop        errno = 32
	emfile       errno = 33
	enametoolong errno = 37
	enoent       errno = 44
	enosys       errno = 52
	enotdir      errno = 54
	enotsock     errno = 57
	enotsup      errno = 58
	eperm        errno = 63
	erofs        errno = 69
)

// errnoOf returns the number that says most about an error of a file system.
func errnoOf(err error) errno {
	if err == nil {
		return 0
	}
	for _, k := range [...]struct {
		err error
		e   errno
	}{
		{io.EOF, 0},
		{fs.ErrNotExist, enoent},
		{fs.ErrPermission, eperm},
		{fs.ErrInvalid, einval},
		{fs.ErrClosed, ebadf},
		{fs.ErrExist, eexist},
		{syscall.ENOTDIR, enotdir},
		{syscall.EISDIR, eisdir},
		{syscall.ELOOP, eloop},
		{syscall.ENAMETOOLONG, enametoolong},
		{syscall.EINVAL, einval},
		{errors.ErrUnsupported, enotsup},
	} {
		if errors.Is(err, k.err) {
			return k.e
		}
	}
	return eio
}
