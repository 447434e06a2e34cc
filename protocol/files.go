package protocol

import (
	"bytes"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// Files returns what the process sees below /request/ (section 5 of the specification): id,
// subject, deadline (RFC 3339 with nanoseconds, UTC) and headers/NAME, one file a header with
// its values line by line. Nothing is made before a file is opened; id is called then, once or
// more. Header names are in lower case; one that cannot be a file's name is left out.
func (r *Request) Files(id func() string) fs.FS { return requestFiles{r, id} }

// requestFiles is the folder /request.
type requestFiles struct {
	r  *Request
	id func() string
}

// Open implements fs.FS.
func (f requestFiles) Open(name string) (fs.File, error) {
	file := func(text string) (fs.File, error) {
		return &requestFile{Reader: bytes.NewReader([]byte(text)), info: fileInfo{name: base(name), size: int64(len(text))}}, nil
	}
	header, isHeader := strings.CutPrefix(name, "headers/")
	switch {
	case !fs.ValidPath(name):
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	case name == ".":
		return f.folder(name, f.rootEntries), nil
	case name == "headers":
		return f.folder(name, f.headerEntries), nil
	case name == "id":
		return file(f.id())
	case name == "subject":
		return file(f.r.Subject)
	case name == "deadline":
		return file(f.r.Deadline.UTC().Format(time.RFC3339Nano))
	case isHeader && isFileName(header) && header == strings.ToLower(header):
		if values := f.r.Header.Values(header); values != nil {
			return file(strings.Join(values, "\n"))
		}
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// isFileName reports whether a file can have a name that is not empty.
func isFileName(name string) bool {
	return name != "." && name != ".." && !strings.ContainsAny(name, "/\\:\x00")
}

// headerEntries returns the files in headers/, by name.
func (f requestFiles) headerEntries() []fs.DirEntry {
	var entries []fs.DirEntry
	for name, values := range f.r.Header {
		if !isFileName(name) {
			continue
		}
		size := int64(len(values) - 1) // of the line feeds
		for _, v := range values {
			size += int64(len(v))
		}
		entries = append(entries, fs.FileInfoToDirEntry(fileInfo{name: strings.ToLower(name), size: size}))
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries
}

// rootEntries returns what is in /request, by name.
func (f requestFiles) rootEntries() []fs.DirEntry {
	var entries []fs.DirEntry
	for _, name := range []string{"deadline", "headers", "id", "subject"} {
		if info, err := fs.Stat(f, name); err == nil {
			entries = append(entries, fs.FileInfoToDirEntry(info))
		}
	}
	return entries
}

// folder opens a folder. What is in it is found out when
// somebody reads it: every WASI program opens its folders at the start, and few read one.
func (f requestFiles) folder(name string, entries func() []fs.DirEntry) fs.File {
	return &requestFolder{path: name, entries: entries}
}

// base returns the last element of a valid path.
func base(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// requestFile is an open file.
type requestFile struct {
	*bytes.Reader
	info fileInfo
}

// Stat implements fs.File.
func (f *requestFile) Stat() (fs.FileInfo, error) { return f.info, nil }

// Close implements fs.File.
func (f *requestFile) Close() error { return nil }

// requestFolder is an open folder.
type requestFolder struct {
	path    string
	entries func() []fs.DirEntry // nil once rest is set
	rest    []fs.DirEntry
}

// Stat implements fs.File.
func (d *requestFolder) Stat() (fs.FileInfo, error) {
	return fileInfo{name: base(d.path), dir: true}, nil
}

// Close implements fs.File.
func (d *requestFolder) Close() error { return nil }

// Read fails, as it does for every folder.
func (d *requestFolder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.path, Err: fs.ErrInvalid}
}

// ReadDir implements fs.ReadDirFile.
func (d *requestFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	if d.entries != nil {
		d.rest, d.entries = d.entries(), nil
	}
	if n > 0 && len(d.rest) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(d.rest) {
		n = len(d.rest)
	}
	out := d.rest[:n:n]
	d.rest = d.rest[n:]
	return out, nil
}

// fileInfo is what is known about a file or a folder of a request.
type fileInfo struct {
	name string
	size int64
	dir  bool
}

// Name implements fs.FileInfo.
func (i fileInfo) Name() string { return i.name }

// Size implements fs.FileInfo.
func (i fileInfo) Size() int64 { return i.size }

// ModTime implements fs.FileInfo: nobody needs to know.
func (i fileInfo) ModTime() time.Time { return time.Time{} }

// IsDir implements fs.FileInfo.
func (i fileInfo) IsDir() bool { return i.dir }

// Sys implements fs.FileInfo.
func (i fileInfo) Sys() any { return nil }

// Mode implements fs.FileInfo: all may read, nobody may write.
func (i fileInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o555
	}
	return 0o444
}
