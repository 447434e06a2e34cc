package sql

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// session is the databases of a version as one run sees them. It is the tree of the run.
type session struct {
	r      *resource
	t      *backend.Transaction
	images map[string]*image // by database, of those that were opened
	beside *files.Memory     // journals and the like; nil until there is one
	logged map[string]bool
	done   objects.Changes // what was committed
}

var (
	_ files.Inline   = (*session)(nil)
	_ backend.Undoer = (*session)(nil)
)

// Tree implements backend.Session.
func (s *session) Tree() files.Tree {
	if slices.ContainsFunc(s.r.all, func(g granted) bool { return g.grant.CanWrite() }) {
		return s
	}
	return files.OnlyRead(s)
}

// Inline implements files.Inline.
func (s *session) Inline() {}

// memory returns the files beside the databases.
func (s *session) memory() *files.Memory {
	if s.beside == nil {
		s.beside = files.NewMemory(s.t.Output)
	}
	return s.beside
}

// log writes a line to the log of the function, once a run and database.
func (s *session) log(d *database, format string, a ...any) {
	if s.logged[d.name] || s.t.Log == nil {
		return
	}
	if s.logged == nil {
		s.logged = map[string]bool{}
	}
	s.logged[d.name] = true
	s.t.Log("/sql/" + d.object() + ": " + fmt.Sprintf(format, a...))
}

// image returns a database as the run has it. The first time it is that of the server.
func (s *session) image(ctx context.Context, g granted) (*image, error) {
	if m := s.images[g.name]; m != nil {
		return m, nil
	}
	s.t.Read()
	var found *snapshot
	var err error
	if waited := s.t.Do(ctx, func(ctx context.Context) { found, err = g.get(ctx, g.maxBytes()) }); waited != nil {
		return nil, waited
	}
	switch {
	case errors.Is(err, objects.ErrTooLarge):
		s.log(g.database, "the database has more than %d bytes: raise max_bytes of its grant", g.maxBytes())
		return nil, files.ErrTooLarge
	case errors.Is(err, objects.ErrDamaged), errors.Is(err, objects.ErrNotFound):
		s.log(g.database, "%v: it is not complete, or was replaced while it was read", err)
		return nil, syscall.EIO
	case err != nil:
		s.log(g.database, "%v", unavailable("", g.name, err))
		return nil, syscall.EIO
	}
	m := newImage(found, g.maxBytes(), s.t.Output)
	if head := make([]byte, 20); len(found.pieces) > 0 {
		if n, _ := m.readAt(head, 0); n == len(head) && head[18] == 2 {
			s.log(g.database, "the database is in WAL mode, which needs shared memory: say PRAGMA journal_mode=DELETE "+
				"where it comes from")
		}
	}
	if s.images == nil {
		s.images = map[string]*image{}
	}
	s.images[g.name] = m
	return m, nil
}

// locate returns what a name is of, and what of it.
func (s *session) locate(name string) (g granted, beside string, err error) {
	if !fs.ValidPath(name) {
		return g, "", fs.ErrInvalid
	}
	if name == "." {
		return g, "", files.ErrIsDir
	}
	g, beside, ok := s.r.find(name)
	if !ok {
		return g, "", fs.ErrNotExist
	}
	return g, beside, nil
}

// Open implements files.Tree.
func (s *session) Open(ctx context.Context, name string, how files.Flags) (files.File, error) {
	g, beside, err := s.locate(name)
	writes := how.Has(files.Write) || how.Has(files.Truncate)
	switch {
	case err == files.ErrIsDir && how.Has(files.Create|files.Exclusive):
		return nil, fs.ErrExist
	case err == fs.ErrNotExist && how.Has(files.Create):
		return nil, fs.ErrPermission // only what is granted can be made
	case err != nil:
		return nil, err
	case beside != "":
		return s.openBeside(ctx, g, name, beside, how)
	}
	m, err := s.image(ctx, g)
	switch {
	case err != nil:
		return nil, err
	case m.exists && how.Has(files.Create|files.Exclusive):
		return nil, fs.ErrExist
	case !m.exists && !how.Has(files.Create):
		return nil, fs.ErrNotExist
	case (writes || !m.exists) && !g.grant.CanWrite():
		return nil, files.ErrReadOnly
	case how.Has(files.Truncate):
		if err := m.truncate(0); err != nil {
			return nil, err
		}
	}
	m.exists = true
	return &file{s: s, g: g, m: m, how: how}, nil
}

// openBeside opens a file beside a database.
func (s *session) openBeside(
	ctx context.Context, g granted, name, beside string, how files.Flags,
) (files.File, error) {
	if !g.grant.CanWrite() && how.Has(files.Create) {
		return nil, files.ErrReadOnly
	}
	f, err := s.memory().Open(ctx, name, how)
	if err != nil || beside != journal {
		return f, err
	}
	w := &journalFile{File: f, s: s, g: g}
	if how.Has(files.Truncate) {
		w.look(ctx)
	}
	return w, nil
}

// Stat implements files.Tree.
func (s *session) Stat(ctx context.Context, name string) (files.Info, error) {
	g, beside, err := s.locate(name)
	switch {
	case err == files.ErrIsDir:
		return files.Info{Mode: fs.ModeDir}, nil
	case err != nil:
		return files.Info{}, err
	case beside != "" && s.beside == nil:
		return files.Info{}, fs.ErrNotExist
	case beside != "":
		return s.beside.Stat(ctx, name)
	}
	m, err := s.image(ctx, g)
	if err == nil && !m.exists {
		err = fs.ErrNotExist
	}
	if err != nil {
		return files.Info{}, err
	}
	return files.Info{Size: m.size, ModTime: m.when}, nil
}

// ReadDir implements files.Tree.
func (s *session) ReadDir(ctx context.Context, name string) (all []files.Entry, err error) {
	if name != "." {
		if _, err := s.Stat(ctx, name); err != nil {
			return nil, err
		}
		return nil, files.ErrNotDir
	}
	if s.beside != nil {
		if all, err = s.beside.ReadDir(ctx, "."); err != nil {
			return nil, err
		}
	}
	for _, g := range s.r.all {
		m, err := s.image(ctx, g)
		if err != nil {
			return nil, err
		}
		if m.exists {
			all = append(all, files.Entry{Name: g.object()})
		}
	}
	slices.SortFunc(all, func(a, b files.Entry) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Mkdir implements files.Tree. There are no folders.
func (s *session) Mkdir(ctx context.Context, name string) error {
	if _, err := s.Stat(ctx, name); err == nil {
		return fs.ErrExist
	}
	return fs.ErrPermission
}

// Remove implements files.Tree. A database that is removed is empty to those who have it open.
func (s *session) Remove(ctx context.Context, name string) error {
	g, beside, err := s.locate(name)
	switch {
	case err == files.ErrIsDir:
		return files.ErrBusy
	case err != nil:
		return err
	case beside != "" && s.beside == nil:
		return fs.ErrNotExist
	case beside != "":
		if err := s.beside.Remove(ctx, name); err != nil {
			return err
		}
		if m := s.images[g.name]; m != nil && beside == journal {
			m.end()
		}
		return nil
	}
	m, err := s.image(ctx, g)
	switch {
	case err != nil:
		return err
	case !m.exists:
		return fs.ErrNotExist
	case !g.grant.CanWrite():
		return files.ErrReadOnly
	}
	m.resize(0)
	m.exists = false
	return nil
}

// Rename implements files.Tree. Databases and what is beside them have the names that they have.
func (s *session) Rename(ctx context.Context, from, to string) error {
	if !fs.ValidPath(to) {
		return fs.ErrInvalid
	}
	_, err := s.Stat(ctx, from)
	return cmp.Or(err, fs.ErrPermission)
}

// SetTime implements files.Tree. The time is that of the last change.
func (s *session) SetTime(ctx context.Context, name string, _ time.Time) error {
	_, err := s.Stat(ctx, name)
	return err
}
