package functions

import (
	"context"
	"io"
	"io/fs"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/files"
)

// headersFile is .headers, open to be written. What is in it counts when the call is made.
type headersFile struct {
	s      *session
	e      *exchange
	how    files.Flags
	closed bool
}

// openHeaders opens the headers of a request.
func (s *session) openHeaders(to target, how files.Flags) (files.File, error) {
	e, err := s.exchange(to)
	if err != nil {
		return nil, err
	}
	if len(e.header) > 0 && how.Has(files.Create|files.Exclusive) {
		return nil, fs.ErrExist
	}
	f := &headersFile{s: s, e: e, how: how}
	e.users++
	if how.Has(files.Truncate) {
		_ = f.resize(0)
	}
	return f, nil
}

// use checks that the file is open for something.
func (f *headersFile) use(how files.Flags) error {
	switch {
	case f.closed:
		return fs.ErrClosed
	case !f.how.Has(how):
		return files.ErrBadFile
	}
	return nil
}

// resize gives the headers another size.
func (f *headersFile) resize(size int64) error {
	was := int64(len(f.e.header))
	if size > maxHeader {
		return files.ErrTooLarge
	}
	if err := f.s.take(size - was); err != nil {
		return err
	}
	header := make([]byte, size)
	copy(header, f.e.header)
	f.e.header = header
	return nil
}

// ReadAt implements files.File. It reads what was written.
func (f *headersFile) ReadAt(_ context.Context, b []byte, at int64) (int, error) {
	if err := f.use(files.Read); err != nil {
		return 0, err
	}
	if at >= int64(len(f.e.header)) {
		return 0, io.EOF
	}
	return copy(b, f.e.header[at:]), nil
}

// WriteAt implements files.File.
func (f *headersFile) WriteAt(_ context.Context, b []byte, at int64) (int, error) {
	if err := f.use(files.Write); err != nil {
		return 0, err
	}
	if at == files.End {
		at = int64(len(f.e.header))
	}
	end := at + int64(len(b))
	switch {
	case end < at:
		return 0, files.ErrTooLarge
	case len(b) == 0:
		return 0, nil
	case end > int64(len(f.e.header)):
		if err := f.resize(end); err != nil {
			return 0, err
		}
	}
	return copy(f.e.header[at:], b), nil
}

// Truncate implements files.File.
func (f *headersFile) Truncate(_ context.Context, size int64) error {
	if err := f.use(files.Write); err != nil {
		return err
	}
	if size < 0 {
		return fs.ErrInvalid
	}
	return f.resize(size)
}

// Stat implements files.File.
func (f *headersFile) Stat(context.Context) (files.Info, error) {
	return files.Info{Size: int64(len(f.e.header))}, f.use(0)
}

// SetTime implements files.File. No times are kept.
func (f *headersFile) SetTime(context.Context, time.Time) error { return f.use(0) }

// Sync implements files.File.
func (f *headersFile) Sync(context.Context) error { return f.use(0) }

// Close implements files.File. Lines that are no headers are fs.ErrInvalid; the call says so too.
func (f *headersFile) Close(context.Context) error {
	if err := f.use(0); err != nil {
		return err
	}
	f.closed = true
	f.e.users--
	_, err := headerOf(f.e.header)
	f.s.leave(f.e)
	if err != nil {
		f.s.say("%s.headers: %v", f.s.name(f.e), err)
		return fs.ErrInvalid
	}
	return nil
}
