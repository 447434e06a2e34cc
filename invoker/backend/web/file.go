package web

import (
	"context"
	"io"
	"io/fs"
	"math"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/files"
)

// textFile is a file with a text that does not change.
type textFile struct {
	files.ReadOnlyFile
	text string
}

// Stat implements files.File.
func (f *textFile) Stat(context.Context) (files.Info, error) {
	return files.Info{Size: int64(len(f.text))}, nil
}

// ReadAt implements files.File.
func (f *textFile) ReadAt(_ context.Context, b []byte, at int64) (int, error) {
	if at >= int64(len(f.text)) {
		return 0, io.EOF
	}
	return copy(b, f.text[at:]), nil
}

// SetTime implements files.File.
func (f *textFile) SetTime(context.Context, time.Time) error { return nil }

// reader is a response that is being read: a file if its size is known, else a stream.
type reader struct {
	textFile // what it is not: nothing of it can be changed
	s        *session
	name     string
	e        *exchange
	stream   bool
	at       int64 // of a stream
	closed   bool
}

// newReader opens an exchange.
func newReader(s *session, name string, e *exchange) *reader {
	_, known := e.size()
	e.open++
	return &reader{s: s, name: name, e: e, stream: !known}
}

// Stat implements files.File.
func (f *reader) Stat(context.Context) (files.Info, error) {
	if f.stream {
		return files.Info{Stream: true}, nil
	}
	n, _ := f.e.size()
	return files.Info{Size: n}, nil
}

// ReadAt implements files.File. It waits until something has come.
func (f *reader) ReadAt(ctx context.Context, b []byte, at int64) (int, error) {
	if f.stream {
		at = f.at
	}
	n, err := f.e.readAt(ctx, b, at)
	f.at += int64(n)
	if err != nil && err != io.EOF {
		err = f.s.fail("read", f.name, err)
	}
	return n, err
}

// Close implements files.File.
func (f *reader) Close(context.Context) error {
	if f.closed {
		return fs.ErrClosed
	}
	f.closed = true
	f.e.open--
	return nil
}

// resize returns a text with another size, or an error if that is over a bound.
func resize(text []byte, size, most int64) ([]byte, error) {
	switch {
	case size < 0:
		return text, fs.ErrInvalid
	case size > most:
		return text, files.ErrTooLarge
	case size <= int64(len(text)):
		return text[:size], nil
	}
	return append(text, make([]byte, size-int64(len(text)))...), nil
}

// writeAt writes into a text.
func writeAt(text, b []byte, at, most int64) ([]byte, error) {
	if at == files.End {
		at = int64(len(text))
	}
	switch {
	case at < 0:
		return text, fs.ErrInvalid
	case at > math.MaxInt64-int64(len(b)):
		return text, files.ErrTooLarge
	case len(b) == 0:
		return text, nil
	}
	text, err := resize(text, max(int64(len(text)), at+int64(len(b))), most)
	if err == nil {
		copy(text[at:], b)
	}
	return text, err
}

// wishFile is PATH.method or PATH.headers, which is being written.
type wishFile struct {
	how  files.Flags
	text *[]byte
	most int64
}

// Stat implements files.File.
func (f *wishFile) Stat(context.Context) (files.Info, error) {
	return files.Info{Size: int64(len(*f.text))}, nil
}

// ReadAt implements files.File.
func (f *wishFile) ReadAt(ctx context.Context, b []byte, at int64) (int, error) {
	if !f.how.Has(files.Read) {
		return 0, files.ErrBadFile
	}
	return (&textFile{text: string(*f.text)}).ReadAt(ctx, b, at)
}

// WriteAt implements files.File.
func (f *wishFile) WriteAt(_ context.Context, b []byte, at int64) (n int, err error) {
	if *f.text, err = writeAt(*f.text, b, at, f.most); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Truncate implements files.File.
func (f *wishFile) Truncate(_ context.Context, size int64) (err error) {
	*f.text, err = resize(*f.text, size, f.most)
	return err
}

// SetTime implements files.File.
func (f *wishFile) SetTime(context.Context, time.Time) error { return nil }

// Sync implements files.File.
func (f *wishFile) Sync(context.Context) error { return nil }

// Close implements files.File.
func (f *wishFile) Close(context.Context) error { return nil }

// bodyFile is the body of a request that is being written, and, if it is open to read too, the response.
type bodyFile struct {
	s     *session
	name  string
	t     target
	how   files.Flags
	body  []byte
	wrote bool
	read  *reader // the response: nothing can be written any more
}

// both reports whether it is a stream that is written and then read.
func (f *bodyFile) both() bool { return f.how.Has(files.Read) }

// Stat implements files.File.
func (f *bodyFile) Stat(context.Context) (files.Info, error) {
	if f.both() {
		return files.Info{Stream: true}, nil
	}
	return files.Info{Size: int64(len(f.body))}, nil
}

// WriteAt implements files.File.
func (f *bodyFile) WriteAt(_ context.Context, b []byte, at int64) (n int, err error) {
	switch {
	case f.read != nil:
		err = &failure{"its response is being read: open it again to write another body", files.ErrBadFile}
		return 0, f.s.fail("write", f.name, err)
	case f.both():
		at = files.End
	}
	err = f.stage("write", func(most int64) ([]byte, error) { return writeAt(f.body, b, at, most) })
	if err != nil {
		return 0, err
	}
	return len(b), nil
}

// stage changes the body. All bodies of a run that were not sent have as much room as its output.
func (f *bodyFile) stage(op string, change func(most int64) ([]byte, error)) error {
	old := int64(len(f.body))
	body, err := change(f.s.holding.one - f.s.staged + old)
	if err == files.ErrTooLarge {
		err = &failure{"a body of a request has at most as many bytes as limits.output says", err}
	}
	if err != nil {
		return f.s.fail(op, f.name, err)
	}
	f.body, f.wrote = body, true
	f.s.staged += int64(len(body)) - old
	return nil
}

// Truncate implements files.File.
func (f *bodyFile) Truncate(_ context.Context, size int64) error {
	if f.read != nil {
		return files.ErrBadFile
	}
	return f.stage("truncate", func(most int64) ([]byte, error) { return resize(f.body, size, most) })
}

// ReadAt implements files.File. The first sends what was written.
func (f *bodyFile) ReadAt(ctx context.Context, b []byte, at int64) (int, error) {
	if !f.both() {
		return 0, files.ErrBadFile
	}
	if f.read == nil {
		e, err := f.send(ctx)
		if err != nil {
			return 0, f.s.fail("read", f.name, err)
		}
		f.read = newReader(f.s, f.name, e)
		f.read.stream = true
	}
	return f.read.ReadAt(ctx, b, at)
}

// send sends what was written, or asks for what is there if nothing was, and waits until there is a response.
func (f *bodyFile) send(ctx context.Context) (*exchange, error) {
	if !f.wrote && !f.how.Has(files.Truncate) && f.both() {
		e, err := f.s.exchangeOf(ctx, f.t)
		return f.s.succeeded(e, err)
	}
	body := f.body
	if body == nil {
		body = []byte{}
	}
	f.unstage()
	e, err := f.s.begin(f.t, body)
	if err == nil {
		err = e.awaitHeaders(ctx)
	}
	return f.s.succeeded(e, err)
}

// unstage gives back the room of the body.
func (f *bodyFile) unstage() {
	f.s.staged -= int64(len(f.body))
	f.body, f.wrote = nil, false
}

// succeeded returns an exchange, or why it is no success.
func (s *session) succeeded(e *exchange, err error) (*exchange, error) {
	if err == nil {
		_, err = e.outcome()
	}
	return e, err
}

// SetTime implements files.File.
func (f *bodyFile) SetTime(context.Context, time.Time) error { return nil }

// Sync implements files.File. The request is made when the file is closed, for nobody knows before that it is whole.
func (f *bodyFile) Sync(context.Context) error { return nil }

// Close implements files.File. It sends what was written, unless that was done, and waits until there is a response.
func (f *bodyFile) Close(ctx context.Context) error {
	switch {
	case f.read != nil:
		return f.read.Close(ctx)
	case ctx.Err() != nil || f.both() && !f.wrote && !f.how.Has(files.Truncate):
		f.unstage()
		return nil
	}
	if _, err := f.send(ctx); err != nil {
		return f.s.fail("close", f.name, err)
	}
	return nil
}
