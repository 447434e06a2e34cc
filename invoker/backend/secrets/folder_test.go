//go:build unix

package secrets_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/polyvoke/polyvoke/invoker/backend/secrets"
)

// write writes a file with exactly that mode.
func write(t *testing.T, name, value string, mode fs.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(value), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
}

// must fails the test for an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// has checks a secret of a folder.
func has(t *testing.T, dir, name, want string) {
	t.Helper()
	if b, err := (secrets.Folder{Dir: dir}).Secret(t.Context(), "f", name); string(b) != want || err != nil {
		t.Errorf("%s is %q, %v; want %q", name, b, err, want)
	}
}

// refuses checks that a folder does not give a secret, and says why.
func refuses(t *testing.T, dir, name, why string) {
	t.Helper()
	b, err := (secrets.Folder{Dir: dir}).Secret(t.Context(), "f", name)
	if err == nil || !strings.Contains(err.Error(), why) || len(b) > 0 {
		t.Errorf("%s is %q, %v; want an error with %q", name, b, err, why)
	}
}

// TestSystemd reads a folder as systemd makes it: files of mode 0400, in a folder that nobody else may enter.
func TestSystemd(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "polyvoke.service")
	write(t, filepath.Join(dir, "API_KEY"), "hunter22", 0o400)
	write(t, filepath.Join(dir, "tls.key"), "key\n", 0o440)
	write(t, filepath.Join(dir, "empty"), "", 0o400)
	must(t, os.Chmod(dir, 0o500))
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	must(t, secrets.Folder{Dir: dir}.Check())
	has(t, dir, "API_KEY", "hunter22")
	has(t, dir, "tls.key", "key\n")
	has(t, dir, "empty", "")
	for _, name := range []string{"NONE", "../polyvoke.service/API_KEY", "", ".", "..", "API_KEY/", "x/y"} {
		if _, err := (secrets.Folder{Dir: dir}).Secret(t.Context(), "f", name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestKubernetes reads a volume of secrets as the kubelet makes it, and exchanges all of them at once.
func TestKubernetes(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o777|fs.ModeSticky))
	write(t, filepath.Join(dir, "..2026_01", "API_KEY"), "first", 0o644)
	write(t, filepath.Join(dir, "..2026_02", "API_KEY"), "second", 0o644)
	must(t, os.Symlink("..2026_01", filepath.Join(dir, "..data")))
	must(t, os.Symlink("..data/API_KEY", filepath.Join(dir, "API_KEY")))
	has(t, dir, "API_KEY", "first")
	must(t, os.Symlink("..2026_02", filepath.Join(dir, "..data_tmp")))
	must(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	has(t, dir, "API_KEY", "second")
	refuses(t, dir, "..data", "dot first")
	must(t, os.Chmod(filepath.Join(dir, "..2026_02", "API_KEY"), 0o666))
	refuses(t, dir, "API_KEY", "chmod go-w")
}

// TestFolder refuses what others may have put there, or may read.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	write(t, filepath.Join(dir, "good"), "x", 0o600)
	write(t, filepath.Join(dir, "read"), "x", 0o604)
	write(t, filepath.Join(dir, "group"), "x", 0o620)
	write(t, filepath.Join(dir, "others"), "x", 0o602)
	write(t, filepath.Join(dir, "large"), strings.Repeat("x", secrets.MaxValue+1), 0o600)
	write(t, filepath.Join(dir, "just"), strings.Repeat("x", secrets.MaxValue), 0o600)
	write(t, filepath.Join(dir, "sub", "file"), "x", 0o600)
	outside := filepath.Join(t.TempDir(), "outside")
	write(t, outside, "x", 0o600)
	must(t, os.Symlink(outside, filepath.Join(dir, "link")))
	must(t, os.Symlink("good", filepath.Join(dir, "inside")))
	must(t, os.Symlink("loop", filepath.Join(dir, "loop")))
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	has(t, dir, "good", "x")
	has(t, dir, "inside", "x")
	has(t, dir, "just", strings.Repeat("x", secrets.MaxValue))
	refuses(t, dir, "read", "chmod o-r")
	refuses(t, dir, "group", "chmod go-w")
	refuses(t, dir, "others", "chmod go-w")
	refuses(t, dir, "large", "65536")
	refuses(t, dir, "sub", "regular")
	refuses(t, dir, "pipe", "regular")
	refuses(t, dir, "link", "escapes")
	refuses(t, dir, "loop", "loop")
	if os.Geteuid() == 0 {
		must(t, os.Chown(filepath.Join(dir, "good"), 12345, -1))
		refuses(t, dir, "good", "user 12345")
		must(t, os.Chown(filepath.Join(dir, "good"), 0, 12345))
		has(t, dir, "good", "x")
	}
	must(t, os.Chmod(dir, 0o775))
	refuses(t, dir, "good", "others may write this folder")
	if err := (secrets.Folder{Dir: dir}).Check(); err == nil {
		t.Error("a folder that others may write is good")
	}
	if err := (secrets.Folder{Dir: filepath.Join(dir, "good")}).Check(); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("a file: %v", err)
	}
	if err := (secrets.Folder{Dir: filepath.Join(dir, "none")}).Check(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}
