package publish

import (
	"context"
	"io/fs"
	"slices"
	"syscall"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/files"
)

// file is a message that is being written.
type file struct {
	s       *session
	subject string
	grant   int
	how     files.Flags
	body    []byte
	written bool // it is a message
	broken  error
	closed  bool
}

// cost is what the message takes besides its body.
func (f *file) cost() int64 { return files.EntryCost + int64(len(f.subject)) }

// use checks that the file is open.
func (f *file) use() error {
	if f.closed {
		return fs.ErrClosed
	}
	return nil
}

// ReadAt implements files.File: there is nothing to read.
func (f *file) ReadAt(context.Context, []byte, int64) (int, error) {
	if err := f.use(); err != nil {
		return 0, err
	}
	if f.how.Has(files.Read) {
		return 0, syscall.EACCES
	}
	return 0, files.ErrBadFile
}

// WriteAt implements files.File.
func (f *file) WriteAt(_ context.Context, b []byte, at int64) (int, error) {
	if err := f.use(); err != nil {
		return 0, err
	}
	if at == files.End {
		at = int64(len(f.body))
	}
	end := at + int64(len(b))
	switch {
	case len(b) == 0:
		return 0, nil
	case end < at || end > int64(len(f.body)):
		if err := f.resize(end); err != nil {
			return 0, err
		}
	}
	f.written = true
	return copy(f.body[at:], b), nil
}

// resize gives the message another size. One that does not fit is not sent.
func (f *file) resize(size int64) error {
	was := int64(len(f.body))
	switch most := f.s.longest(); {
	case f.broken != nil:
	case size < 0 || size > most:
		f.s.say("/pub/%s: not sent: a message may have %d bytes here (NATS's max_payload): put what is larger into an object",
			f.subject, most)
		f.broken = files.ErrTooLarge
	default:
		f.broken = f.s.take(size - was)
	}
	switch {
	case f.broken != nil:
		return f.broken
	case size <= was:
		clear(f.body[size:])
		f.body = f.body[:size]
	default:
		f.body = slices.Grow(f.body, int(size-was))[:size]
		clear(f.body[was:])
	}
	return nil
}

// Truncate implements files.File.
func (f *file) Truncate(_ context.Context, size int64) error {
	switch {
	case f.closed:
		return fs.ErrClosed
	case size < 0:
		return fs.ErrInvalid
	}
	f.written = true
	return f.resize(size)
}

// Stat implements files.File.
func (f *file) Stat(context.Context) (files.Info, error) {
	return files.Info{Size: int64(len(f.body))}, f.use()
}

// SetTime implements files.File. No times are kept.
func (f *file) SetTime(context.Context, time.Time) error { return f.use() }

// Sync implements files.File. Nothing is sent before the run has succeeded.
func (f *file) Sync(context.Context) error { return f.use() }

// Close implements files.File. It makes a message of what was written. What could not be written whole is none, and the
// error is the same as then.
func (f *file) Close(ctx context.Context) error {
	if err := f.use(); err != nil {
		return err
	}
	f.closed = true
	s := f.s
	if f.written && f.broken == nil && ctx.Err() == nil {
		s.messages = append(s.messages, message{f.subject, f.body})
		return nil
	}
	s.used[f.grant]--
	_ = s.take(-f.cost() - int64(len(f.body)))
	f.body = nil
	return f.broken
}
