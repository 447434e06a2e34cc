package files

import (
	"context"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strings"
)

// Contents is what is in files that nobody writes. All methods may be called from several goroutines.
type Contents interface {
	// Content returns what is in a file, which nobody may change, or false if there is no such file.
	Content(name string) ([]byte, bool)

	// Names returns the names of all files, in any order. The folders that lead to them need not be named; one that can
	// be empty is named with a slash at its end.
	Names() iter.Seq[string]
}

// Static returns a Tree of files in memory. It is Inline and ReadOnly. Content is asked for when a process opens or
// describes a file, and for nothing else; Names when it lists a folder, or asks for what is no file.
func Static(c Contents) Tree { return static{c: c} }

// Map is Contents by name.
type Map map[string][]byte

// Content implements Contents.
func (m Map) Content(name string) ([]byte, bool) {
	b, ok := m[name]
	return b, ok
}

// Names implements Contents.
func (m Map) Names() iter.Seq[string] {
	return func(yield func(string) bool) {
		for name := range m {
			if !yield(name) {
				return
			}
		}
	}
}

// static is a Tree of Contents.
type static struct {
	ReadOnly
	c Contents
}

var _ Inline = static{}

// Inline implements Inline.
func (t static) Inline() {}

// Open implements Tree.
func (t static) Open(_ context.Context, name string, how Flags) (File, error) {
	b, ok := t.content(name)
	switch {
	case ok && how.Has(Create|Exclusive):
		return nil, pathError("open", name, fs.ErrExist)
	case ok && how.Has(Write):
		return nil, pathError("open", name, ErrReadOnly)
	case ok:
		return &staticFile{content: b}, nil
	}
	err := t.why(name)
	if err == nil {
		err = ErrIsDir
	}
	return nil, pathError("open", name, err)
}

// content returns what is in a file.
func (t static) content(name string) ([]byte, bool) {
	if !fs.ValidPath(name) {
		return nil, false
	}
	return t.c.Content(name)
}

// why returns nil if a name, which is not that of a file, is that of a folder.
func (t static) why(name string) error {
	switch {
	case !fs.ValidPath(name):
		return fs.ErrInvalid
	case name == ".":
		return nil
	}
	for n := range t.c.Names() {
		if len(n) > len(name) && n[len(name)] == '/' && n[:len(name)] == name {
			return nil
		}
	}
	for i, c := range name {
		if c != '/' {
			continue
		}
		if _, ok := t.c.Content(name[:i]); ok {
			return ErrNotDir
		}
	}
	return fs.ErrNotExist
}

// Stat implements Tree. A folder's files are not looked at: one name is enough.
func (t static) Stat(_ context.Context, name string) (Info, error) {
	if b, ok := t.content(name); ok {
		return Info{Size: int64(len(b))}, nil
	}
	if err := t.why(name); err != nil {
		return Info{}, pathError("stat", name, err)
	}
	return Info{Mode: fs.ModeDir}, nil
}

// ReadDir implements Tree. The entries are sorted.
func (t static) ReadDir(_ context.Context, name string) ([]Entry, error) {
	if _, ok := t.content(name); ok {
		return nil, pathError("readdir", name, ErrNotDir)
	}
	if err := t.why(name); err != nil {
		return nil, pathError("readdir", name, err)
	}
	prefix := name + "/"
	if name == "." {
		prefix = ""
	}
	var all []Entry
	for n := range t.c.Names() {
		rest, ok := strings.CutPrefix(n, prefix)
		if !ok || rest == "" {
			continue
		}
		first, _, deeper := strings.Cut(rest, "/")
		e := Entry{Name: first}
		if deeper {
			e.Mode = fs.ModeDir
		}
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(all, func(a, b Entry) bool { return a.Name == b.Name }), nil
}

// staticFile is a file that is being read.
type staticFile struct {
	ReadOnlyFile
	content []byte
}

// Stat implements File.
func (f *staticFile) Stat(context.Context) (Info, error) {
	return Info{Size: int64(len(f.content))}, nil
}

// ReadAt implements File.
func (f *staticFile) ReadAt(_ context.Context, b []byte, at int64) (int, error) {
	if at >= int64(len(f.content)) {
		return 0, io.EOF
	}
	return copy(b, f.content[at:]), nil
}

// pathError adds to an error what was done to what.
func pathError(op, name string, err error) error { return &fs.PathError{Op: op, Path: name, Err: err} }
