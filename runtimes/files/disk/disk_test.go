package disk_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/files/disk"
	"github.com/polyvoke/polyvoke/runtimes/files/filestest"
)

// newTree returns the tree of a folder with files.
func newTree(t testing.TB, dir string, content map[string]string) *disk.Tree {
	t.Helper()
	for name, text := range content {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tree.Close() })
	return tree
}

// A folder does what the suite says that folders do, both if it can be written and if not.
func TestTree(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the suite wants files that are open to be renamed and removed")
	}
	filestest.Test(t, filestest.Harness{New: func(t testing.TB, content map[string]string) files.Tree {
		return newTree(t, t.TempDir(), content)
	}})
}

func TestReadOnly(t *testing.T) {
	filestest.Test(t, filestest.Harness{New: func(t testing.TB, content map[string]string) files.Tree {
		return newTree(t, t.TempDir(), content).ReadOnly()
	}})
}

// No name and no link leads out of the folder, and whoever tries finds nothing changed there.
func TestNeverLeaves(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege there")
	}
	outside := t.TempDir()
	secret := filepath.Join(outside, "secret")
	write(t, secret, "outside")
	dir := filepath.Join(outside, "folder")
	tree := newTree(t, dir, map[string]string{"in": "inside", "sub/x": "x"})
	for name, to := range map[string]string{"abs": secret, "up": "../secret", "dir": "..", "self": "self", "good": "in",
		"new": "../new"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	for _, name := range []string{"abs", "up", "dir/secret", "new", "self", "../secret", "/etc/passwd", "sub/../../secret",
		"a\x00b", "", "sub/", "dir/folder/in", secret, strings.Repeat("x", 5000), strings.Repeat("x/", 2500) + "x"} {
		for _, how := range []files.Flags{files.Read, files.Write, files.Write | files.Create,
			files.Write | files.Create | files.Truncate, files.Read | files.Write | files.Create | files.Exclusive} {
			f, err := tree.Open(ctx, name, how)
			if err == nil {
				t.Errorf("%.40q was opened (%b)", name, how)
				f.Close(ctx)
			}
		}
		if err := tree.Mkdir(ctx, name); err == nil {
			t.Errorf("%.40q was made", name)
		}
		if err := tree.Rename(ctx, "in", name+"/x"); err == nil {
			t.Errorf("a file went to %.40q", name)
		}
		if _, err := tree.ReadDir(ctx, name); err == nil {
			t.Errorf("%.40q was listed", name)
		}
	}
	if _, err := tree.Open(ctx, "up", files.Read); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a link that leads out: %v", err)
	}
	if f, err := tree.Open(ctx, "good", files.Read); err != nil {
		t.Errorf("a link that stays inside: %v", err)
	} else {
		f.Close(ctx)
	}
	got, err := os.ReadFile(secret)
	if _, made := os.Stat(filepath.Join(outside, "new")); err != nil || string(got) != "outside" || made == nil {
		t.Errorf("outside there is %q, %v, %v", got, err, made)
	}
}

// write writes a file of this machine.
func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Two files that append lose nothing of one another.
func TestHammerAppend(t *testing.T) {
	const writers, lines = 8, 100
	tree := newTree(t, t.TempDir(), nil)
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			f, err := tree.Open(t.Context(), "log", files.Write|files.Create)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close(t.Context())
			for range lines {
				if _, err := f.WriteAt(t.Context(), []byte("line\n"), files.End); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if info, err := tree.Stat(t.Context(), "log"); err != nil || info.Size != writers*lines*int64(len("line\n")) {
		t.Errorf("%+v, %v", info, err)
	}
}

// A folder that is none, or that has gone, is an error.
func TestOpen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	write(t, file, "")
	if _, err := disk.Open(file); !errors.Is(err, files.ErrNotDir) {
		t.Errorf("a file as a folder: %v", err)
	}
	if _, err := disk.Open(file + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}
