package wasi_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// strangeFS is a file system that goes wrong.
type strangeFS func() (fs.File, error)

func (f strangeFS) Open(string) (fs.File, error) { return f() }

// TestFilesGoWrong opens files on file systems that fail and panic.
func TestFilesGoWrong(t *testing.T) {
	g := compile(t, runtimestest.Wasm(), runtimes.Options{})
	for name, f := range map[string]strangeFS{
		"error": func() (fs.File, error) { return nil, errors.New("disk on fire") },
		"panic": func() (fs.File, error) { panic("disk on fire") },
	} {
		p := args("cat", "/request/id")
		p.Files = f
		if out, err := run(t, g, p); err == nil || out != "" {
			t.Errorf("%s: got %q and the error %v", name, out, err)
		}
		if out, err := run(t, g, args("hush")); err != nil || out != "ok" {
			t.Errorf("after %s: got %q and the error %v", name, out, err)
		}
	}
}

// TestFilesOfTheHost shows a real folder, whose files could be written by whoever holds them.
func TestFilesOfTheHost(t *testing.T) {
	g := compile(t, runtimestest.Wasm(), runtimes.Options{})
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "id"), []byte("42"), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, mode := range []string{"cat", "spoil"} {
		p := args(mode, "/request/id")
		p.Files = root.FS()
		if out, err := run(t, g, p); err != nil || mode == "cat" && out != "42" {
			t.Errorf("%s: got %q and the error %v", mode, out, err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "id")); err != nil || string(b) != "42" {
		t.Errorf("the file is now %q (%v)", b, err)
	}
}

// everywhere is what comes of opening files that every system has, or none.
const everywhere = `/: ok
/dev: ok
/dev/.: ok
/dev/null: ok
/dev/../dev//null: ok
/dev/null/: ENOTDIR
/dev/null/..: ENOTDIR
/dev/null/x: ENOTDIR
/nowhere: ENOENT
/nowhere/: ENOENT
/nowhere/../dev/null: ENOENT
.editorconfig-of-nobody: ENOENT
nowhere/x: ENOENT
/dev/stdin: ok
/dev/stdout: ok
/dev/stderr: ok
to write
/dev/null: ok
/dev/null: EEXIST
/dev/null: ENOTDIR
/dev: EISDIR
/dev: EISDIR
/nowhere/x: ENOENT
lseek: ESPIPE
pread: ESPIPE
pwrite: ESPIPE
fcntl: ok
write to nothing: EBADF
stat: ok
two devices
from stdin
`

// TestFilesEverywhere opens files that every system has, or none. TestFilesNatively does so on the machine itself.
func TestFilesEverywhere(t *testing.T) {
	dir := filepath.Join("testdata", "everywhere")
	module, err := os.ReadFile(filepath.Join(dir, "everywhere.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	p := &runtimes.Process{Stdin: strings.NewReader("from stdin\n")}
	if got, err := run(t, compile(t, module, runtimes.Options{}), p); err != nil || got != everywhere {
		t.Errorf("got the error %v and\n%s", err, got)
	}
}
