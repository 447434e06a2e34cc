package runtimestest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestProbeIsCurrent checks that the committed module was built from the committed source.
func TestProbeIsCurrent(t *testing.T) {
	sums, err := os.ReadFile(filepath.Join("testdata", "probe.sum"))
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	for _, name := range []string{"probe.c", "probe.wasm"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&want, "%x  %s\n", sha256.Sum256(b), name)
	}
	if string(sums) != want.String() {
		t.Errorf("testdata/probe.sum is\n%swant\n%srun go generate", sums, want.String())
	}
}

// TestProbeIsReproducible builds the probe again where the compiler that made the committed one
// is installed; elsewhere the checksums of TestProbeIsCurrent have to do.
func TestProbeIsReproducible(t *testing.T) {
	version, err := exec.Command("clang", "--version").Output()
	if err != nil || !strings.HasPrefix(string(version), "Debian clang version 14.0.6\n") {
		t.Log("clang 14.0.6 of Debian is not installed: not built again")
		return
	}
	if _, err := os.Stat("/usr/lib/wasm32-wasi/libc.a"); err != nil {
		t.Log("wasi-libc is not installed: not built again")
		return
	}
	dir := t.TempDir()
	if out, err := exec.Command(filepath.Join("testdata", "build.sh"), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(filepath.Join(dir, "probe.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != wasm {
		t.Error("the committed probe.wasm is not what its source gives: run go generate")
	}
}
