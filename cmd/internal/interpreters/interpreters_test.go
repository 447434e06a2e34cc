package interpreters_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/cmd/internal/interpreters"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/script"
)

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	folder := interpreters.Folder(filepath.Join(dir, "runtimes"))
	if all := folder.List(); len(all) != 0 {
		t.Errorf("a folder that is not there has %v", all)
	}
	wasm := filepath.Join(dir, "lox.wasm")
	if err := os.WriteFile(wasm, []byte("\x00asm"), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := interpreters.Read(wasm, script.Info{Version: "1", Extensions: []string{".lox"}, Memory: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if i, err := folder.Put(b); err != nil || i.Name != "lox" || i.Language != "lox" {
		t.Errorf("kept %+v, error %v", i, err)
	}
	if i, err := (interpreters.Local{Folder: folder}).Info("lox@7"); err != nil || i.Memory != 1<<20 {
		t.Errorf("it says %+v, error %v", i, err)
	}
	if err := os.WriteFile(filepath.Join(string(folder), "broken.runtime.zip"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if all := folder.List(); len(all) != 1 || all[0].Name != "lox" {
		t.Errorf("the folder has %v", all)
	}
	_, _, err = (interpreters.Local{Folder: folder}).Bundle(t.Context(), "wren@1")
	if protocol.CodeOf(err) != protocol.CodeNotFound {
		t.Errorf("a runtime that is not there: %v", err)
	}
	if _, err := folder.Get("../lox"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a name that is a path: %v", err)
	}
	f, err := interpreters.Describe(b)
	if err != nil || f.Name != "lox" || f.Limits.Memory != 1<<20 || f.Env[interpreters.VersionKey] != "1" ||
		f.Env[interpreters.ExtensionsKey] != ".lox" {
		t.Errorf("it is described as %+v, error %v", f, err)
	}
}

func TestReadRefuses(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	for what, want := range map[string]string{
		"nofile.wasm": "no such file",
		"wren":        "polyvoke runtime get wren",
		t.TempDir():   "runtime.json",
	} {
		_, err := interpreters.Read(what, script.Info{Version: "1"})
		var x *exit.Error
		if !errors.As(err, &x) || x.Code != exit.Failed || !strings.Contains(x.Msg, want) {
			t.Errorf("%s: got the error %v, want one with %q", what, err, want)
		}
	}
}

func TestForExtension(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	folder, err := interpreters.Default()
	if err != nil {
		t.Fatal(err)
	}
	lox := script.Info{Name: "lox", Version: "1", Language: "Lox", Extensions: []string{".lox", ".py"}}
	b, err := script.WrapBundle(lox, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := folder.Put(b); err != nil {
		t.Fatal(err)
	}
	for ext, want := range map[string]string{
		".lox": "lox", ".py": "python", ".js": "javascript", ".wasm": "", ".none": "", "": "",
	} {
		if got := interpreters.ForExtension(ext); got != want {
			t.Errorf("ForExtension(%q) = %q, want %q", ext, got, want)
		}
	}
	if names := interpreters.Names(); !slices.Contains(names, "lox") || !slices.Contains(names, "python") {
		t.Errorf("the names are %v", names)
	}
	rows := interpreters.Rows([]protocol.Function{
		{Name: "lox", Version: 3, Size: 5, Env: map[string]string{interpreters.VersionKey: "2"}},
	})
	if r := rows[len(rows)-1]; r.Name != "lox" || r.Local != "1" || r.Added != "2" || r.Ref != "lox@3" || r.Size != 5 {
		t.Errorf("the last row is %+v", r)
	}
}
