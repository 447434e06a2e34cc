package objects

import (
	"context"
	"io/fs"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/files"
)

// file is an open file.
type file struct {
	c      *content
	how    files.Flags
	closed bool
}

// open opens the content of a node.
func (n *node) open(how files.Flags) files.File {
	n.now.users++
	return &file{c: n.now, how: how}
}

// use returns why the file cannot be used for something.
func (f *file) use(how files.Flags) error {
	switch {
	case f.closed:
		return fs.ErrClosed
	case !f.how.Has(how):
		return files.ErrBadFile
	}
	return nil
}

// Stat implements files.File.
func (f *file) Stat(ctx context.Context) (files.Info, error) {
	if err := f.use(0); err != nil {
		return files.Info{}, err
	}
	return f.c.info(ctx)
}

// ReadAt implements files.File.
func (f *file) ReadAt(ctx context.Context, b []byte, at int64) (int, error) {
	if err := f.use(files.Read); err != nil {
		return 0, err
	}
	return f.c.readAt(ctx, b, at)
}

// WriteAt implements files.File. It writes all, or nothing.
func (f *file) WriteAt(ctx context.Context, b []byte, at int64) (int, error) {
	if err := f.use(files.Write); err != nil {
		return 0, err
	}
	if err := f.c.write(ctx); err != nil {
		return 0, err
	}
	if err := f.c.s.fits(ctx, f.c, int64(len(b))); err != nil {
		return 0, err
	}
	n, err := f.c.memory.WriteAt(ctx, b, at)
	return n, f.c.full(err)
}

// Truncate implements files.File.
func (f *file) Truncate(ctx context.Context, size int64) error {
	if err := f.use(files.Write); err != nil {
		return err
	}
	if size < 0 {
		return fs.ErrInvalid
	}
	if size == 0 {
		return f.c.empty()
	}
	if err := f.c.write(ctx); err != nil {
		return err
	}
	return f.c.full(f.c.memory.Truncate(ctx, size))
}

// SetTime implements files.File. The time of an object is that of its last change.
func (f *file) SetTime(context.Context, time.Time) error { return f.use(0) }

// Sync implements files.File. What is written is put when the run has succeeded, and not before.
func (f *file) Sync(context.Context) error { return f.use(0) }

// Close implements files.File.
func (f *file) Close(context.Context) error {
	if err := f.use(0); err != nil {
		return err
	}
	f.closed = true
	f.c.users--
	f.c.release()
	return nil
}
