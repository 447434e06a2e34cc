package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/polyvoke/polyvoke/cmd/internal/interpreters"
	"github.com/polyvoke/polyvoke/runtimes/script"
)

// toy is an interpreter for stories, and a polyvoke without the race detector, under which the interpreter would take
// longer to compile than it may.
type toy struct {
	wasm  []byte
	built string // path of polyvoke
}

// makeToy builds the interpreter of runtimes/script/testdata/lines for wasip1.
func makeToy(t *testing.T) (*toy, error) {
	dir := t.TempDir()
	file := filepath.Join(dir, "lines.wasm")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", file, "../../runtimes/script/testdata/lines")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	wasm, err := os.ReadFile(file)
	return &toy{wasm: wasm, built: buildPolyvoke(t, dir)}, err
}

// linesScript is the command lines.
func linesScript(ts *testscript.TestScript, made func() (*toy, error)) {
	t, err := made()
	ts.Check(err)
	ts.Setenv("BUILT", t.built)
	ts.Check(os.WriteFile(ts.MkAbs("lines.wasm"), t.wasm, 0o600))
	toy := script.Info{Name: "toy", Version: "0.1", Language: "Toy", Extensions: []string{".toy"}}
	b, err := script.WrapBundle(toy, t.wasm)
	ts.Check(err)
	_, err = interpreters.Folder(filepath.Join(ts.Getenv("XDG_CACHE_HOME"), "polyvoke", "runtimes")).Put(b)
	ts.Check(err)
}
