package wasi

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"time"

	experimentalsys "github.com/tetratelabs/wazero/experimental/sys"
	"github.com/tetratelabs/wazero/experimental/sysfs"
	"github.com/tetratelabs/wazero/sys"
)

// maxOpen is how many files a process can have open at once; they may be descriptors of the host.
const maxOpen = 64

// mount is the folder /request in the engine's terms. ReadFS refuses every change.
type mount struct{ sysfs.ReadFS }

// newMount returns the folder with these files in it.
func newMount(f *files) *mount { return &mount{sysfs.ReadFS{FS: &sysfs.AdaptFS{FS: f}}} }

// OpenFile refuses flags that ReadFS would ignore, instead of ignoring them.
func (m *mount) OpenFile(name string, flag experimentalsys.Oflag, mode fs.FileMode) (experimentalsys.File, experimentalsys.Errno) {
	if flag&(experimentalsys.O_CREAT|experimentalsys.O_TRUNC|experimentalsys.O_APPEND) != 0 {
		return nil, experimentalsys.EROFS
	}
	return m.ReadFS.OpenFile(name, flag, mode)
}

// files is the folder /request of a run as an fs.FS. Nothing is opened before the guest asks for it.
type files struct {
	fsys fs.FS // nil is empty
	open []*file
}

// end closes what the guest has left open. The engine does that too, but not if a context ends
// just when the guest traps.
func (f *files) end() {
	for len(f.open) > 0 {
		_ = f.open[0].Close()
	}
	f.fsys, f.open = nil, nil
}

// Open implements fs.FS.
func (f *files) Open(name string) (fs.File, error) {
	switch {
	case !fs.ValidPath(name):
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	case f.fsys == nil && name == ".":
		return emptyFolder{}, nil
	case f.fsys == nil:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case len(f.open) == maxOpen:
		return nil, errors.New("too many open files")
	}
	opened, err := f.fsys.Open(name)
	if err != nil {
		return nil, known(err)
	}
	o := &file{files: f, f: opened}
	f.open = append(f.open, o)
	return o, nil
}

// known reduces an error to one of those that the engine has a number for.
func known(err error) error {
	for _, k := range []error{fs.ErrNotExist, fs.ErrPermission, fs.ErrInvalid, fs.ErrClosed, io.EOF} {
		if errors.Is(err, k) {
			return k
		}
	}
	return err
}

// file is an open file or folder. It has no Write, whatever the file behind it has.
type file struct {
	files *files
	f     fs.File
}

// Close implements fs.File.
func (o *file) Close() error {
	i := slices.Index(o.files.open, o)
	if i < 0 {
		return fs.ErrClosed
	}
	o.files.open = slices.Delete(o.files.open, i, i+1)
	return o.f.Close()
}

// Stat implements fs.File.
func (o *file) Stat() (fs.FileInfo, error) {
	info, err := o.f.Stat()
	if err != nil {
		return nil, known(err)
	}
	return discreet{info}, nil
}

// Read implements fs.File.
func (o *file) Read(b []byte) (int, error) { return o.f.Read(b) }

// ReadAt implements io.ReaderAt, which the engine needs for fd_pread.
func (o *file) ReadAt(b []byte, off int64) (int, error) {
	if r, ok := o.f.(io.ReaderAt); ok {
		return r.ReadAt(b, off)
	}
	return 0, errors.ErrUnsupported
}

// Seek implements io.Seeker.
func (o *file) Seek(offset int64, whence int) (int64, error) {
	if s, ok := o.f.(io.Seeker); ok {
		return s.Seek(offset, whence)
	}
	return 0, errors.ErrUnsupported
}

// ReadDir implements fs.ReadDirFile.
func (o *file) ReadDir(n int) ([]fs.DirEntry, error) {
	if d, ok := o.f.(fs.ReadDirFile); ok {
		return d.ReadDir(n)
	}
	return nil, fs.ErrInvalid
}

// discreet describes a file without telling anything about the host, such as its devices.
type discreet struct{ fs.FileInfo }

// Sys returns what the engine passes on to the guest.
func (d discreet) Sys() any {
	s := &sys.Stat_t{Mode: d.Mode() &^ 0o222, Nlink: 1, Size: d.Size()}
	if t := d.ModTime(); !t.IsZero() {
		s.Atim, s.Mtim, s.Ctim = t.UnixNano(), t.UnixNano(), t.UnixNano()
	}
	return s
}

// emptyFolder is an open folder with nothing in it, and its own description.
type emptyFolder struct{}

func (emptyFolder) Stat() (fs.FileInfo, error)         { return emptyFolder{}, nil }
func (emptyFolder) Read([]byte) (int, error)           { return 0, fs.ErrInvalid }
func (emptyFolder) Close() error                       { return nil }
func (emptyFolder) ReadDir(int) ([]fs.DirEntry, error) { return nil, nil }
func (emptyFolder) Name() string                       { return "." }
func (emptyFolder) Size() int64                        { return 0 }
func (emptyFolder) Mode() fs.FileMode                  { return fs.ModeDir | 0o555 }
func (emptyFolder) ModTime() time.Time                 { return time.Time{} }
func (emptyFolder) IsDir() bool                        { return true }
func (emptyFolder) Sys() any                           { return &sys.Stat_t{Mode: fs.ModeDir | 0o555, Nlink: 1} }
