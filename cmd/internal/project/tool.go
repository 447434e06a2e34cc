package project

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// probeTimeout bounds one trial of a tool. A first start from a cold disk can take seconds.
const probeTimeout = 30 * time.Second

// A tool is a program that a build script starts. The script finds it by a variable.
type tool struct {
	name    string   // for people
	env     string   // the variable; what it holds already is tried first
	paths   []string // names of the PATH, or paths, to try in turn
	choices []string // VAR=VALUE: one of them must do besides, tried in turn; nil for none
	input   string   // the probe's stdin
	// probe has the arguments with which it exits with 0 if it can build for wasm. $VAR is replaced by the choice's
	// value, $OUT by a file.
	probe []string
}

// shell is what build scripts are run by.
func shell() tool {
	return tool{name: "sh", env: "SH", paths: []string{"sh"}, probe: []string{"-c", ":"}}
}

// goTool is Go, which needs nothing for wasm.
func goTool() tool {
	return tool{name: "Go", env: "GO", paths: []string{"go"}, probe: []string{"version"}}
}

// clang is a C compiler with a C library for WASI. The versions of Debian come first, since the samples are built by
// one.
func clang() tool {
	return tool{name: "clang with wasi-libc", env: "CC", paths: clangs("clang"),
		input: "#include <stdio.h>\nint main(void) { return puts(\"\"); }\n",
		probe: []string{"--target=wasm32-wasi", "-x", "c", "-", "-o", "$OUT"}}
}

// clangxx is the same with a C++ library.
func clangxx() tool {
	return tool{name: "clang++ with libc++ for wasi", env: "CXX", paths: clangs("clang++"),
		input: "#include <string>\nint main() { return std::string().size(); }\n",
		probe: []string{"--target=wasm32-wasi", "-fno-exceptions", "-x", "c++", "-", "-o", "$OUT"}}
}

// clangs returns where a compiler of LLVM may be.
func clangs(name string) []string {
	paths := []string{name + "-14", name}
	if sdk := os.Getenv("WASI_SDK_PATH"); sdk != "" {
		paths = append([]string{filepath.Join(sdk, "bin", name)}, paths...)
	}
	for v := 22; v > 14; v-- {
		paths = append(paths, fmt.Sprintf("%s-%d", name, v))
	}
	return append(paths, "/opt/wasi-sdk/bin/"+name, "/opt/homebrew/opt/llvm/bin/"+name, "/usr/local/opt/llvm/bin/"+name)
}

// rustc is a Rust compiler with a standard library for WASI. Debian's is tried by its path too: a rustup compiler may
// hide it.
func rustc() tool {
	return tool{name: "rustc with a standard library for wasm32-wasip1 or wasm32-wasi", env: "RUSTC",
		paths:   []string{"rustc", "/usr/bin/rustc"},
		choices: []string{"RUST_TARGET=wasm32-wasip1", "RUST_TARGET=wasm32-wasi"}, input: "fn main() {}\n",
		probe: []string{"--target", "$RUST_TARGET", "--emit=metadata", "-o", "$OUT", "-"}}
}

func zig() tool {
	return tool{name: "zig", env: "ZIG", paths: []string{"zig", "python-zig"}, probe: []string{"version"}}
}

func asc() tool {
	return tool{name: "asc", env: "ASC", paths: []string{"node_modules/.bin/asc", "asc"}, probe: []string{"--version"}}
}

func nim() tool {
	return tool{name: "nim", env: "NIM", paths: []string{"nim"}, probe: []string{"--version"}}
}

// ldc is a D compiler on LLVM.
func ldc() tool {
	return tool{name: "ldc2", env: "LDC", paths: []string{"ldc2"}, probe: []string{"--version"}}
}

// maven brings the compilers of the Java virtual machine's languages, and the one from there to wasm. It runs without
// a JDK too, but then there is nothing to compile with.
func maven() tool {
	return tool{name: "Maven with a JDK", env: "MVN", paths: []string{"mvn"}, probe: []string{"--version"}}
}

func ocamlc() tool {
	return tool{name: "ocamlc", env: "OCAMLC", paths: []string{"ocamlc"}, probe: []string{"-version"}}
}

// clang22 is a C compiler whose setjmp is WebAssembly's exceptions as engines have them now. The C library comes with
// the runtime.
func clang22() tool {
	return tool{name: "clang 22 with lld", env: "CLANG", paths: []string{"clang-22"},
		input: "int main(void) { return 0; }\n",
		probe: []string{"--target=wasm32-wasip1", "-mllvm", "-wasm-enable-sjlj", "-mllvm", "-wasm-use-legacy-eh=false",
			"--no-wasm-opt", "-nostdlib", "-Wl,--no-entry", "-x", "c", "-", "-o", "$OUT"}}
}

// dpkgSource unpacks Debian's source packages.
func dpkgSource() tool {
	return tool{name: "dpkg-source", env: "DPKG_SOURCE", paths: []string{"dpkg-source"}, probe: []string{"--version"}}
}

// find returns the variables by which a build script finds the tool. Relative paths are relative to dir. The error says
// what was tried, and why it would not do.
func (t tool) find(ctx context.Context, dir string) (env []string, err error) {
	scratch, err := os.MkdirTemp("", "polyvoke-probe-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	var tried []string
	for _, p := range append([]string{os.Getenv(t.env)}, t.paths...) {
		if strings.ContainsRune(p, filepath.Separator) && !filepath.IsAbs(p) {
			p = filepath.Join(dir, p)
		}
		path, err := exec.LookPath(p)
		if err != nil {
			continue
		}
		for _, c := range t.choices {
			if err = t.try(ctx, path, c, scratch); err == nil {
				return []string{t.env + "=" + path, c}, nil
			}
		}
		if t.choices == nil {
			if err = t.try(ctx, path, "", scratch); err == nil {
				return []string{t.env + "=" + path}, nil
			}
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		tried = append(tried, fmt.Sprintf("%s: %v", path, err))
	}
	if tried == nil {
		return nil, fmt.Errorf("%s is not installed", t.name)
	}
	return nil, fmt.Errorf("%s is not installed: %s", t.name, strings.Join(tried, "; "))
}

// try runs the probe of the tool at a path, with a choice or none.
func (t tool) try(ctx context.Context, path, choice, scratch string) error {
	variable, value, _ := strings.Cut(choice, "=")
	args := make([]string, len(t.probe))
	for i, a := range t.probe {
		switch a {
		case "$" + variable:
			a = value
		case "$OUT":
			a = filepath.Join(scratch, "out")
		}
		args[i] = a
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	said, err := output(ctx, command{dir: scratch, args: append([]string{path}, args...), input: t.input})
	if err != nil {
		line, _, _ := strings.Cut(strings.TrimSpace(string(said)), "\n")
		return fmt.Errorf("%w: %s", err, line)
	}
	return nil
}
