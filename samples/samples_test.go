package samples_test

import (
	"context"
	"errors"
	"go/parser"
	"go/token"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/polyvoke/polyvoke/samples"
)

// maxSize is what a committed module may have, in bytes: the repository keeps every version of it.
const maxSize = 200_000

func TestNames(t *testing.T) {
	want := []string{"greet-go", "greet-c", "greet-cpp", "greet-rust", "greet-as", "greet-zig", "greet-nim", "thumbnail",
		"wordcount"}
	var got []string
	for _, s := range samples.All() {
		got = append(got, s.Name)
		if s.Language == "" || s.What == "" || len(s.Requests) == 0 {
			t.Errorf("%s: language, what or requests are missing", s.Name)
		}
		if (s.Wasm == nil) == (s.GoSource == nil) {
			t.Errorf("%s: want either a module or the source of one", s.Name)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestRequests sends every sample the requests of the demonstration.
func TestRequests(t *testing.T) {
	b := newSandbox(t)
	for _, s := range samples.All() {
		p := b.build(s)
		for i, r := range s.Requests {
			got := b.run(p, r.Args, r.Body)
			if got.exit != r.Exit || r.Want != nil && string(r.Want) != got.stdout {
				t.Errorf("%s: request %d: got %+v, want exit %d and %q", s.Name, i, got, r.Exit, r.Want)
			}
			if got.exit == 0 && got.stdout == "" || got.stderr == "" {
				t.Errorf("%s: request %d: no reply or no log line: %+v", s.Name, i, got)
			}
		}
	}
}

// TestNoSDK is the claim that a function needs nothing of polyvoke: Go samples import the standard
// library only, and modules import nothing but WASI.
func TestNoSDK(t *testing.T) {
	b := newSandbox(t)
	for _, s := range samples.All() {
		if s.GoSource != nil {
			checkImports(t, s)
		}
		p := b.build(s)
		for _, f := range p.ImportedFunctions() {
			if module, name, _ := f.Import(); module != "wasi_snapshot_preview1" {
				t.Errorf("%s: imports %s.%s", s.Name, module, name)
			}
		}
		if n := len(p.ImportedMemories()); n != 0 {
			t.Errorf("%s: imports %d memories", s.Name, n)
		}
		if p.ExportedFunctions()["_start"] == nil {
			t.Errorf("%s: does not export _start", s.Name)
		}
		if p.ExportedMemories()["memory"] == nil {
			t.Errorf("%s: does not export its memory", s.Name)
		}
	}
}

func checkImports(t *testing.T, s samples.Sample) {
	t.Helper()
	names, err := fs.Glob(s.GoSource, "*.go")
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %d Go files, error %v", s.Name, len(names), err)
	}
	for _, name := range names {
		src, err := fs.ReadFile(s.GoSource, name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") {
				t.Errorf("%s: %s imports %s", s.Name, name, path)
			}
		}
	}
}

func TestSize(t *testing.T) {
	for _, s := range samples.All() {
		if len(s.Wasm) > maxSize {
			t.Errorf("%s: %d bytes, want at most %d", s.Name, len(s.Wasm), maxSize)
		}
	}
}

// TestNoMachinePath looks for what a compiler may leave behind of the machine it ran on.
func TestNoMachinePath(t *testing.T) {
	for _, s := range samples.All() {
		for _, path := range []string{"/root/", "/home/", "/tmp/", "/var/", "/mnt/", "/Users/"} {
			if strings.Contains(string(s.Wasm), path) {
				t.Errorf("%s: holds a path in %s", s.Name, path)
			}
		}
	}
}

// TestBuildIsReproducible holds a build of all together to builds of each alone.
func TestBuildIsReproducible(t *testing.T) {
	all := samples.All()
	together, err := samples.Build(t.Context(), all...)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range all {
		alone, err := s.Build(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(together[i], alone) {
			t.Errorf("%s: two builds differ", s.Name)
		}
	}
}

func TestBuildFails(t *testing.T) {
	greetGo := samples.All()[0]
	t.Run("no go", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		if _, err := greetGo.Build(t.Context()); !errors.Is(err, samples.ErrNoGo) {
			t.Errorf("got %v, want ErrNoGo", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := greetGo.Build(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
	t.Run("does not compile", func(t *testing.T) {
		source := fstest.MapFS{"main.go": {Data: []byte("package main\n\nfunc main() { nothing() }\n")}}
		broken := samples.Sample{Name: "broken", GoSource: source}
		_, err := broken.Build(t.Context())
		if err == nil || !strings.Contains(err.Error(), "undefined: nothing") {
			t.Errorf("got %v, want what the compiler says", err)
		}
	})
}
