package sql

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/files"
)

// file is a database that is open.
type file struct {
	s      *session
	g      granted
	m      *image
	how    files.Flags
	closed bool
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

// tell writes to the function's log why something cannot be written.
func (f *file) tell(err error) error {
	switch {
	case errors.Is(err, files.ErrNoSpace):
		f.s.log(f.g.database, "the run changes more than there is room for: what it writes is kept in memory until it has "+
			"succeeded, at most limits.output, which is %d bytes", f.s.t.Output)
	case errors.Is(err, files.ErrTooLarge):
		f.s.log(f.g.database, "the database would have more than %d bytes: raise max_bytes of its grant", f.m.max)
	}
	return err
}

// Stat implements files.File.
func (f *file) Stat(context.Context) (files.Info, error) {
	return files.Info{Size: f.m.size, ModTime: f.m.when}, f.use(0)
}

// ReadAt implements files.File.
func (f *file) ReadAt(_ context.Context, b []byte, at int64) (int, error) {
	if err := f.use(files.Read); err != nil {
		return 0, err
	}
	return f.m.readAt(b, at)
}

// WriteAt implements files.File. It writes all, or nothing.
func (f *file) WriteAt(_ context.Context, b []byte, at int64) (int, error) {
	if err := f.use(files.Write); err != nil {
		return 0, err
	}
	n, err := f.m.writeAt(b, at)
	return n, f.tell(err)
}

// Truncate implements files.File.
func (f *file) Truncate(_ context.Context, size int64) error {
	if err := f.use(files.Write); err != nil {
		return err
	}
	return f.tell(f.m.truncate(size))
}

// SetTime implements files.File. The time is that of the last change.
func (f *file) SetTime(context.Context, time.Time) error { return f.use(0) }

// Sync implements files.File. What is written is put when the run has succeeded, and not before.
func (f *file) Sync(context.Context) error { return f.use(0) }

// Close implements files.File.
func (f *file) Close(context.Context) error {
	err := f.use(0)
	f.closed = true
	return err
}

// journal is what the name of a rollback journal ends with.
const journal = "-journal"

// magic is what a journal begins with that SQLite would roll back by. It is there before the database is written, and
// gone when the transaction is done: with the file, with its content, or with its beginning, by PRAGMA journal_mode.
var magic = []byte{0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7}

// journalFile is the journal of a database, by which it is known when a transaction of SQLite begins and ends.
type journalFile struct {
	files.File
	s *session
	g granted
}

// WriteAt implements files.File.
func (j *journalFile) WriteAt(ctx context.Context, b []byte, at int64) (int, error) {
	n, err := j.File.WriteAt(ctx, b, at)
	if at < int64(len(magic)) {
		j.look(ctx)
	}
	return n, err
}

// Truncate implements files.File.
func (j *journalFile) Truncate(ctx context.Context, size int64) error {
	err := j.File.Truncate(ctx, size)
	j.look(ctx)
	return err
}

// look finds out whether there is a transaction.
func (j *journalFile) look(ctx context.Context) {
	m := j.s.images[j.g.name]
	if m == nil {
		return
	}
	head := make([]byte, len(magic))
	f, err := j.s.memory().Open(ctx, j.g.object()+journal, files.Read)
	if err != nil {
		return
	}
	_, _ = f.ReadAt(ctx, head, 0) // what is not there is none
	_ = f.Close(ctx)
	if bytes.Equal(head, magic) {
		m.begin()
	} else {
		m.end()
	}
}
