//go:build unix

package disk_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/files"
)

// A pipe would hold up whoever opens it.
func TestPipe(t *testing.T) {
	dir := t.TempDir()
	tree := newTree(t, dir, nil)
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, how := range []files.Flags{files.Read, files.Write, files.Read | files.Write} {
		if _, err := tree.Open(t.Context(), "pipe", how); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("a pipe was opened: %v", err)
		}
	}
}
