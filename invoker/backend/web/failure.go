package web

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"syscall"

	"github.com/polyvoke/polyvoke/runtimes/files"
)

// failure is why an operation fails: a reason for the function's developer, and an error for its process.
type failure struct {
	reason string
	err    error // what files.Tree may return
}

// Error returns the reason.
func (f *failure) Error() string { return f.reason }

// Unwrap returns the error for the process.
func (f *failure) Unwrap() error { return f.err }

// errIO is what a process is told when there is no better word.
const errIO = syscall.EIO

// failed returns why a request has failed, from the error of a transport.
func failed(err error) error {
	var known *failure
	var refused *RefusedError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &refused):
		return &failure{refused.Error(), syscall.EACCES}
	case errors.Is(err, context.DeadlineExceeded):
		return &failure{"there was no answer in time", errIO}
	}
	return &failure{"the request failed: " + err.Error(), errIO}
}

// failedStatus returns the failure that a status is, or nil.
func failedStatus(status int) error {
	if status < 400 {
		return nil
	}
	err := error(errIO)
	switch status {
	case http.StatusNotFound, http.StatusGone:
		err = fs.ErrNotExist
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		err = syscall.EACCES
	}
	return &failure{fmt.Sprintf("the status is %d %s", status, http.StatusText(status)), err}
}

// errnoName returns the name of an error as PATH.error has it.
func errnoName(err error) string {
	for _, k := range []struct {
		err  error
		name string
	}{
		{fs.ErrNotExist, "ENOENT"}, {syscall.EACCES, "EACCES"}, {fs.ErrInvalid, "EINVAL"}, {files.ErrTooLarge, "EFBIG"},
		{files.ErrNoSpace, "ENOSPC"}, {files.ErrReadOnly, "EROFS"},
	} {
		if errors.Is(err, k.err) {
			return k.name
		}
	}
	return "EIO"
}
