package secrets

import (
	"context"
	"io/fs"
	"slices"
	"syscall"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// session is /secret as one run sees it. One goroutine at a time uses it.
type session struct {
	r      *resource
	t      *backend.Transaction
	values *values // nil: nothing was looked at
	stderr Redactor
	said   map[string]bool // names of secrets whose failure the log has been told
}

var _ backend.Hider = (*session)(nil)

// Tree implements backend.Session.
func (s *session) Tree() files.Tree { return tree{s: s} }

// End implements backend.Session.
func (s *session) End() {}

// Hide implements backend.Hider: the secrets that the run may have read are replaced.
func (s *session) Hide(text []byte, last bool) []byte {
	if s.values != nil {
		s.stderr.Matcher = s.values.matcher
	}
	return s.stderr.Redact(text, last)
}

// HideLine implements backend.Hider.
func (s *session) HideLine(text string) string {
	if s.values == nil {
		return text
	}
	return s.values.matcher.Redact(text)
}

// read returns the value of a secret that is granted.
func (s *session) read(ctx context.Context, name string) ([]byte, error) {
	if s.values == nil {
		v, err := s.r.values(ctx)
		if err != nil {
			return nil, err
		}
		s.values = v
		s.t.Read()
	}
	if err := s.values.errs[name]; err != nil {
		if s.t.Log != nil && !s.said[name] {
			if s.said == nil {
				s.said = map[string]bool{}
			}
			s.said[name] = true
			s.t.Log("/secret/" + name + ": " + protocol.ErrorOf(missing(name, err), "").Error())
		}
		return nil, syscall.EIO
	}
	return s.values.byName[name], nil
}

// tree is the files of a session.
type tree struct {
	files.ReadOnly
	s *session
}

var _ files.Inline = tree{}

// Inline implements files.Inline.
func (t tree) Inline() {}

// granted returns nil if a name is that of a secret that is granted.
func (t tree) granted(name string) error {
	_, found := slices.BinarySearch(t.s.r.names, name)
	switch {
	case !fs.ValidPath(name):
		return fs.ErrInvalid
	case !found:
		return fs.ErrNotExist
	}
	return nil
}

// Open implements files.Tree.
func (t tree) Open(ctx context.Context, name string, how files.Flags) (files.File, error) {
	err := t.granted(name)
	switch {
	case name == ".":
		err = files.ErrIsDir
	case err == nil && how.Has(files.Create|files.Exclusive):
		err = fs.ErrExist
	case err == nil && how.Has(files.Write):
		err = files.ErrReadOnly
	}
	var b []byte
	if err == nil {
		b, err = t.s.read(ctx, name)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return files.Static(files.Map{name: b}).Open(ctx, name, files.Read)
}

// Stat implements files.Tree.
func (t tree) Stat(ctx context.Context, name string) (files.Info, error) {
	if name == "." {
		return files.Info{Mode: fs.ModeDir}, nil
	}
	err := t.granted(name)
	var b []byte
	if err == nil {
		b, err = t.s.read(ctx, name)
	}
	if err != nil {
		return files.Info{}, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return files.Info{Size: int64(len(b))}, nil
}

// ReadDir implements files.Tree.
func (t tree) ReadDir(_ context.Context, name string) ([]files.Entry, error) {
	if name != "." {
		err := t.granted(name)
		if err == nil {
			err = files.ErrNotDir
		}
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	all := make([]files.Entry, len(t.s.r.names))
	for i, n := range t.s.r.names {
		all[i] = files.Entry{Name: n}
	}
	return all, nil
}
