package functions

import (
	"context"
	"io"
	"io/fs"
	"slices"
	"syscall"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/files"
)

// file is an exchange that is open. Request and reply begin where they are first written or read: at the beginning, or,
// if nobody has sought, where the other ended.
type file struct {
	s      *session
	e      *exchange
	how    files.Flags
	closed bool
	doing  files.Flags // what was last done: Read, Write, or neither
	origin int64       // where that began
	last   int64       // where it ended
}

// use checks that the file is open for something.
func (f *file) use(how files.Flags) error {
	switch {
	case f.closed:
		return fs.ErrClosed
	case !f.how.Has(how):
		return files.ErrBadFile
	}
	return nil
}

// turn returns the position in the request or the reply of one in the file.
func (f *file) turn(do files.Flags, at int64) int64 {
	if f.doing != do {
		f.doing, f.origin = do, 0
		if at == f.last {
			f.origin = at
		}
	}
	if at < f.origin {
		f.origin = 0
	}
	return at - f.origin
}

// ReadAt implements files.File. It makes the call, if nobody has.
func (f *file) ReadAt(ctx context.Context, b []byte, at int64) (int, error) {
	if err := f.use(files.Read); err != nil {
		return 0, err
	}
	if err := f.fetch(ctx); err != nil {
		return 0, err
	}
	from := f.turn(files.Read, at)
	body := f.e.answer.body
	if from >= int64(len(body)) {
		return 0, io.EOF
	}
	n := copy(b, body[from:])
	f.last = at + int64(n)
	return n, nil
}

// fetch sees to it that there is a reply. If that is an error, so is this.
func (f *file) fetch(ctx context.Context) error {
	if f.e.answer == nil {
		if f.others() {
			f.s.say("%s is read while it is still open to be written: close it first", f.s.name(f.e))
			return files.ErrBusy
		}
		if err := f.s.call(ctx, f.e); err != nil {
			return err
		}
	}
	if f.e.answer.failed != nil {
		return syscall.EIO
	}
	return nil
}

// others reports whether another file is open to write the same request.
func (f *file) others() bool {
	mine := 0
	if f.how.Has(files.Write) {
		mine = 1
	}
	return f.e.writers > mine
}

// WriteAt implements files.File. After a reply it begins a new request.
func (f *file) WriteAt(_ context.Context, b []byte, at int64) (int, error) {
	if err := f.use(files.Write); err != nil {
		return 0, err
	}
	if len(b) == 0 {
		return 0, nil
	}
	f.begin()
	if at == files.End {
		at = int64(len(f.e.request))
		if f.doing == files.Write {
			at += f.origin
		}
	}
	from := f.turn(files.Write, at)
	if end := from + int64(len(b)); end < from || end > int64(len(f.e.request)) {
		if err := f.resize(end); err != nil {
			return 0, err
		}
	}
	n := copy(f.e.request[from:], b)
	f.last = at + int64(n)
	return n, nil
}

// begin sees to it that there is a request that can be written.
func (f *file) begin() {
	if !f.e.pending {
		f.s.renew(f.e)
	}
}

// resize gives the request another size. One that does not fit is not called.
func (f *file) resize(size int64) error {
	e := f.e
	was := int64(len(e.request))
	if size < 0 {
		e.broken = true
		return files.ErrTooLarge
	}
	if err := f.s.take(size - was); err != nil {
		e.broken = true
		return err
	}
	if size <= was {
		clear(e.request[size:])
		e.request = e.request[:size]
		return nil
	}
	e.request = slices.Grow(e.request, int(size-was))[:size]
	clear(e.request[was:])
	return nil
}

// Truncate implements files.File.
func (f *file) Truncate(_ context.Context, size int64) error {
	if err := f.use(files.Write); err != nil {
		return err
	}
	if size < 0 {
		return fs.ErrInvalid
	}
	f.begin()
	f.doing, f.origin = files.Write, 0
	return f.resize(size)
}

// Stat implements files.File. What is open only to be read is as long as the reply, so this makes the call, unless the
// request is still being written.
func (f *file) Stat(ctx context.Context) (files.Info, error) {
	if f.closed {
		return files.Info{}, fs.ErrClosed
	}
	if !f.how.Has(files.Write) && (f.e.answer != nil || !f.others()) {
		if err := f.fetch(ctx); err != nil {
			return files.Info{}, err
		}
	}
	return files.Info{Size: f.origin + f.e.size()}, nil
}

// SetTime implements files.File. No times are kept.
func (f *file) SetTime(context.Context, time.Time) error { return f.use(0) }

// Sync implements files.File. Nothing is sent before the reply is asked for.
func (f *file) Sync(context.Context) error { return f.use(0) }

// Close implements files.File.
func (f *file) Close(context.Context) error {
	if err := f.use(0); err != nil {
		return err
	}
	f.closed = true
	f.e.users--
	if f.how.Has(files.Write) {
		f.e.writers--
	}
	f.s.leave(f.e)
	return nil
}
