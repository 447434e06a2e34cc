// Package disk shows a folder of this machine as a files.Tree, for programs that run without a back end. In goes a
// path; out comes a tree that never leaves the folder, whatever names and links it is asked for (os.Root).
package disk

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/files"
)

// Tree is a folder of this machine. It is not files.Inline: nobody knows how long a disk takes. Only plain files and
// folders can be opened: a pipe or a device would have a life of its own. A link is followed as far as it stays below
// the folder; one that leads out of it is fs.ErrPermission.
type Tree struct {
	root   *os.Root
	append sync.Mutex // held from where a file ends to what is written there
}

var _ files.Linker = (*Tree)(nil)

// Open returns the tree of a folder, which must exist. It must be closed.
func Open(dir string) (*Tree, error) {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: files.ErrNotDir}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Tree{root: root}, nil
}

// Close lets go of the folder.
func (t *Tree) Close() error { return t.root.Close() }

// ReadOnly returns the same folder, as one in which nothing can be changed. It lives as long as t.
func (t *Tree) ReadOnly() files.Tree { return readOnly{tree: t} }

// valid returns an error for a name that a Tree does not have.
func valid(op string, names ...string) error {
	for _, n := range names {
		if !fs.ValidPath(n) {
			return &fs.PathError{Op: op, Path: n, Err: fs.ErrInvalid}
		}
	}
	return nil
}

// understood returns an error in the words of package files. That a name leads out of the folder, os.Root says by an
// error without a name.
func understood(err error) error {
	var number syscall.Errno
	switch {
	case err == nil, errors.As(err, &number), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrExist),
		errors.Is(err, fs.ErrInvalid), errors.Is(err, fs.ErrClosed), errors.Is(err, fs.ErrPermission):
		return err
	}
	return errors.Join(fs.ErrPermission, err)
}

// Open implements files.Tree.
func (t *Tree) Open(_ context.Context, name string, how files.Flags) (files.File, error) {
	if err := valid("open", name); err != nil {
		return nil, err
	}
	if info, err := t.root.Stat(name); err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission} // to open a pipe is to wait for it
	}
	f, err := t.root.OpenFile(name, flags(how), 0o666)
	if err != nil {
		return nil, understood(err)
	}
	info, err := f.Stat()
	switch {
	case err == nil && info.IsDir():
		err = files.ErrIsDir
	case err == nil && !info.Mode().IsRegular():
		err = fs.ErrPermission
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &file{f: f, tree: t, name: name, how: how}, nil
}

// flags returns the flags of package os.
func flags(how files.Flags) int {
	flag := os.O_RDONLY
	switch {
	case how.Has(files.Read | files.Write):
		flag = os.O_RDWR
	case how.Has(files.Write):
		flag = os.O_WRONLY
	}
	if how.Has(files.Create) {
		flag |= os.O_CREATE
	}
	if how.Has(files.Exclusive) {
		flag |= os.O_EXCL
	}
	if how.Has(files.Truncate) {
		flag |= os.O_TRUNC
	}
	return flag
}

// infoOf returns what package os says of a file as package files says it.
func infoOf(i fs.FileInfo, err error) (files.Info, error) {
	if err != nil {
		return files.Info{}, understood(err)
	}
	return files.Info{Mode: i.Mode(), Size: i.Size(), ModTime: i.ModTime()}, nil
}

// Stat implements files.Tree.
func (t *Tree) Stat(_ context.Context, name string) (files.Info, error) {
	if err := valid("stat", name); err != nil {
		return files.Info{}, err
	}
	return infoOf(t.root.Stat(name))
}

// Lstat implements files.Linker.
func (t *Tree) Lstat(_ context.Context, name string) (files.Info, error) {
	if err := valid("lstat", name); err != nil {
		return files.Info{}, err
	}
	return infoOf(t.root.Lstat(name))
}

// ReadLink implements files.Linker.
func (t *Tree) ReadLink(_ context.Context, name string) (string, error) {
	if err := valid("readlink", name); err != nil {
		return "", err
	}
	to, err := t.root.Readlink(name)
	return to, understood(err)
}

// ReadDir implements files.Tree.
func (t *Tree) ReadDir(_ context.Context, name string) ([]files.Entry, error) {
	if err := valid("readdir", name); err != nil {
		return nil, err
	}
	if info, err := t.root.Stat(name); err == nil && !info.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: files.ErrNotDir}
	}
	f, err := t.root.Open(name)
	if err != nil {
		return nil, understood(err)
	}
	defer f.Close()
	found, err := f.ReadDir(-1)
	all := make([]files.Entry, 0, len(found))
	for _, e := range found {
		all = append(all, files.Entry{Name: e.Name(), Mode: e.Type()})
	}
	return all, err
}

// Mkdir implements files.Tree.
func (t *Tree) Mkdir(_ context.Context, name string) error {
	if err := valid("mkdir", name); err != nil {
		return err
	}
	return understood(t.root.Mkdir(name, 0o777))
}

// Remove implements files.Tree.
func (t *Tree) Remove(_ context.Context, name string) error {
	if err := valid("remove", name); err != nil {
		return err
	}
	return understood(t.root.Remove(name))
}

// Rename implements files.Tree.
func (t *Tree) Rename(_ context.Context, from, to string) error {
	if err := valid("rename", from, to); err != nil {
		return err
	}
	err := t.root.Rename(from, to)
	switch {
	case !errors.Is(err, fs.ErrExist) || from == to || !t.isDir(to):
	case t.isDir(from):
		return t.replace(from, to)
	default: // package os says of a file that its new name exists
		return files.ErrIsDir
	}
	return understood(err)
}

// replace renames a folder to the name of another, which package os does not even if nothing is in that.
func (t *Tree) replace(from, to string) error {
	if strings.HasPrefix(to, from+"/") {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrInvalid}
	}
	if err := t.root.Remove(to); err != nil {
		return understood(err)
	}
	return understood(t.root.Rename(from, to))
}

// isDir reports whether a name is that of a folder, and not of a link to one.
func (t *Tree) isDir(name string) bool {
	info, err := t.root.Lstat(name)
	return err == nil && info.IsDir()
}

// SetTime implements files.Tree.
func (t *Tree) SetTime(_ context.Context, name string, at time.Time) error {
	if err := valid("chtimes", name); err != nil {
		return err
	}
	return understood(t.root.Chtimes(name, at, at))
}

// file is an open file of a Tree.
type file struct {
	f    *os.File
	tree *Tree
	name string // by which it was opened
	how  files.Flags
}

// Stat implements files.File.
func (f *file) Stat(context.Context) (files.Info, error) { return infoOf(f.f.Stat()) }

// ReadAt implements files.File.
func (f *file) ReadAt(_ context.Context, b []byte, at int64) (int, error) {
	if !f.how.Has(files.Read) {
		return 0, files.ErrBadFile
	}
	return f.f.ReadAt(b, at)
}

// WriteAt implements files.File. What two files of a tree append never overlaps.
func (f *file) WriteAt(_ context.Context, b []byte, at int64) (int, error) {
	if !f.how.Has(files.Write) {
		return 0, files.ErrBadFile
	}
	if at != files.End {
		return f.f.WriteAt(b, at)
	}
	f.tree.append.Lock()
	defer f.tree.append.Unlock()
	info, err := f.f.Stat()
	if err != nil {
		return 0, err
	}
	return f.f.WriteAt(b, info.Size())
}

// Truncate implements files.File.
func (f *file) Truncate(_ context.Context, size int64) error {
	switch {
	case size < 0:
		return fs.ErrInvalid
	case !f.how.Has(files.Write):
		return files.ErrBadFile
	}
	return f.f.Truncate(size)
}

// SetTime implements files.File. If the file has another name by now it keeps its time: package os sets that by name
// only.
func (f *file) SetTime(_ context.Context, at time.Time) error {
	mine, err := f.f.Stat()
	if err != nil {
		return err
	}
	if named, err := f.tree.root.Stat(f.name); err != nil || !os.SameFile(mine, named) {
		return nil
	}
	return understood(f.tree.root.Chtimes(f.name, at, at))
}

// Sync implements files.File.
func (f *file) Sync(context.Context) error { return f.f.Sync() }

// Close implements files.File.
func (f *file) Close(context.Context) error { return f.f.Close() }

// readOnly is a Tree in which nothing can be changed.
type readOnly struct {
	files.ReadOnly
	tree *Tree
}

var _ files.Linker = readOnly{}

// Open implements files.Tree.
func (r readOnly) Open(ctx context.Context, name string, how files.Flags) (files.File, error) {
	f, err := r.tree.Open(ctx, name, files.Read)
	switch {
	case err != nil && errors.Is(err, fs.ErrNotExist) && how.Has(files.Create):
		return nil, files.ErrReadOnly
	case err != nil:
		return nil, err
	case how.Has(files.Create | files.Exclusive):
		err = fs.ErrExist
	case how.Has(files.Write):
		err = files.ErrReadOnly
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(ctx))
	}
	return readOnlyFile{f: f}, nil
}

// Stat implements files.Tree.
func (r readOnly) Stat(ctx context.Context, name string) (files.Info, error) {
	return r.tree.Stat(ctx, name)
}

// ReadDir implements files.Tree.
func (r readOnly) ReadDir(ctx context.Context, name string) ([]files.Entry, error) {
	return r.tree.ReadDir(ctx, name)
}

// Lstat implements files.Linker.
func (r readOnly) Lstat(ctx context.Context, name string) (files.Info, error) {
	return r.tree.Lstat(ctx, name)
}

// ReadLink implements files.Linker.
func (r readOnly) ReadLink(ctx context.Context, name string) (string, error) {
	return r.tree.ReadLink(ctx, name)
}

// readOnlyFile is an open file of a readOnly.
type readOnlyFile struct {
	files.ReadOnlyFile
	f files.File
}

// Stat implements files.File.
func (f readOnlyFile) Stat(ctx context.Context) (files.Info, error) { return f.f.Stat(ctx) }

// ReadAt implements files.File.
func (f readOnlyFile) ReadAt(ctx context.Context, b []byte, at int64) (int, error) {
	return f.f.ReadAt(ctx, b, at)
}

// Close implements files.File.
func (f readOnlyFile) Close(ctx context.Context) error { return f.f.Close(ctx) }
