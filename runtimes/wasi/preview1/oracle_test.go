package preview1_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"testing"
	"testing/fstest"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	experimentalsys "github.com/tetratelabs/wazero/experimental/sys"
	"github.com/tetratelabs/wazero/experimental/sysfs"
	engine "github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"
)

// mount is a read-only folder in the engine's terms. ReadFS ignores these flags instead of refusing them.
type mount struct{ sysfs.ReadFS }

func (m *mount) OpenFile(
	name string, flag experimentalsys.Oflag, mode fs.FileMode,
) (experimentalsys.File, experimentalsys.Errno) {
	if flag&(experimentalsys.O_CREAT|experimentalsys.O_TRUNC|experimentalsys.O_APPEND) != 0 {
		return nil, experimentalsys.EROFS
	}
	return m.ReadFS.OpenFile(name, flag, mode)
}

// engineFiles is a folder as an fs.FS that tells the engine what it needs to know, and nothing about the host.
type engineFiles struct{ fsys fs.FS }

// Open implements fs.FS.
func (f *engineFiles) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	opened, err := f.fsys.Open(name)
	if err != nil {
		return nil, known(err)
	}
	return &file{opened}, nil
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
type file struct{ f fs.File }

// Close implements fs.File.
func (o *file) Close() error { return o.f.Close() }

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

// oracle is an instance of the forwarder on the engine's own functions.
type oracle struct {
	ctx context.Context
	mod api.Module
	fns map[string]api.Function
}

// process is what both sides run.
type process struct {
	args, env []string
	stdin     string
	files     fs.FS
}

// newOracle starts the same process on the engine's own functions.
func newOracle(t testing.TB, p process) (*oracle, *bytes.Buffer) {
	t.Helper()
	r := newRuntime(t)
	if _, err := engine.Instantiate(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	m := &mount{sysfs.ReadFS{FS: &sysfs.AdaptFS{FS: &engineFiles{p.files}}}}
	c := wazero.NewModuleConfig().WithStartFunctions().WithArgs(p.args...).WithStdin(bytes.NewReader([]byte(p.stdin))).
		WithStdout(&out).WithStderr(&out).WithSysWalltime().WithSysNanotime().WithNanosleep(func(int64) {}).
		WithFSConfig(wazero.NewFSConfig().(sysfs.FSConfig).WithSysFSMount(m, "/request").(sysfs.FSConfig).
			WithSysFSMount(&mount{sysfs.ReadFS{FS: &sysfs.AdaptFS{FS: fstest.MapFS{}}}}, "/"))
	for i := 0; i < len(p.env); i += 2 {
		c = c.WithEnv(p.env[i], p.env[i+1])
	}
	mod, err := r.InstantiateWithConfig(t.Context(), forwarder(), c)
	if err != nil {
		t.Fatal(err)
	}
	return &oracle{t.Context(), mod, map[string]api.Function{}}, &out
}

func (o *oracle) call(t testing.TB, name string, p ...uint64) (uint64, error) {
	return call(t, o.ctx, o.mod, o.fns, name, p)
}

func (o *oracle) memory() []byte {
	b, _ := o.mod.Memory().Read(0, o.mod.Memory().Size())
	return b
}

// folder is what both sides see as /request.
func folder() fs.FS {
	at := time.Unix(1_700_000_000, 123)
	return fstest.MapFS{
		"id":                {Data: []byte("0123456789"), ModTime: at},
		"empty":             {ModTime: at},
		"headers/Accept":    {Data: []byte("*/*"), ModTime: at},
		"headers/Long-Name": {Data: []byte("x")},
		"sub/deep/file":     {Data: []byte("deep")},
	}
}
