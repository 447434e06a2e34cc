package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const patience = time.Minute

// folder is a folder that is watched.
type folder struct {
	t   *testing.T
	dir string
	w   *Watcher
}

// watched makes a folder with files and watches it.
func watched(t *testing.T, files ...string) *folder {
	t.Helper()
	f := &folder{t: t, dir: t.TempDir()}
	for _, name := range files {
		f.write(name, "first")
	}
	w, err := New(Config{Dir: f.dir, Ignore: func(path string) bool { return filepath.Base(path) == "out.wasm" }})
	f.check(err)
	f.w = w
	t.Cleanup(func() { f.check(w.Close()) })
	return f
}

func (f *folder) check(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *folder) path(name string) string { return filepath.Join(f.dir, filepath.FromSlash(name)) }

func (f *folder) write(name, text string) {
	f.t.Helper()
	f.check(os.MkdirAll(filepath.Dir(f.path(name)), 0o755))
	f.check(os.WriteFile(f.path(name), []byte(text), 0o644))
}

// want waits for changes until all that are wanted were seen, and expects no others.
func (f *folder) want(names ...string) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	missing := map[string]bool{}
	for _, n := range names {
		missing[filepath.FromSlash(n)] = true
	}
	wanted := fmt.Sprint(missing)
	for len(missing) > 0 {
		changed, err := f.w.Next(ctx)
		if err != nil {
			f.t.Fatalf("%v; missing are %v", err, missing)
		}
		for _, c := range changed {
			if !strings.Contains(wanted, c+":") {
				f.t.Errorf("%s is said to have changed", c)
			}
			delete(missing, c)
		}
	}
}

// TestNext changes files in the ways in which they get changed. In the end of each, mark.txt changes: what is said to
// have changed until then must be what is wanted.
func TestNext(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(f *folder)
		want   []string
	}{
		{"written", func(f *folder) { f.write("main.c", "second") }, []string{"main.c"}},
		{"renamed over", func(f *folder) {
			f.write("main.c.new~", "second")
			f.check(os.Rename(f.path("main.c.new~"), f.path("main.c")))
		}, []string{"main.c"}},
		{"moved away and written anew, as vim does", func(f *folder) {
			f.write("4913", "")
			f.check(os.Remove(f.path("4913")))
			f.check(os.Rename(f.path("main.c"), f.path("main.c~")))
			f.write("main.c", "second")
			f.check(os.Remove(f.path("main.c~")))
		}, []string{"main.c"}},
		{"removed", func(f *folder) { f.check(os.Remove(f.path("main.c"))) }, []string{"main.c"}},
		{"new", func(f *folder) { f.write("more.c", "x") }, []string{"more.c"}},
		{"in a folder", func(f *folder) { f.write("sub/a.c", "second") }, []string{"sub/a.c"}},
		{"in a new folder, at once", func(f *folder) { f.write("new/deep/a.c", "x") }, []string{"new/deep/a.c"}},
		{"a folder removed", func(f *folder) { f.check(os.RemoveAll(f.path("sub"))) }, []string{"sub/a.c"}},
		{"the same again", func(f *folder) { f.write("main.c", "first") }, nil},
		{"changed and changed back", func(f *folder) { f.write("main.c", "second"); f.write("main.c", "first") }, nil},
		{"rights", func(f *folder) { f.check(os.Chmod(f.path("main.c"), 0o600)) }, nil},
		{"an output", func(f *folder) { f.write("out.wasm", "x") }, nil},
		{"what editors leave", func(f *folder) {
			f.write(".main.c.swp", "x")
			f.write("#main.c#", "x")
			f.write("main.c~", "x")
			f.write(".git/index", "x")
			f.write("node_modules/a/b.js", "x")
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := watched(t, "main.c", "sub/a.c", "mark.txt")
			tt.change(f)
			f.write("mark.txt", "second")
			if tt.name == "changed and changed back" || tt.want == nil {
				f.want("mark.txt")
				return
			}
			f.want(append(tt.want, "mark.txt")...)
		})
	}
}

// TestInNewFolder changes a file in a folder that came later.
func TestInNewFolder(t *testing.T) {
	f := watched(t, "main.c")
	f.write("new/a.c", "first")
	f.want("new/a.c")
	f.write("new/a.c", "second")
	f.want("new/a.c")
}

// TestOften changes a file many times: the last state is always seen.
func TestOften(t *testing.T) {
	f := watched(t, "main.c")
	for i := range 50 {
		f.write("main.c", fmt.Sprint(i))
		f.want("main.c")
		if got := f.w.known["main.c"]; got.size != int64(len(fmt.Sprint(i))) {
			t.Fatalf("change %d was seen with %d bytes", i, got.size)
		}
	}
}

func TestLargeFile(t *testing.T) {
	f := watched(t, "main.c")
	f.write("data.bin", strings.Repeat("x", maxRead+1))
	f.want("data.bin")
	f.write("data.bin", strings.Repeat("x", maxRead+2))
	f.want("data.bin")
}

func TestEnds(t *testing.T) {
	t.Run("cancelled", func(t *testing.T) {
		f := watched(t, "main.c")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := f.w.Next(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("closed", func(t *testing.T) {
		f := watched(t, "main.c")
		f.check(f.w.Close())
		if _, err := f.w.Next(t.Context()); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("no folder", func(t *testing.T) {
		if _, err := New(Config{Dir: filepath.Join(t.TempDir(), "nothing")}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("the folder goes", func(t *testing.T) {
		f := watched(t, "main.c")
		f.check(os.RemoveAll(f.dir))
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		var err error
		for err == nil { // the file goes first
			_, err = f.w.Next(ctx)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("too many files", func(t *testing.T) {
		f := watched(t)
		for i := range maxFiles {
			f.write(fmt.Sprintf("%d", i), "")
		}
		if _, err := New(Config{Dir: f.dir}); !errors.Is(err, ErrTooMany) {
			t.Errorf("error %v", err)
		}
	})
}
