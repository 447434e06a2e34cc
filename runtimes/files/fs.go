package files

import (
	"context"
	"errors"
	"io"
	"io/fs"
)

// FS returns a Tree of a file system that can only be read. It is not Inline: nobody knows how long an operation
// takes, and none of them knows of the context. Files that have no ReadAt are streams.
func FS(fsys fs.FS) Tree {
	t := fsTree{fsys: fsys}
	if links, ok := fsys.(fs.ReadLinkFS); ok {
		return fsLinker{t, links}
	}
	return t
}

// fsTree is a Tree of a file system.
type fsTree struct {
	ReadOnly
	fsys fs.FS
}

// Open implements Tree.
func (t fsTree) Open(_ context.Context, name string, how Flags) (File, error) {
	f, err := t.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		err = pathError("open", name, ErrIsDir)
	case how.Has(Create | Exclusive):
		err = pathError("open", name, fs.ErrExist)
	case how.Has(Write):
		err = pathError("open", name, ErrReadOnly)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	r, _ := f.(io.ReaderAt)
	return &fsFile{f: f, r: r, size: info.Size()}, nil
}

// Stat implements Tree.
func (t fsTree) Stat(_ context.Context, name string) (Info, error) {
	return infoOf(fs.Stat(t.fsys, name))
}

// ReadDir implements Tree.
func (t fsTree) ReadDir(_ context.Context, name string) ([]Entry, error) {
	found, err := fs.ReadDir(t.fsys, name)
	if err != nil { // some file systems have nothing good to say of a file
		if info, e := fs.Stat(t.fsys, name); e == nil && !info.IsDir() {
			err = pathError("readdir", name, ErrNotDir)
		}
		return nil, err
	}
	all := make([]Entry, len(found))
	for i, e := range found {
		all[i] = Entry{Name: e.Name(), Mode: e.Type()}
	}
	return all, nil
}

// infoOf reduces what a file system says.
func infoOf(i fs.FileInfo, err error) (Info, error) {
	if err != nil {
		return Info{}, err
	}
	return Info{Mode: i.Mode(), Size: i.Size(), ModTime: i.ModTime()}, nil
}

// fsLinker is a Tree of a file system with links.
type fsLinker struct {
	fsTree
	links fs.ReadLinkFS
}

var _ Linker = fsLinker{}

// Lstat implements Linker.
func (t fsLinker) Lstat(_ context.Context, name string) (Info, error) {
	return infoOf(t.links.Lstat(name))
}

// ReadLink implements Linker.
func (t fsLinker) ReadLink(_ context.Context, name string) (string, error) {
	return t.links.ReadLink(name)
}

// fsFile is an open file of a file system.
type fsFile struct {
	ReadOnlyFile
	f    fs.File
	r    io.ReaderAt // nil: it is a stream
	size int64       // when it was opened
}

// Stat implements File.
func (f *fsFile) Stat(context.Context) (Info, error) {
	i, err := infoOf(f.f.Stat())
	i.Stream = f.r == nil
	return i, err
}

// ReadAt implements File. Behind the end there is nothing, although some file systems report an error there.
func (f *fsFile) ReadAt(_ context.Context, b []byte, at int64) (int, error) {
	switch {
	case f.r == nil:
		return f.f.Read(b)
	case at >= f.size:
		return 0, io.EOF
	}
	return f.r.ReadAt(b, at)
}

// Close implements File.
func (f *fsFile) Close(context.Context) error { return f.f.Close() }
