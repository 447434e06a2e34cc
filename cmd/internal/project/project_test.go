package project

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/samples"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// begin makes a project in a language and opens it.
func begin(t *testing.T, lang string) *Project {
	t.Helper()
	l, err := Find(lang)
	check(t, err)
	dir := t.TempDir()
	_, err = Create(dir, "shout", l)
	check(t, err)
	p, err := Open(filepath.Join(dir, "shout"))
	check(t, err)
	return p
}

func TestFind(t *testing.T) {
	for name, want := range map[string]string{
		"go": "go", "GO": "go", "golang": "go", "c++": "cpp", "cpp": "cpp", "AssemblyScript": "as", "rs": "rust",
	} {
		l, err := Find(name)
		if err != nil || l.Name != want {
			t.Errorf("Find(%q) = %q, %v; want %q", name, l.Name, err, want)
		}
	}
	_, err := Find("cobol")
	if protocol.CodeOf(err) != protocol.CodeBadRequest || !strings.Contains(err.Error(), "rust") {
		t.Errorf("error %v; want a list", err)
	}
}

// TestTable looks for rows that cannot be right.
func TestTable(t *testing.T) {
	names := map[string]bool{}
	for _, l := range all() {
		for _, n := range append([]string{l.Name}, l.Aliases...) {
			if names[n] {
				t.Errorf("%s: another language has that name too", n)
			}
			names[n] = true
		}
		if l.Compiled() && (l.Debian == "" || l.MacOS == "" || l.As == "") {
			t.Errorf("%s: how to get its tools, or what its source is called, is missing", l.Name)
		}
		sources, script, err := samples.Template(l.Name)
		if err != nil {
			continue // its sample is not part of this build
		}
		main, err := templates.ReadFile(path.Join("templates", l.Name, l.Main))
		n := strings.Count(string(main), "\n")
		if err != nil || n < 8 || n > 20 || !bytes.Contains(main, []byte("65")) || bytes.Contains(main, []byte("build.sh")) {
			t.Errorf("%s: the template has %d lines, error %v", l.Name, n, err)
		}
		if sources[l.Main] == nil || (script != nil) != l.Compiled() {
			t.Errorf("%s: the sample has %d files; %s or a build script is missing, or there is one for nothing", l.Name,
				len(sources), l.Main)
		}
	}
	if n := len(Languages()); n < 7 {
		t.Errorf("%d languages", n)
	}
}

func TestCreate(t *testing.T) {
	for _, l := range Languages() {
		dir := t.TempDir()
		files, err := Create(dir, "shout-1", l)
		check(t, err)
		p, err := Open(filepath.Join(dir, "shout-1"))
		check(t, err)
		if p.Name != "shout-1" || p.Language != l.Title || l.Compiled() != (p.Script == "") {
			t.Errorf("%s: %+v", l.Name, p)
		}
		for _, want := range []string{"README.md", l.Request(), ManifestName} {
			if !slices.Contains(files, want) {
				t.Errorf("%s: no %s in %q", l.Name, want, files)
			}
		}
		for _, f := range files {
			b, err := os.ReadFile(filepath.Join(dir, "shout-1", filepath.FromSlash(f)))
			check(t, err)
			if bytes.Contains(b, []byte("build.sh")) || bytes.Contains(b, []byte("greet.wasm")) {
				t.Errorf("%s: %s speaks of the sample's files", l.Name, f)
			}
		}
		if _, err := Create(dir, "shout-1", l); err == nil || !strings.Contains(err.Error(), "choose another name") {
			t.Errorf("%s: the second time: %v", l.Name, err)
		}
	}
	if _, err := Create(t.TempDir(), "../shout", Languages()[0]); protocol.CodeOf(err) != protocol.CodeBadRequest {
		t.Errorf("a path: %v", err)
	}
}

// write makes a folder with a manifest.
func write(t testing.TB, manifest string) string {
	t.Helper()
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, ManifestName), []byte(manifest), 0o600))
	return dir
}

func TestOpenRefuses(t *testing.T) {
	for manifest, want := range map[string]string{
		"":                                       "module: say which file",
		"module = \"a.wasm\"\nscript = \"a.py\"": "a function is one of the two",
		"module = 3":                             "module",
		"a = 1\n=":                               "polyvoke.toml:2: ",
		"module = \"a.wasm\"\n[build]\nsource = \"a.c\"\ncommand = [\"make\"]": "choose one",
		"module = \"a.wasm\"\n[build]\ncommand = []":                           "name a program",
		"module = \"a.wasm\"\n[build]\ncommand = \"make\"":                     "command",
		"module = \"a.wasm\"\n[build]\nsuorce = \"a.c\"": "polyvoke.toml:3: unknown key build.suorce: " +
			"did you mean source?",
	} {
		_, err := Open(write(t, manifest))
		if protocol.CodeOf(err) != protocol.CodeRefused || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v; want %q", manifest, err, want)
		}
	}
	_, err := Open(t.TempDir())
	if protocol.CodeOf(err) != protocol.CodeNotFound || !strings.Contains(err.Error(), "polyvoke new") {
		t.Errorf("no manifest: %v", err)
	}
}

// FuzzOpen gives strangers' manifests: there is a project, or an error that names the file.
func FuzzOpen(f *testing.F) {
	for _, s := range []string{
		"module = \"greet.wasm\"\n[build]\nsource = \"main.c\"\n", "script = \"a.py\"", "build = 3", "[[build]]",
		"module = [\"a\"]", "[build.command]\n",
	} {
		f.Add(s)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(dir, ManifestName)
		check(t, os.WriteFile(path, []byte(text), 0o600))
		p, err := Open(dir)
		if err == nil && p.Module+p.Script == "" || err != nil && !strings.Contains(err.Error(), path) {
			t.Fatalf("%+v, %v", p, err)
		}
	})
}

// named returns the module of a sample with custom sections behind it.
func named(t testing.TB, names ...string) (plain, with []byte) {
	t.Helper()
	all := samples.All()
	plain = all[slices.IndexFunc(all, func(s samples.Sample) bool { return s.Name == "greet-c" })].Wasm
	with = slices.Clone(plain)
	for _, n := range names {
		with = append(with, 0, byte(1+len(n)), byte(len(n)))
		with = append(with, n...)
	}
	return plain, with
}

func TestStrip(t *testing.T) {
	plain, with := named(t, "name", ".debug_info", ".debug_line", "producers2")
	out, s, err := Strip(with)
	check(t, err)
	_, want := named(t, "producers2")
	if !bytes.Equal(out, want) || s.Bytes != len(with)-len(want) ||
		strings.Join(s.Sections, " ") != "name .debug_info .debug_line" {
		t.Errorf("%d bytes, want %d; %+v", len(out), len(want), s)
	}
	if out, s, err := Strip(plain); err != nil || !bytes.Equal(out, plain) || s.Bytes != 0 {
		t.Errorf("nothing to strip: %+v, %v", s, err)
	}
	if _, _, err := Strip([]byte("text")); err == nil {
		t.Error("text passes")
	}
}

// FuzzStrip strips whatever is a module: the same module comes out, without the sections, and a second time changes
// nothing.
func FuzzStrip(f *testing.F) {
	plain, with := named(f, "name", ".debug_x", "sourceMappingURL")
	f.Add(plain)
	f.Add(with)
	f.Fuzz(func(t *testing.T, b []byte) {
		out, s, err := Strip(b)
		if err != nil {
			return
		}
		if _, err := module.Parse(out); err != nil || len(out)+s.Bytes != len(b) {
			t.Fatalf("%d bytes became %d and %+v: %v", len(b), len(out), s, err)
		}
		if again, s, err := Strip(out); err != nil || s.Bytes != 0 || !bytes.Equal(again, out) {
			t.Fatalf("the second time: %+v, %v", s, err)
		}
	})
}

// TestBuildCommand has a command make the module; the C sample serves as what a compiler would make.
func TestBuildCommand(t *testing.T) {
	plain, with := named(t, "name")
	dir := write(t, "module = \"a.wasm\"\n[build]\ncommand = [\"cp\", \"source\", \"a.wasm\"]\n")
	check(t, os.WriteFile(filepath.Join(dir, "source"), with, 0o600))
	p, err := Open(dir)
	check(t, err)
	b, err := p.Build(t.Context())
	check(t, err)
	got, err := os.ReadFile(filepath.Join(dir, "a.wasm"))
	check(t, err)
	if !bytes.Equal(got, plain) || !bytes.Equal(b.Wasm, plain) || b.Stripped.Bytes != len(with)-len(plain) {
		t.Errorf("%d bytes, want %d; %+v", len(got), len(plain), b.Stripped)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("it leaves %q", left)
	}
}

func TestBuildFails(t *testing.T) {
	for _, tt := range []struct {
		name, build string
		is          error
		want, said  string
	}{
		{"the compiler complains", `command = ["sh", "-c", "echo main.c:3: no; exit 4"]`, ErrBuild, "exit code 4",
			"main.c:3: no"},
		{"no such compiler", `command = ["no-such-compiler"]`, ErrNoTools, "not in PATH", ""},
		{"it makes nothing", `command = ["true"]`, ErrBuild, "did not make", ""},
		{"it makes no module", `command = ["sh", "-c", "echo text > a.wasm"]`, nil, "not a wasm module", ""},
		{"no source", `source = "main.c"`, nil, "no such file", ""},
		{"a source that nothing builds", `source = "main.cob"`, nil, "no known tool builds that", ""},
		{"nothing to do", ``, nil, "say what makes a.wasm", ""},
		{"it says too much", `command = ["sh", "-c", "yes | head -c 1000000; echo end; exit 1"]`, ErrBuild,
			"exit code 1", "...\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Open(write(t, "module = \"a.wasm\"\n[build]\n"+tt.build+"\n"))
			check(t, err)
			b, err := p.Build(t.Context())
			if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v; want %v, %q", err, tt.is, tt.want)
			}
			if !strings.HasPrefix(string(b.Said), tt.said) || len(b.Said) > keepOutput+10 {
				t.Errorf("it said %.100q, %d bytes", b.Said, len(b.Said))
			}
		})
	}
}

// TestBuildEnds ends builds that do not end by themselves, with all that they have started.
func TestBuildEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		ctx  func() (context.Context, context.CancelFunc)
		is   func(error) bool
	}{
		{"its time is up", func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 100*time.Millisecond)
		},
			func(err error) bool { return protocol.CodeOf(err) == protocol.CodeTimeout }},
		{"interrupted", func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(100*time.Millisecond, cancel)
			return ctx, cancel
		}, func(err error) bool { return errors.Is(err, context.Canceled) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Open(write(t, "module = \"a.wasm\"\n[build]\ncommand = [\"sh\", \"-c\", \"sleep 1000 & sleep 1000\"]\n"))
			check(t, err)
			ctx, cancel := tt.ctx()
			defer cancel()
			begin := time.Now()
			if _, err := p.Build(ctx); !tt.is(err) {
				t.Errorf("error %v", err)
			}
			if took := time.Since(begin); took > 30*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// TestNoTools looks for tools where there are none, and where they do not do.
func TestNoTools(t *testing.T) {
	bin := t.TempDir()
	sh, err := os.ReadFile("/bin/sh")
	check(t, err)
	check(t, os.WriteFile(filepath.Join(bin, "sh"), sh, 0o700))
	t.Setenv("PATH", bin)
	t.Setenv("RUSTC", filepath.Join(bin, "rustc"))
	for _, v := range []string{"CC", "CXX", "GO", "ZIG", "ASC", "NIM", "WASI_SDK_PATH"} {
		t.Setenv(v, "")
	}
	for lang, want := range map[string]string{
		"go": "apt-get install golang-go", "c": "apt-get install clang-14", "zig": "zig is not installed",
		"as": "npm install -g assemblyscript",
	} {
		p := begin(t, lang)
		if _, err := p.Build(t.Context()); !errors.Is(err, ErrNoTools) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", lang, err, want)
		}
	}
	check(t, os.WriteFile(filepath.Join(bin, "clang-14"), []byte("#!/bin/sh\necho no target wasm32\nexit 1\n"), 0o700))
	p := begin(t, "c")
	if _, err := p.Build(t.Context()); !errors.Is(err, ErrNoTools) ||
		!strings.Contains(err.Error(), "clang-14: exit code 1: no target wasm32") {
		t.Errorf("a clang without wasm: %v", err)
	}
}

func TestOutput(t *testing.T) {
	dir := write(t, "module = \"a.wasm\"\n")
	check(t, os.WriteFile(filepath.Join(dir, ".gitignore"),
		[]byte("# made\n*.o\n/out/\nsub/gen.c\n\n!keep.o\n[\n"), 0o600))
	p, err := Open(dir)
	check(t, err)
	for file, want := range map[string]bool{
		"a.wasm": true, "b.wasm": false, "x.o": true, "sub/x.o": true, "out": true, "sub/out": false,
		"sub/gen.c": true, "gen.c": false, "main.c": false,
	} {
		if got := p.Output(filepath.Join(dir, filepath.FromSlash(file))); got != want {
			t.Errorf("Output(%q) = %t", file, got)
		}
	}
}
