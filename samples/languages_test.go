//go:build languages

package samples_test

import (
	"archive/zip"
	"bytes"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/script"
)

// A language is one that the greeting is written in. `make languages` says in the environment which ones there are,
// where the modules of those that are compiled, and where the interpreters of the others: LANGUAGES, MODULES,
// RUNTIMES.
type language struct {
	folder  string      // below greet
	name    string      // for people
	tools   string      // what makes a module of it, for people
	version string      // of that
	runtime string      // what runs it, if it is a script
	source  string      // the file, if it is a script
	module  []byte      // what is deployed
	bundle  []byte      // the interpreter, if it is a script
	info    script.Info // on the interpreter
}

// chain says how a compiled language is called, what compiles it, and how that is asked for its version: by a
// command, or in a file of the sample.
type chain struct{ name, tools, ask string }

func chains() map[string]chain {
	return map[string]chain{
		"as":     {"AssemblyScript", "asc", "$ASC --version"},
		"c":      {"C", "clang, wasi-libc", "clang-14 --version"},
		"cpp":    {"C++", "clang, libc++", "clang-14 --version"},
		"d":      {"D", "LDC, -betterC", "ldc2 --version"},
		"go":     {"Go", "Go", "go version"},
		"java":   {"Java", "TeaVM, Maven", "pom.xml"},
		"kotlin": {"Kotlin", "TeaVM, Maven", "pom.xml"},
		"nim":    {"Nim", "Nim, clang", "nim --version"},
		"ocaml":  {"OCaml", "ocamlc, clang", "ocamlc -version"},
		"rust":   {"Rust", "rustc", "/usr/bin/rustc --version"},
		"scala":  {"Scala", "TeaVM, Maven", "pom.xml"},
		"swift":  {"Swift", "Embedded Swift", "greet/swift/build.sh"},
		"zig":    {"Zig", "Zig", "$ZIG version"},
	}
}

// allLanguages returns those that LANGUAGES names.
func allLanguages(t testing.TB) []language {
	t.Helper()
	var all []language
	for _, folder := range strings.Fields(os.Getenv("LANGUAGES")) {
		all = append(all, openLanguage(t, folder))
	}
	if len(all) == 0 {
		t.Fatal("no languages: run this by `make languages`")
	}
	return all
}

// openLanguage reads what one has built of a language.
func openLanguage(t testing.TB, folder string) language {
	t.Helper()
	if _, err := os.Stat(filepath.Join("greet", folder, "build.sh")); err == nil {
		return compiledLanguage(t, folder)
	}
	matches, err := filepath.Glob(filepath.Join("greet", folder, "greet.*"))
	if err != nil || len(matches) != 1 {
		t.Fatalf("greet/%s has neither build.sh nor one file greet.*, error %v", folder, err)
	}
	l := language{folder: folder, runtime: folder, source: filepath.Base(matches[0])}
	switch folder {
	case "js":
		l.runtime = "javascript"
	case "ts":
		l.runtime = "typescript"
	}
	l.bundle = built(t, "RUNTIMES", l.runtime+".runtime.zip")
	if l.info, err = script.ParseInfo(l.bundle); err != nil {
		t.Fatalf("%s: %v", folder, err)
	}
	l.name, l.tools, l.version = l.info.Language, "runtime "+l.runtime, l.info.Version
	if l.module, err = script.Pack(os.DirFS(filepath.Dir(matches[0])), l.source, nil); err != nil {
		t.Fatalf("%s: %v", folder, err)
	}
	return l
}

// compiledLanguage reads the module of one that is compiled.
func compiledLanguage(t testing.TB, folder string) language {
	t.Helper()
	c, ok := chains()[folder]
	if !ok {
		c = chain{name: folder}
	}
	return language{folder: folder, name: c.name, tools: c.tools, version: c.versionOf(t, folder),
		module: built(t, "MODULES", folder+".wasm")}
}

// built reads a file of the folder that a variable names.
func built(t testing.TB, variable, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(os.Getenv(variable), name))
	if err != nil {
		t.Fatalf("%v: run this by `make languages`, which builds it and sets %s", err, variable)
	}
	return b
}

var (
	versionForm = regexp.MustCompile(`\d+\.\d+(\.\d+)*`)
	teavmForm   = regexp.MustCompile(`<teavm>([^<]+)</teavm>`)
	swiftForm   = regexp.MustCompile(`(?m)^swift=([0-9.]+)`)
)

// versionOf asks a tool chain for its version. It is empty where nobody knows.
func (c chain) versionOf(t testing.TB, folder string) string {
	if c.ask == "pom.xml" {
		b, err := os.ReadFile(filepath.Join("greet", folder, c.ask))
		if m := teavmForm.FindSubmatch(b); err == nil && m != nil {
			return string(m[1])
		}
		return ""
	}
	if path.Base(c.ask) == "build.sh" {
		b, err := os.ReadFile(c.ask)
		if m := swiftForm.FindSubmatch(b); err == nil && m != nil {
			return string(m[1])
		}
		return ""
	}
	words := strings.Fields(os.ExpandEnv(c.ask))
	if len(words) == 0 {
		return ""
	}
	out, err := exec.CommandContext(t.Context(), words[0], words[1:]...).Output()
	if err != nil {
		t.Logf("%s: %v", c.ask, err)
	}
	return versionForm.FindString(string(out))
}

// interpreterSize returns the bytes of the interpreter's module, and of the files that belong to it.
func (l language) interpreterSize(t testing.TB) (module, files uint64) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(l.bundle), int64(len(l.bundle)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		switch {
		case strings.HasSuffix(f.Name, ".wasm"):
			module += f.UncompressedSize64
		case strings.HasPrefix(f.Name, "files/"):
			files += f.UncompressedSize64
		}
	}
	return module, files
}

// sourceSize returns the bytes of the script.
func (l language) sourceSize(t testing.TB) int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("greet", l.folder, l.source))
	if err != nil {
		t.Fatal(err)
	}
	return len(b)
}

// TestLanguages has every language answer the same requests, as functions that are deployed on a NATS server and
// served by an invoker. Bodies that are too large for a message go as objects.
func TestLanguages(t *testing.T) {
	s := newService(t)
	vectors := append(readVectors(t, "greet/vectors.json"), largeVectors()...)
	for _, l := range allLanguages(t) {
		t.Run(l.folder, func(t *testing.T) {
			t.Parallel()
			s := s.in(t)
			s.deploy(l)
			defer s.remove(l)
			for _, v := range vectors {
				s.check(l, v)
			}
		})
	}
}

// openQuote reads the sample quote in a language.
func openQuote(t testing.TB, l language) language {
	t.Helper()
	if l.runtime == "" {
		l.module = built(t, "MODULES", "quote-"+l.folder+".wasm")
		return l
	}
	matches, err := filepath.Glob(filepath.Join("quote", l.folder, "quote.*"))
	if err != nil || len(matches) != 1 {
		t.Fatalf("quote/%s has no one file quote.*, error %v", l.folder, err)
	}
	l.source = filepath.Base(matches[0])
	if l.module, err = script.Pack(os.DirFS(filepath.Dir(matches[0])), l.source, nil); err != nil {
		t.Fatalf("%s: %v", l.folder, err)
	}
	return l
}

// TestQuotes calls a program in every language that draws a random number and ends without reading its request. No
// two calls may give the same number, and no process may have been started before its call.
func TestQuotes(t *testing.T) {
	s := newService(t)
	for _, l := range allLanguages(t) {
		t.Run(l.folder, func(t *testing.T) {
			t.Parallel()
			s, l := s.in(t), openQuote(t, l)
			s.deploy(l)
			defer s.remove(l)
			drawn := map[string]bool{}
			for n := range 10 {
				r := s.call(&protocol.Request{Function: protocol.Ref{Name: l.folder}, Report: true, Body: []byte("not read")})
				number, _, ok := strings.Cut(strings.ReplaceAll(string(r.Body), "\t", " "), " ")
				if r.Err != nil || !ok || len(number) < 5 || drawn[number] {
					t.Errorf("call %d: got %q (%s was drawn before: %t), error %v", n, r.Body, number, drawn[number], r.Err)
				}
				drawn[number] = true
				if kind := r.Report.Start; kind == runtimes.StartPrefork || kind == runtimes.StartCheckpoint {
					t.Errorf("call %d: the process came to be by %s", n, kind)
				}
			}
			for _, kind := range []string{runtimes.StartPrefork, runtimes.StartCheckpoint} {
				f := protocol.Function{Name: l.folder, Runtime: l.runtime, Start: kind}
				if _, err := s.client.Deploy(t.Context(), f, l.module); protocol.CodeOf(err) != protocol.CodeRefused {
					t.Errorf("start = %q: got %v, want code 422", kind, err)
				}
			}
		})
	}
}
