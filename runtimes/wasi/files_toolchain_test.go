//go:build toolchain && linux

package wasi_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestFilesNatively compiles the program of TestFilesEverywhere for the machine itself, which must give the same.
func TestFilesNatively(t *testing.T) {
	program := filepath.Join(t.TempDir(), "everywhere")
	source := filepath.Join("testdata", "everywhere", "everywhere.c")
	if out, err := exec.Command("cc", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	native := exec.Command(program)
	native.Stdin = strings.NewReader("from stdin\n")
	if out, err := native.Output(); err != nil || string(out) != everywhere {
		t.Errorf("the error is %v and the output\n%s", err, out)
	}
}
