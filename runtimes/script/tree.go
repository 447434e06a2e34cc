package script

import (
	"bytes"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// tree holds files in memory, by their paths. It does not change. Files can be read at any position.
type tree map[string][]byte

var (
	_ fs.ReadDirFS = tree(nil)
	_ fs.StatFS    = tree(nil)
)

// with returns a tree with one more file.
func (t tree) with(name string, content []byte) tree {
	more := make(tree, len(t)+1)
	for k, v := range t {
		more[k] = v
	}
	more[name] = content
	return more
}

// Open implements fs.FS.
func (t tree) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if b, ok := t[name]; ok {
		return &openFile{Reader: bytes.NewReader(b), entry: fileEntry(name, b)}, nil
	}
	entries, err := t.ReadDir(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &openFolder{entry: entry{name: path.Base(name), folder: true}, left: entries}, nil
}

// Stat implements fs.StatFS. A folder's entries are not looked for: one is enough.
func (t tree) Stat(name string) (fs.FileInfo, error) {
	if name == "." {
		return entry{name: name, folder: true}, nil
	}
	if b, ok := t[name]; ok {
		return fileEntry(name, b), nil
	}
	for p := range t {
		if len(p) > len(name) && p[len(name)] == '/' && p[:len(name)] == name {
			return entry{name: path.Base(name), folder: true}, nil
		}
	}
	return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
}

// ReadDir implements fs.ReadDirFS. There are no empty folders but the topmost.
func (t tree) ReadDir(name string) ([]fs.DirEntry, error) {
	prefix := name + "/"
	if name == "." {
		prefix = ""
	}
	found := map[string]entry{}
	for p, b := range t {
		rest, ok := strings.CutPrefix(p, prefix)
		if !ok {
			continue
		}
		if first, _, deeper := strings.Cut(rest, "/"); deeper {
			found[first] = entry{name: first, folder: true}
		} else {
			found[first] = fileEntry(first, b)
		}
	}
	if len(found) == 0 && name != "." {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	entries := make([]fs.DirEntry, 0, len(found))
	for _, e := range found {
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// entry describes a file or a folder.
type entry struct {
	name   string
	size   int64
	folder bool
}

func fileEntry(name string, b []byte) entry { return entry{name: path.Base(name), size: int64(len(b))} }

// Name implements fs.FileInfo and fs.DirEntry.
func (e entry) Name() string { return e.name }

// Size implements fs.FileInfo.
func (e entry) Size() int64 { return e.size }

// IsDir implements fs.FileInfo and fs.DirEntry.
func (e entry) IsDir() bool { return e.folder }

// ModTime implements fs.FileInfo: archives are made without times.
func (e entry) ModTime() time.Time { return time.Time{} }

// Sys implements fs.FileInfo.
func (e entry) Sys() any { return nil }

// Info implements fs.DirEntry.
func (e entry) Info() (fs.FileInfo, error) { return e, nil }

// Type implements fs.DirEntry.
func (e entry) Type() fs.FileMode { return e.Mode().Type() }

// Mode implements fs.FileInfo: all may read, nobody may write.
func (e entry) Mode() fs.FileMode {
	if e.folder {
		return fs.ModeDir | 0o555
	}
	return 0o444
}

// openFile is a file that is being read.
type openFile struct {
	*bytes.Reader
	entry
}

// Size is that of the entry; a bytes.Reader has one too.
func (f *openFile) Size() int64 { return f.entry.size }

// Stat implements fs.File.
func (f *openFile) Stat() (fs.FileInfo, error) { return f.entry, nil }

// Close implements fs.File.
func (f *openFile) Close() error { return nil }

// openFolder is a folder that is being listed.
type openFolder struct {
	entry
	left []fs.DirEntry
}

// Stat implements fs.File.
func (d *openFolder) Stat() (fs.FileInfo, error) { return d.entry, nil }

// Read fails, as it does for every folder.
func (d *openFolder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: fs.ErrInvalid}
}

// Close implements fs.File.
func (d *openFolder) Close() error { return nil }

// ReadDir implements fs.ReadDirFile.
func (d *openFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	if n > 0 && len(d.left) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(d.left) {
		n = len(d.left)
	}
	out := d.left[:n:n]
	d.left = d.left[n:]
	return out, nil
}
