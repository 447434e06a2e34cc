package guest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// memoryOfPrograms is the memory limit of each of Programs, in bytes.
const memoryOfPrograms = 1 << 30

// Toolchain says where compilers and interpreters are that no package manager puts on the path.
type Toolchain struct {
	Tools    string // the folder of samples/tools.sh
	Samples  string // the folder samples, whose scripts build modules
	Runtimes string // the folder of bundles of interpreters, NAME.runtime.zip
}

// Programs returns the loads of the suite that compares how fast engines compute. Each is a program of its own, of some
// ten to some hundred milliseconds on the machine itself.
func Programs(t Toolchain) []Load {
	var all []Load
	add := func(language string, build func(arg, want string) func(string) (*Guest, error), loads ...string) {
		for i := 0; i < len(loads); i += 2 {
			name := language + " " + loads[i]
			all = append(all, Load{Name: name, Language: language, build: build(loads[i], loads[i+1])})
		}
	}
	add("Go", t.goProgram, "json", "ac10d4a1", "sha256", "8744b63e", "regexp", "d97cdc21", "resize", "1131882b",
		"markdown", "2b711c54", "gzip", "99025ead", "sort", "08706e16")
	add("C", t.cProgram, "sha256", "d7cfbbf43bb5fb62", "sort", "70c03e914be79e46", "bzip2", "05694351df7f2b20", "matrix",
		"6d779b4261197f0e", "wordcount", "fc0a302af5cf775c")
	add("Rust", t.rustProgram, "json", "270ee1b3cf7d457a", "nbody", "bcc9153ac74ee08b", "wordcount", "8b9565d12e0194b8")
	add("Zig", t.zigProgram, "sha256", "22552e34facb4623", "fannkuch", "0000002600011dec")
	add("AssemblyScript", t.assemblyScriptProgram, "nbody", "c0ac056b9c6bdf13", "wordcount", "90e1b42df3e17356")
	add("Java", t.javaProgram, "Interpreter", "13af803e1", "Records", "e35fe250b79bb32a")
	add("JavaScript", t.javaScriptProgram, "QuickJS", "39908c63\n")
	add("Python", t.scriptProgram("python", "main.py", "python3.13", "python3"), "CPython", "e2792315988bab10\n")
	add("Lua", t.scriptProgram("lua", "main.lua", "lua5.4"), "Lua", "b8b43f3a\n")
	add("Ruby", t.scriptProgram("ruby", "main.rb", "ruby"), "Ruby", "f428ff72\n")
	for i := range all {
		all[i].Small = strings.HasSuffix(all[i].Name, " sha256") || all[i].Language == "AssemblyScript" ||
			all[i].Language == "Lua"
	}
	return all
}

// program makes a builder and a guest of one load of a program.
func program(dir, source, arg, want string) (*builder, *Guest, error) {
	b, err := newBuilder(filepath.Join(dir, "compute", source), "compute/"+source)
	return b, &Guest{Name: source, Args: []string{"fn", arg}, Want: []byte(want), Memory: memoryOfPrograms}, err
}

// goProgram builds a load in Go.
func (t Toolchain) goProgram(arg, want string) func(string) (*Guest, error) {
	return func(dir string) (*Guest, error) {
		b, g, err := program(dir, "go", arg, want)
		if err != nil {
			return nil, err
		}
		return g, buildGo(b, g)
	}
}

// compiled builds a module and a program for this machine of one source.
func compiled(b *builder, g *Guest, source string, module, native func(out string) error) (*Guest, error) {
	var err error
	if g.Wasm, err = b.once("loads.wasm", module, source); err != nil {
		return nil, err
	}
	g.Native, err = b.once("loads", native, source)
	return g, err
}

// cProgram builds a load in C.
func (t Toolchain) cProgram(arg, want string) func(string) (*Guest, error) {
	return func(dir string) (*Guest, error) {
		b, g, err := program(dir, "c", arg, want)
		if err != nil {
			return nil, err
		}
		return compiled(b, g, "loads.c", func(out string) error {
			err := b.run(nil, "clang-14", "--target=wasm32-wasi", "-O2", "-c", "loads.c", "-o", "loads.o")
			if err != nil {
				return err
			}
			return b.run(nil, "clang-14", "--target=wasm32-wasi", "-Wl,-s", "-Wl,-z,stack-size=1048576", "loads.o", "-o", out)
		}, func(out string) error { return b.run(nil, "clang-14", "-O2", "loads.c", "-o", out) })
	}
}

// rustProgram builds a load in Rust.
func (t Toolchain) rustProgram(arg, want string) func(string) (*Guest, error) {
	return func(dir string) (*Guest, error) {
		b, g, err := program(dir, "rust", arg, want)
		if err != nil {
			return nil, err
		}
		flags := []string{"--edition", "2021", "-C", "opt-level=3", "-C", "lto", "-C", "codegen-units=1", "-C", "panic=abort",
			"-C", "strip=symbols", "loads.rs", "-o"}
		return compiled(b, g, "loads.rs", func(out string) error {
			return b.run(nil, "/usr/bin/rustc", append([]string{"--target", "wasm32-wasi"}, append(flags, out)...)...)
		}, func(out string) error { return b.run(nil, "/usr/bin/rustc", append(flags, out)...) })
	}
}

// zigProgram builds a load in Zig.
func (t Toolchain) zigProgram(arg, want string) func(string) (*Guest, error) {
	return func(dir string) (*Guest, error) {
		b, g, err := program(dir, "zig", arg, want)
		if err != nil {
			return nil, err
		}
		build := func(out string, more ...string) error {
			args := []string{"build-exe", "loads.zig", "-O", "ReleaseFast", "-fstrip", "--cache-dir", b.path("cache"),
				"--global-cache-dir", b.path("cache"), "-femit-bin=" + out}
			return b.run(nil, filepath.Join(t.Tools, "zig/bin/zig"), append(args, more...)...)
		}
		return compiled(b, g, "loads.zig", func(out string) error { return build(out, "-target", "wasm32-wasi") },
			func(out string) error { return build(out) })
	}
}

// assemblyScriptProgram builds a load in AssemblyScript, which has no form for this machine.
func (t Toolchain) assemblyScriptProgram(name, want string) func(string) (*Guest, error) {
	return func(dir string) (*Guest, error) {
		b, g, err := program(dir, "as", name, want)
		if err != nil {
			return nil, err
		}
		g.Wasm, err = b.once(name+".wasm", func(out string) error {
			asc := filepath.Join(t.Tools, "assemblyscript/node_modules/.bin/asc")
			return b.run(nil, asc, name+".ts", "-O3", "--runtime", "incremental", "--exportStart", "_start", "--use", "abort=",
				"-o", out)
		}, name+".ts", "host.ts")
		return g, err
	}
}

// javaProgram builds a class with the samples' TeaVM. For this machine it is compiled to byte code.
func (t Toolchain) javaProgram(name, want string) func(string) (*Guest, error) {
	return func(dir string) (*Guest, error) {
		b, g, err := program(dir, "java", name, want)
		if err != nil {
			return nil, err
		}
		source := "src/" + name + ".java"
		g.Wasm, err = b.once(name+".wasm", func(out string) error {
			m2 := "M2=" + filepath.Join(t.Tools, "m2")
			return b.run([]string{m2}, filepath.Join(t.Samples, "greet/java/build.sh"), out, b.path(source))
		}, source)
		if err != nil {
			return nil, err
		}
		if _, err = b.once(name+".class", func(out string) error {
			if err := b.run(nil, "javac", "-d", ".", source); err != nil {
				return err
			}
			return os.Rename(b.path(name+".class"), out)
		}, source); err != nil {
			return nil, err
		}
		g.Native, err = exec.LookPath("java")
		g.NativeArgs = []string{"-cp", b.dir, name}
		return g, err
	}
}

// scriptProgram makes a script a load, with an interpreter of a bundle. For this machine it is the first of commands
// that there is.
func (t Toolchain) scriptProgram(
	bundle, file string, commands ...string,
) func(_, want string) func(string) (*Guest, error) {
	return func(_, want string) func(string) (*Guest, error) {
		return func(dir string) (*Guest, error) {
			b, g, err := program(dir, "scripts", "", want)
			if err != nil {
				return nil, err
			}
			if err := t.interpret(b, g, bundle, file); err != nil {
				return nil, err
			}
			for _, c := range commands {
				if g.Native, err = exec.LookPath(c); err == nil {
					g.NativeArgs = []string{b.path(file)}
					break
				}
			}
			return g, nil // it may have no form for this machine
		}
	}
}

// javaScriptProgram is a script for QuickJS. For this machine the interpreter is built of the source that the other
// suites use.
func (t Toolchain) javaScriptProgram(_, want string) func(string) (*Guest, error) {
	return func(dir string) (*Guest, error) {
		g, err := t.scriptProgram("javascript", "main.js")("", want)(dir)
		if err != nil {
			return nil, err
		}
		quick, err := newBuilder(filepath.Join(dir, "quickjs"), "quickjs")
		if err == nil {
			_, err = quick.once("quickjs/quickjs.c", func(string) error { return quick.fetchQuickJS() })
		}
		if err == nil {
			g.Native, err = quick.once("quickjs.native", quick.compileNativeQuickJS, "host.c")
		}
		text, wrong := sources.ReadFile("src/compute/scripts/main.js")
		if err != nil || wrong != nil {
			g.Native = ""
			return g, wrong
		}
		g.NativeArgs = []string{"main.js"}
		g.NativeEnv = []string{"JS_SOURCE=const console = { log: (s) => write(s + \"\\n\") };\n" + string(text)}
		return g, nil
	}
}

// interpret unpacks an interpreter and lays a script beside it.
func (t Toolchain) interpret(b *builder, g *Guest, name, file string) error {
	bundle := filepath.Join(t.Runtimes, name+".runtime.zip")
	if _, err := os.Stat(bundle); err != nil {
		return fmt.Errorf("there is no %s: make runtimes builds it", filepath.Base(bundle))
	}
	home := filepath.Join(b.dir, name)
	info, err := unpack(bundle, filepath.Join(home, "bundle"))
	if err != nil {
		return err
	}
	script := filepath.Join(home, "script")
	text, err := os.ReadFile(b.path(file))
	if err == nil {
		err = writeAll(script, map[string][]byte{file: text, ".polyvoke/entry": []byte(file + "\n")})
	}
	if err != nil {
		return err
	}
	g.Wasm, g.Args = filepath.Join(home, "bundle/runtime.wasm"), []string{"fn"}
	if info.Args != nil {
		g.Args = nil
		for _, a := range info.Args {
			g.Args = append(g.Args, strings.ReplaceAll(a, "{entry}", "/script/"+file))
		}
	}
	for k, v := range info.Env {
		g.Env = append(g.Env, k+"="+v)
	}
	g.Dirs = []Dir{{"/script", script}}
	if library := filepath.Join(home, "bundle/files"); exists(library) {
		g.Dirs = append(g.Dirs, Dir{"/runtime", library})
	}
	return nil
}
