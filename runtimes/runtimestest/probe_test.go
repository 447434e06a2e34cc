package runtimestest

import (
	"bytes"
	"cmp"
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

// TestProbeIsReproducible builds the probe again where the compiler that made the committed one is installed. Where
// the samples' tools are installed, it is, too; elsewhere the checksums of TestProbeIsCurrent have to do.
func TestProbeIsReproducible(t *testing.T) {
	if missing := missingCompiler(); missing != "" {
		if os.Getenv("SAMPLES_TOOLS") != "" {
			t.Fatalf("%s: make samples-tools installs what is missing", missing)
		}
		t.Skipf("the probe is not built again: %s", missing)
	}
	dir := t.TempDir()
	if out, err := exec.Command(filepath.Join("testdata", "build.sh"), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"probe.wasm", "probe.sum"} {
		want, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("the committed %s is not what its source gives: run go generate", name)
		}
	}
}

// missingCompiler returns what is missing of what testdata/build.sh builds the committed module with, or "".
func missingCompiler() string {
	const want = "Debian clang version 14.0.6"
	compiler := cmp.Or(os.Getenv("CC"), "clang-14")
	version, err := exec.Command(compiler, "--version").Output()
	if err != nil {
		return fmt.Sprintf("%s is not to be run: %v", compiler, err)
	}
	if line, _, _ := strings.Cut(string(version), "\n"); line != want {
		return fmt.Sprintf("%s is %s, not %s", compiler, line, want)
	}
	for _, file := range []string{
		"/usr/lib/wasm32-wasi/libc.a",
		"/usr/lib/llvm-14/lib/clang/14.0.6/lib/wasi/libclang_rt.builtins-wasm32.a",
	} {
		if _, err := os.Stat(file); err != nil {
			return fmt.Sprintf("a library for WebAssembly is not installed: %v", err)
		}
	}
	return ""
}
