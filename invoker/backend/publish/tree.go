package publish

import (
	"cmp"
	"context"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// tree is the files of a session. Each granted subject is a file, and what it begins with is a folder. If one name is
// both, it is a file; what is below it can be opened all the same.
type tree struct{ s *session }

var _ files.Inline = tree{}

// Inline implements files.Inline.
func (t tree) Inline() {}

// place is what a name means.
type place struct {
	tokens []string
	grant  int // -1: it is a folder
}

// find returns what a name means.
func (t tree) find(op, name string) (p place, err error) {
	p.grant = -1
	if name == "." {
		return p, nil
	}
	err = fs.ErrNotExist
	if !fs.ValidPath(name) {
		err = fs.ErrInvalid
	} else if tokens, ok := tokensOf(name); ok {
		p.tokens, p.grant = tokens, t.s.r.grantOf(tokens)
		if p.grant >= 0 || t.s.r.isFolder(tokens) {
			return p, nil
		}
	}
	return p, &fs.PathError{Op: op, Path: name, Err: err}
}

// Open implements files.Tree. What is open can only be written.
func (t tree) Open(_ context.Context, name string, how files.Flags) (files.File, error) {
	p, err := t.find("open", name)
	if err != nil {
		if how.Has(files.Write) { // the process only sees that there can be no such file
			t.s.say("/pub/%.300s: no grant of pub speaks of it", name)
		}
		return nil, err
	}
	f, err := t.s.open(p, how)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return f, nil
}

// open opens a file that becomes a message when it is closed.
func (s *session) open(p place, how files.Flags) (files.File, error) {
	switch {
	case how.Has(files.Create | files.Exclusive):
		return nil, fs.ErrExist
	case p.grant < 0:
		return nil, files.ErrIsDir
	case !how.Has(files.Write):
		return nil, syscall.EACCES
	}
	subject := strings.Join(p.tokens, ".")
	if s.t.Hops >= protocol.MaxHops {
		s.say("/pub/%s: not opened: the message has been passed on %d times, so there is a loop: look for functions that "+
			"publish what calls them again", subject, s.t.Hops)
		return nil, syscall.ELOOP
	}
	if s.used == nil {
		s.used = make([]int, len(s.r.granted))
	}
	if most := s.r.granted[p.grant].ops; s.used[p.grant] >= most {
		s.say("/pub/%s: not opened: this call has written %d messages for %s, which is max_ops of its grant", subject, most,
			s.r.granted[p.grant].text)
		return nil, files.ErrNoSpace
	}
	f := &file{s: s, subject: subject, grant: p.grant, how: how, written: how.Has(files.Truncate)}
	if err := s.take(f.cost()); err != nil {
		return nil, err
	}
	s.used[p.grant]++
	return f, nil
}

// Stat implements files.Tree. There is never anything to read.
func (t tree) Stat(_ context.Context, name string) (files.Info, error) {
	p, err := t.find("stat", name)
	if err == nil && p.grant < 0 {
		return files.Info{Mode: fs.ModeDir}, nil
	}
	return files.Info{}, err
}

// ReadDir implements files.Tree. It lists what the patterns name: what a wildcard stands for is not known.
func (t tree) ReadDir(_ context.Context, name string) ([]files.Entry, error) {
	p, err := t.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if p.grant >= 0 && !t.s.r.isFolder(p.tokens) {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: files.ErrNotDir}
	}
	var all []files.Entry
	for i := range t.s.r.granted {
		rest := t.s.r.granted[i].rest(p.tokens)
		if len(rest) == 0 || rest[0] == "*" || rest[0] == ">" {
			continue
		}
		e := files.Entry{Name: rest[0]}
		if t.s.r.grantOf(slices.Concat(p.tokens, rest[:1])) < 0 {
			e.Mode = fs.ModeDir
		}
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b files.Entry) int { return cmp.Compare(a.Name, b.Name) })
	return slices.Compact(all), nil
}

// refuse says why a name cannot be changed: it does not exist, or that is not permitted.
func (t tree) refuse(op, name string, why error) error {
	if _, err := t.find(op, name); err != nil {
		return err
	}
	return &fs.PathError{Op: op, Path: name, Err: why}
}

// Mkdir implements files.Tree. All folders are there.
func (t tree) Mkdir(_ context.Context, name string) error {
	return t.refuse("mkdir", name, fs.ErrExist)
}

// Remove implements files.Tree. What was closed is a message.
func (t tree) Remove(_ context.Context, name string) error {
	return t.refuse("remove", name, fs.ErrPermission)
}

// Rename implements files.Tree. No path can become another.
func (t tree) Rename(_ context.Context, from, to string) error {
	if _, err := t.find("rename", to); err != nil {
		return err
	}
	return t.refuse("rename", from, fs.ErrPermission)
}

// SetTime implements files.Tree. No times are kept.
func (t tree) SetTime(_ context.Context, name string, _ time.Time) error {
	_, err := t.find("chtimes", name)
	return err
}
