package files

import (
	"cmp"
	"context"
	"io"
	"io/fs"
	"path"
	"slices"
	"time"
)

// Std returns a Tree as a file system that can only be read, for what knows package io/fs. All of its operations have
// the context. Entries are sorted by name.
func Std(ctx context.Context, t Tree) fs.FS { return std{ctx, t} }

// std is a file system of a Tree.
type std struct {
	ctx  context.Context // an fs.FS has no other way to one
	tree Tree
}

var (
	_ fs.ReadDirFS = std{}
	_ fs.StatFS    = std{}
)

// Open implements fs.FS.
func (s std) Open(name string) (fs.File, error) {
	info, err := s.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return &stdFile{std: s, name: name}, nil
	}
	f, err := s.tree.Open(s.ctx, name, Read)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return &stdFile{std: s, name: name, f: f}, nil
}

// Stat implements fs.StatFS.
func (s std) Stat(name string) (fs.FileInfo, error) {
	if !fs.ValidPath(name) {
		return nil, pathError("stat", name, fs.ErrInvalid)
	}
	info, err := s.tree.Stat(s.ctx, name)
	if err != nil {
		return nil, pathError("stat", name, err)
	}
	return stdInfo{path.Base(name), info}, nil
}

// ReadDir implements fs.ReadDirFS.
func (s std) ReadDir(name string) ([]fs.DirEntry, error) {
	if !fs.ValidPath(name) {
		return nil, pathError("readdir", name, fs.ErrInvalid)
	}
	found, err := s.tree.ReadDir(s.ctx, name)
	if err != nil {
		return nil, pathError("readdir", name, err)
	}
	all := make([]fs.DirEntry, len(found))
	for i, e := range found {
		all[i] = stdEntry{e, s, path.Join(name, e.Name)}
	}
	slices.SortFunc(all, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	return all, nil
}

// stdInfo is an Info with a name.
type stdInfo struct {
	name string
	Info
}

// Name implements fs.FileInfo.
func (i stdInfo) Name() string { return i.name }

// Size implements fs.FileInfo.
func (i stdInfo) Size() int64 { return i.Info.Size }

// ModTime implements fs.FileInfo.
func (i stdInfo) ModTime() time.Time { return i.Info.ModTime }

// Sys implements fs.FileInfo.
func (i stdInfo) Sys() any { return nil }

// Mode implements fs.FileInfo: all may read, nobody may write.
func (i stdInfo) Mode() fs.FileMode {
	if i.IsDir() {
		return fs.ModeDir | 0o555
	}
	return i.Info.Mode.Type() | 0o444
}

// stdEntry is an Entry that can be asked for more.
type stdEntry struct {
	Entry
	std  std
	path string
}

// Name implements fs.DirEntry.
func (e stdEntry) Name() string { return e.Entry.Name }

// IsDir implements fs.DirEntry.
func (e stdEntry) IsDir() bool { return e.Mode.IsDir() }

// Type implements fs.DirEntry.
func (e stdEntry) Type() fs.FileMode { return e.Mode.Type() }

// Info implements fs.DirEntry.
func (e stdEntry) Info() (fs.FileInfo, error) { return e.std.Stat(e.path) }

// stdFile is an open file or folder.
type stdFile struct {
	std  std
	name string
	f    File // nil for a folder
	at   int64
	list []fs.DirEntry
	read bool // list has been made
}

var (
	_ fs.ReadDirFile = (*stdFile)(nil)
	_ io.ReaderAt    = (*stdFile)(nil)
	_ io.Seeker      = (*stdFile)(nil)
)

// Stat implements fs.File.
func (f *stdFile) Stat() (fs.FileInfo, error) {
	if f.f == nil {
		return f.std.Stat(f.name)
	}
	info, err := f.f.Stat(f.std.ctx)
	return stdInfo{path.Base(f.name), info}, err
}

// Read implements fs.File.
func (f *stdFile) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, err := f.ReadAt(b, f.at)
	f.at += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

// ReadAt implements io.ReaderAt.
func (f *stdFile) ReadAt(b []byte, at int64) (n int, err error) {
	switch {
	case f.f == nil:
		return 0, pathError("read", f.name, ErrIsDir)
	case at < 0:
		return 0, pathError("read", f.name, fs.ErrInvalid)
	}
	for n < len(b) && err == nil {
		var more int
		more, err = f.f.ReadAt(f.std.ctx, b[n:], at+int64(n))
		n += more
	}
	if n == len(b) {
		err = nil
	}
	return n, err
}

// Seek implements io.Seeker.
func (f *stdFile) Seek(offset int64, whence int) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	switch whence {
	case io.SeekCurrent:
		offset += f.at
	case io.SeekEnd:
		offset += info.Size()
	}
	if offset < 0 {
		return 0, pathError("seek", f.name, fs.ErrInvalid)
	}
	f.at = offset
	return offset, nil
}

// Close implements fs.File.
func (f *stdFile) Close() error {
	if f.f == nil {
		return nil
	}
	return f.f.Close(f.std.ctx)
}

// ReadDir implements fs.ReadDirFile.
func (f *stdFile) ReadDir(n int) ([]fs.DirEntry, error) {
	if f.f != nil {
		return nil, pathError("readdir", f.name, ErrNotDir)
	}
	if !f.read {
		all, err := f.std.ReadDir(f.name)
		if err != nil {
			return nil, err
		}
		f.list, f.read = all, true
	}
	if n > 0 && len(f.list) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(f.list) {
		n = len(f.list)
	}
	out := f.list[:n:n]
	f.list = f.list[n:]
	return out, nil
}
