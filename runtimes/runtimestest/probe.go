package runtimestest

import (
	_ "embed" // for the probe
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

//go:embed testdata/probe.wasm
var wasm string

//go:embed testdata/probe.c
var source string

// Wasm returns the probe as a WASI preview1 command. Called without a mode it copies stdin to stdout.
func Wasm() []byte { return []byte(wasm) }

// Native returns the probe as a program of the host, compiled with the C compiler cc.
func Native(t testing.TB) []byte {
	t.Helper()
	dir := t.TempDir()
	c, bin := filepath.Join(dir, "probe.c"), filepath.Join(dir, "probe")
	if err := os.WriteFile(c, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cc", "-O2", "-o", bin, c).CombinedOutput(); err != nil {
		t.Fatalf("the oracle needs a C compiler called cc: %v\n%s", err, out)
	}
	b, err := os.ReadFile(bin)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
