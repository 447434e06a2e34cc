package functions

import (
	"context"
	"io/fs"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/files"
)

// tree is the files of a session. Each path that can be called exists, and only the functions are listed.
type tree struct{ s *session }

var _ files.Inline = tree{}

// Inline implements files.Inline.
func (t tree) Inline() {}

// find returns what a name means.
func (t tree) find(op, name string) (target, error) {
	err := error(fs.ErrNotExist)
	switch to, ok := parsePath(name); {
	case !fs.ValidPath(name):
		err = fs.ErrInvalid
	case ok:
		if _, granted := t.s.r.granted[to.ref]; granted {
			return to, nil
		}
	}
	return target{}, &fs.PathError{Op: op, Path: name, Err: err}
}

// Open implements files.Tree.
func (t tree) Open(ctx context.Context, name string, how files.Flags) (files.File, error) {
	if name == "." {
		return nil, &fs.PathError{Op: "open", Path: name, Err: files.ErrIsDir}
	}
	to, err := t.find("open", name)
	if err != nil {
		if how.Has(files.Write) { // the process only sees that there can be no such file
			t.s.say("/fn/%.300s: no grant of fn speaks of it", name)
		}
		return nil, err
	}
	f, err := t.s.open(ctx, to, how)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return f, nil
}

// open opens an exchange, or what is beside it.
func (s *session) open(ctx context.Context, to target, how files.Flags) (files.File, error) {
	writes := how.Has(files.Write)
	switch {
	case to.side == sideHeaders && writes:
		return s.openHeaders(to, how)
	case to.side != sideBody:
		return s.openSide(ctx, to, how)
	case how.Has(files.Create | files.Exclusive):
		return nil, fs.ErrExist
	}
	e, err := s.exchange(to)
	if err != nil {
		return nil, err
	}
	e.users++
	if writes {
		e.writers++
	}
	if writes && how.Has(files.Truncate) {
		s.renew(e)
	}
	return &file{s: s, e: e, how: how}, nil
}

// openSide opens a file beside an exchange, which can only be read.
func (s *session) openSide(ctx context.Context, to target, how files.Flags) (files.File, error) {
	b, ok := s.side(to)
	if !ok && how.Has(files.Create) {
		return nil, files.ErrReadOnly
	} else if !ok {
		return nil, fs.ErrNotExist
	}
	return files.Static(files.Map{to.side: b}).Open(ctx, to.side, how)
}

// side returns what is in a file beside an exchange, if there is any.
func (s *session) side(to target) ([]byte, bool) {
	e := s.exchanges[to.path]
	if e == nil {
		return nil, false
	}
	return e.side(to.side)
}

// Stat implements files.Tree. It makes no call: before there is one, a reply has no size.
func (t tree) Stat(_ context.Context, name string) (files.Info, error) {
	if name == "." {
		return files.Info{Mode: fs.ModeDir}, nil
	}
	to, err := t.find("stat", name)
	if err != nil {
		return files.Info{}, err
	}
	if to.side != sideBody {
		b, ok := t.s.side(to)
		if !ok {
			return files.Info{}, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
		}
		return files.Info{Size: int64(len(b))}, nil
	}
	if e := t.s.exchanges[to.path]; e != nil {
		return files.Info{Size: e.size()}, nil
	}
	return files.Info{}, nil
}

// size is the size of what can be read, or of what was written.
func (e *exchange) size() int64 {
	if e.answer != nil {
		return int64(len(e.answer.body))
	}
	return int64(len(e.request))
}

// ReadDir implements files.Tree. It lists what is granted.
func (t tree) ReadDir(_ context.Context, name string) ([]files.Entry, error) {
	if name != "." {
		_, err := t.find("readdir", name)
		if err == nil {
			err = &fs.PathError{Op: "readdir", Path: name, Err: files.ErrNotDir}
		}
		return nil, err
	}
	all := make([]files.Entry, len(t.s.r.names))
	for i, name := range t.s.r.names {
		all[i] = files.Entry{Name: name}
	}
	return all, nil
}

// Mkdir implements files.Tree. There are no folders.
func (t tree) Mkdir(_ context.Context, name string) error {
	err := error(fs.ErrExist)
	if name != "." {
		if _, e := t.find("mkdir", name); e != nil {
			return e
		}
	}
	return &fs.PathError{Op: "mkdir", Path: name, Err: err}
}

// Remove implements files.Tree. It forgets a request that was not sent, and a reply.
func (t tree) Remove(_ context.Context, name string) error {
	err := error(files.ErrBusy)
	if name != "." {
		to, e := t.find("remove", name)
		if e != nil {
			return e
		}
		if err = t.s.remove(to); err == nil {
			return nil
		}
	}
	return &fs.PathError{Op: "remove", Path: name, Err: err}
}

// remove forgets what there is of an exchange, or of its headers.
func (s *session) remove(to target) error {
	e := s.exchanges[to.path]
	switch {
	case to.side == sideStatus || to.side == sideError:
		return fs.ErrPermission
	case e == nil:
		return nil
	case e.users > 0:
		return files.ErrBusy
	}
	if to.side == sideBody {
		s.drop(e)
	}
	_ = s.take(-int64(len(e.header)))
	e.header = nil
	s.leave(e)
	return nil
}

// Rename implements files.Tree. No path can become another.
func (t tree) Rename(_ context.Context, from, to string) error {
	for _, name := range []string{from, to} {
		if _, err := t.find("rename", name); err != nil && name != "." {
			return err
		}
	}
	return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrPermission}
}

// SetTime implements files.Tree. No times are kept.
func (t tree) SetTime(_ context.Context, name string, _ time.Time) error {
	if name == "." {
		return nil
	}
	_, err := t.find("chtimes", name)
	return err
}
