// Package samples holds the sample functions of polyvoke: the same greeting in seven languages, two that do real
// work, and five in five languages that an order passes through. Each is a plain program that reads a request on
// stdin and writes its reply on stdout; none knows polyvoke. README.md says what each one does and how to rebuild it.
//
// The modules of the compiled languages are part of this package. The Go samples are built by the Go
// of the machine, from sources that are part of it too: they are megabytes where the others are
// kilobytes.
package samples

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// The patterns are exact, so that a Go sample built in its folder does not get in.
//
//go:embed greet/c/greet.wasm greet/cpp/greet.wasm greet/rust/greet.wasm greet/as/greet.wasm
//go:embed greet/zig/greet.wasm greet/nim/greet.wasm wordcount/rust/wordcount.wasm
//go:embed greet/go/*.go thumbnail/go/*.go thumbnail/request.png
//go:embed greet/*/greet.[^w]* greet/*/build.sh greet/nim/glue.c greet/nim/setjmp.h greet/ocaml/wasi greet/swift/glue.*
//go:embed greet/java/pom.xml greet/java/src greet/kotlin/pom.xml greet/kotlin/src greet/scala/pom.xml greet/scala/src
var files embed.FS

// ErrNoGo is returned by Build when the machine has no Go to build a Go sample with.
var ErrNoGo = errors.New("no go command found: install Go 1.22 or later and put it in PATH")

// A Sample is one function, ready to run or to build.
type Sample struct {
	Name     string // of the function, such as "greet-rust"
	Language string // it is written in, such as "Rust"
	What     string // it does, in a few words

	Wasm     []byte // the module; nil if it is built from GoSource
	GoSource fs.FS  // the files of package main; nil if Wasm or Script is there
	Script   fs.FS  // the files of a script; nil if it is none
	Entry    string // of them, the one to run
	Runtime  string // what runs it
	Slow     bool   // it takes seconds more to build and to deploy than others: a demonstration shows it only if asked to

	Requests []Request // that show what it does, good ones first
}

// A Request is one call of a sample and what comes of it.
type Request struct {
	Args []string // behind the function's name; nil for none
	Body []byte   // stdin
	Want []byte   // stdout; nil where the bytes depend on the version of the compiler
	Exit int      // the exit code
}

// All returns the samples in the order in which a demonstration shows them. The caller owns all of it.
func All() []Sample {
	return []Sample{
		greet("go", "Go", nil),
		greet("c", "C", file("greet/c/greet.wasm")),
		greet("cpp", "C++", file("greet/cpp/greet.wasm")),
		greet("rust", "Rust", file("greet/rust/greet.wasm")),
		greet("as", "AssemblyScript", file("greet/as/greet.wasm")),
		greet("zig", "Zig", file("greet/zig/greet.wasm")),
		greet("nim", "Nim", file("greet/nim/greet.wasm")),
		{
			Name: "thumbnail", Language: "Go", What: "PNG or JPEG in, small PNG out",
			GoSource: source("thumbnail/go"), Slow: true,
			Requests: []Request{
				{Args: []string{"64"}, Body: file("thumbnail/request.png")},
				{Body: []byte("no image"), Exit: 65},
			},
		},
		{
			Name: "wordcount", Language: "Rust", What: "text in, its most frequent words out",
			Wasm: file("wordcount/rust/wordcount.wasm"),
			Requests: []Request{{
				Body: []byte("The cat saw the dog.\nThe dog didn't see the cat.\n"),
				Want: []byte(`{"lines":2,"words":11,"bytes":49,"top":[["the",4],["cat",2],["dog",2],` +
					`["didn't",1],["saw",1],["see",1]]}` + "\n"),
			}},
		},
	}
}

// ScriptFor returns the greeting as a script for a runtime with a name, whose scripts have such extensions, and are
// in a language. ok is false if there is none.
func ScriptFor(runtime, language string, extensions []string) (s Sample, ok bool) {
	for _, pattern := range append([]string{"." + "*"}, extensions...) {
		dir := "*"
		if pattern == ".*" { // its folder has its name
			dir = runtime
		}
		found, err := fs.Glob(files, "greet/"+dir+"/greet"+pattern)
		if err != nil || len(found) != 1 || compiled(path.Dir(found[0])) {
			continue
		}
		s = greeting(path.Base(path.Dir(found[0])), language)
		s.Script, s.Entry, s.Runtime = source(path.Dir(found[0])), path.Base(found[0]), runtime
		return s, true
	}
	return Sample{}, false
}

// compiled reports whether the contents of a folder are built.
func compiled(dir string) bool {
	_, err := fs.Stat(files, dir+"/build.sh")
	return err == nil
}

// greet is the greeting in one language; built from Go where wasm is nil.
func greet(lang, language string, wasm []byte) Sample {
	s := greeting(lang, language)
	s.Wasm = wasm
	if wasm == nil {
		s.GoSource = source("greet/" + lang)
	}
	return s
}

// greeting is what the greeting is in any language.
func greeting(lang, language string) Sample {
	return Sample{
		Name: "greet-" + lang, Language: language, What: "JSON in, greeting out",
		Requests: []Request{
			{Body: []byte(`{"name":"Ada"}`), Want: []byte(`{"greeting":"Hello, Ada!"}` + "\n")},
			{Body: []byte(`{"name":7}`), Want: []byte{}, Exit: 65},
		},
	}
}

// file returns a copy of a file of this package. It panics if there is none of that name: the names are
// constants here and in the patterns above, and every test of this package would fail.
func file(name string) []byte {
	return read(files, name)
}

func read(from embed.FS, name string) []byte {
	data, err := from.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return data
}

func source(dir string) fs.FS {
	sub, err := fs.Sub(files, dir)
	if err != nil {
		panic(err)
	}
	return sub
}

// Build returns the module: Wasm as it is, or what the Go of this machine makes of GoSource. See the
// function Build.
func (s Sample) Build(ctx context.Context) ([]byte, error) {
	modules, err := Build(ctx, s)
	if err != nil {
		return nil, err
	}
	return modules[0], nil
}

// Build returns the modules of samples, in their order: Wasm as it is, nil for a script, and of GoSource what the Go of
// this machine makes of it, which takes seconds the first time. One go command builds all of them at once, so
// that what they share is compiled once. The same Go gives the same bytes each time, whatever is built
// together. The build reaches for no network. It returns ErrNoGo if there is no go command but
// one is needed, and the error of ctx if that ends first. Names must differ.
func Build(ctx context.Context, all ...Sample) ([][]byte, error) {
	modules := make([][]byte, len(all))
	var sources []Sample
	for i, s := range all {
		if modules[i] = s.Wasm; s.GoSource != nil {
			sources = append(sources, s)
		}
	}
	if len(sources) == 0 {
		return modules, nil
	}
	dir, err := os.MkdirTemp("", "polyvoke-samples-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = build(ctx, dir, sources)
	}
	for i, s := range all {
		if err == nil && s.GoSource != nil {
			modules[i], err = os.ReadFile(filepath.Join(dir, outFolder, s.Name))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", Names(sources), err)
	}
	return modules, nil
}

// Names lists the names of samples, for people.
func Names(all []Sample) string {
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}

// outFolder is where the modules are, in the folder of a build.
const outFolder = "out"

// build builds samples as packages of one Go module in dir, which is empty.
func build(ctx context.Context, dir string, sources []Sample) error {
	goTool, err := exec.LookPath("go")
	if err != nil {
		return ErrNoGo
	}
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o",
		outFolder + string(filepath.Separator)}
	for _, s := range sources {
		if err := os.CopyFS(filepath.Join(dir, s.Name), s.GoSource); err != nil {
			return err
		}
		args = append(args, "./"+s.Name)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module samples\n\ngo 1.22\n"), 0o600); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, goTool, args...)
	cmd.Dir = dir
	// The user's own settings must not get in the way; GOTOOLCHAIN and GOPROXY keep off the network. With GOGC=400 the
	// compiler takes more memory for a seventh less time.
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GO111MODULE=on",
		"GOFLAGS=", "GOWORK=off", "GOTOOLCHAIN=local", "GOPROXY=off", "GOGC=400")
	if said, err := cmd.CombinedOutput(); ctx.Err() != nil {
		return ctx.Err()
	} else if err != nil {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(said))
	}
	return nil
}
