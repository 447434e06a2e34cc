package filestest_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/files/filestest"
)

// oracle is a folder of the operating system.
type oracle struct {
	root *os.Root
	dir  string
}

// newOracle returns a folder with files.
func newOracle(t testing.TB, content map[string]string) files.Tree {
	dir := t.TempDir()
	for name, text := range content {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return &oracle{root, dir}
}

// valid refuses names that Linux takes and a Tree does not.
func valid(names ...string) error {
	for _, n := range names {
		if !fs.ValidPath(n) {
			return fs.ErrInvalid
		}
	}
	return nil
}

func (o *oracle) Open(_ context.Context, name string, how files.Flags) (files.File, error) {
	if err := valid(name); err != nil {
		return nil, err
	}
	access := map[files.Flags]int{
		files.Read: os.O_RDONLY, files.Write: os.O_WRONLY, files.Read | files.Write: os.O_RDWR,
	}
	flag := access[how&(files.Read|files.Write)]
	for f, n := range map[files.Flags]int{
		files.Create: os.O_CREATE, files.Exclusive: os.O_EXCL, files.Truncate: os.O_TRUNC,
	} {
		if how.Has(f) {
			flag |= n
		}
	}
	f, err := o.root.OpenFile(name, flag, 0o600)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || info.IsDir() {
		f.Close()
		return nil, files.ErrIsDir
	}
	return &oracleFile{f}, nil
}

func (o *oracle) Stat(_ context.Context, name string) (files.Info, error) {
	if err := valid(name); err != nil {
		return files.Info{}, err
	}
	return info(o.root.Stat(name))
}

func info(i fs.FileInfo, err error) (files.Info, error) {
	if err != nil {
		return files.Info{}, err
	}
	return files.Info{Mode: i.Mode(), Size: i.Size(), ModTime: i.ModTime()}, nil
}

func (o *oracle) ReadDir(_ context.Context, name string) (all []files.Entry, err error) {
	f, err := o.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	for _, e := range entries {
		all = append(all, files.Entry{Name: e.Name(), Mode: e.Type()})
	}
	return all, err
}

func (o *oracle) Mkdir(_ context.Context, name string) error {
	if err := valid(name); err != nil {
		return err
	}
	return o.root.Mkdir(name, 0o700)
}

func (o *oracle) Remove(_ context.Context, name string) error { return o.root.Remove(name) }

func (o *oracle) Rename(_ context.Context, from, to string) error {
	if err := valid(from, to); err != nil {
		return err
	}
	return syscall.Rename(filepath.Join(o.dir, from), filepath.Join(o.dir, to)) // package os refuses what Linux does
}

func (o *oracle) SetTime(_ context.Context, name string, t time.Time) error {
	return o.root.Chtimes(name, t, t)
}

// oracleFile is an open file of the operating system.
type oracleFile struct{ f *os.File }

func (f *oracleFile) Stat(context.Context) (files.Info, error) { return info(f.f.Stat()) }
func (f *oracleFile) ReadAt(_ context.Context, b []byte, at int64) (int, error) {
	return f.f.ReadAt(b, at)
}
func (f *oracleFile) WriteAt(_ context.Context, b []byte, at int64) (int, error) {
	if at == files.End {
		i, err := f.f.Stat()
		if err != nil {
			return 0, err
		}
		at = i.Size()
	}
	return f.f.WriteAt(b, at)
}
func (f *oracleFile) Truncate(_ context.Context, size int64) error {
	if err := f.f.Truncate(size); err == nil || size < 0 {
		return err
	}
	if _, err := f.f.WriteAt(nil, 0); err != nil { // Linux says EINVAL of one that is open to read
		return err
	}
	return files.ErrBadFile
}
func (f *oracleFile) SetTime(_ context.Context, t time.Time) error {
	return os.Chtimes(filepath.Join("/proc/self/fd", fd(f.f)), t, t)
}
func (f *oracleFile) Sync(context.Context) error  { return f.f.Sync() }
func (f *oracleFile) Close(context.Context) error { return f.f.Close() }

// TestOracle runs the suite against the operating system: what it demands is what that does.
func TestOracle(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the oracle speaks with Linux")
	}
	filestest.Test(t, filestest.Harness{New: newOracle})
}

// TestMemory, TestStatic and TestFS run it against the trees of package files.
func TestMemory(t *testing.T) {
	const room = 1 << 20
	filestest.Test(t, filestest.Harness{Room: room, New: func(t testing.TB, content map[string]string) files.Tree {
		return fill(t, files.NewMemory(room), content)
	}})
}

// fill writes files.
func fill(t testing.TB, tree files.Tree, content map[string]string) files.Tree {
	t.Helper()
	for name, text := range content {
		for i, c := range name {
			if c == '/' {
				_ = tree.Mkdir(t.Context(), name[:i]) // it may be there
			}
		}
		f, err := tree.Open(t.Context(), name, files.Write|files.Create)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(t.Context(), []byte(text), 0); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

func TestStatic(t *testing.T) {
	filestest.Test(t, filestest.Harness{New: func(_ testing.TB, content map[string]string) files.Tree {
		m := files.Map{}
		for name, text := range content {
			m[name] = []byte(text)
		}
		return files.Static(m)
	}})
}

func TestFS(t *testing.T) {
	for name, make := range map[string]func(t testing.TB, content map[string]string) files.Tree{
		"map": func(_ testing.TB, content map[string]string) files.Tree {
			m := fstest.MapFS{}
			for name, text := range content {
				m[name] = &fstest.MapFile{Data: []byte(text)}
			}
			return files.FS(m)
		},
		"folder": func(t testing.TB, content map[string]string) files.Tree {
			return files.FS(newOracle(t, content).(*oracle).root.FS())
		},
		"there and back": func(t testing.TB, content map[string]string) files.Tree {
			return files.FS(files.Std(t.Context(), fill(t, files.NewMemory(1<<20), content)))
		},
	} {
		t.Run(name, func(t *testing.T) { filestest.Test(t, filestest.Harness{New: make}) })
	}
}
