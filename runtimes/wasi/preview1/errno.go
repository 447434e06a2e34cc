package preview1

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"syscall"

	"github.com/polyvoke/polyvoke/runtimes/files"
)

// errno is an error number of WASI preview1. 0 is success.
type errno uint32

// The error numbers in use.
const (
	eacces       errno = 2
	eagain       errno = 6
	ebadf        errno = 8
	ebusy        errno = 10
	ecanceled    errno = 11
	edquot       errno = 19
	eexist       errno = 20
	efault       errno = 21
	efbig        errno = 22
	eilseq       errno = 25
	einval       errno = 28
	eio          errno = 29
	eisdir       errno = 31
	eloop        errno = 32
	emfile       errno = 33
	enametoolong errno = 37
	enoent       errno = 44
	enospc       errno = 51
	enotdir      errno = 54
	enotempty    errno = 55
	enotsock     errno = 57
	enotsup      errno = 58
	eperm        errno = 63
	erofs        errno = 69
	espipe       errno = 70
	etimedout    errno = 73
	exdev        errno = 75
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
		{files.ErrNotEmpty, enotempty}, // which to package io/fs is the same as what exists
		{syscall.EACCES, eacces},
		{fs.ErrPermission, eperm},
		{fs.ErrInvalid, einval},
		{fs.ErrClosed, ebadf},
		{fs.ErrExist, eexist},
		{files.ErrNotDir, enotdir},
		{files.ErrIsDir, eisdir},
		{files.ErrReadOnly, erofs},
		{files.ErrNoSpace, enospc},
		{files.ErrTooLarge, efbig},
		{files.ErrBadFile, ebadf},
		{files.ErrBusy, ebusy},
		{files.ErrOtherTree, exdev},
		{files.ErrNameTooLong, enametoolong},
		{syscall.ELOOP, eloop},
		{syscall.EINVAL, einval},
		{syscall.EAGAIN, eagain},
		{syscall.ESPIPE, espipe},
		{syscall.EDQUOT, edquot},
		{context.DeadlineExceeded, etimedout}, // of the operation: one of the process would have ended it
		{context.Canceled, ecanceled},
		{errors.ErrUnsupported, enotsup},
	} {
		if errors.Is(err, k.err) {
			return k.e
		}
	}
	return eio
}
