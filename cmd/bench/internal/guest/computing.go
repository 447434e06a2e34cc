package guest

import (
	"fmt"
	"path/filepath"
)

// Computing returns the loads that compute: those on which metering was designed, and Ruby. Each takes some ten to some
// hundred milliseconds, so that the start of the process hardly counts.
func Computing() []Load {
	c := func(name, arg, want string) Load {
		return Load{Name: "C " + name, Small: true, build: cLoad(arg, want)}
	}
	g := func(name, arg, want string) Load { return Load{Name: "Go " + name, build: goLoad(arg, want)} }
	return []Load{
		c("tight loop", "loop", "20000000"), c("fib(32)", "fib", "2178309"), c("SHA-256", "sha256", "7d212b9c"),
		c("JSON", "json", "499500"),
		g("fib(32)", "fib", "2178309"), g("SHA-256", "sha256", "7d212b9c"), g("encoding/json", "json", "499500"),
		{Name: "QuickJS: calls, JSON, Map", build: quickJSLoad},
		{Name: "Ruby: calls, Hash, gsub, map", build: rubyLoad},
	}
}

// Load is a guest that computes.
type Load struct {
	Name     string
	Language string // of Programs
	Small    bool   // it is quickly compiled
	build    func(dir string) (*Guest, error)
}

// Build returns the guest, built in a folder of dir.
func (l Load) Build(dir string) (*Guest, error) {
	g, err := l.build(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.Name, err)
	}
	return g, nil
}

// cLoad builds one part of the program in C.
func cLoad(arg, want string) func(string) (*Guest, error) {
	return func(dir string) (*Guest, error) {
		b, err := newBuilder(filepath.Join(dir, "c-loads"), "cloads")
		if err != nil {
			return nil, err
		}
		wasm, err := b.once("loads.wasm", func(out string) error {
			return b.run(nil, "clang-14", "--target=wasm32-wasi", "-O2", "-Wl,-s", "loads.c", "-o", out)
		}, "loads.c")
		return &Guest{Name: "C", Wasm: wasm, Args: []string{"fn", arg}, Want: []byte(want)}, err
	}
}

// goLoad builds one part of the program in Go.
func goLoad(arg, want string) func(string) (*Guest, error) {
	return func(dir string) (*Guest, error) {
		b, err := newBuilder(filepath.Join(dir, "go-loads"), "goloads")
		if err != nil {
			return nil, err
		}
		g := &Guest{Name: "Go", Args: []string{"fn", arg}, Want: []byte(want)}
		return g, buildGo(b, g)
	}
}

// quickJSLoad is a script for the interpreter.
func quickJSLoad(dir string) (*Guest, error) {
	g, err := Recipe{"QuickJS", "quickjs", buildQuickJS}.Build(dir)
	if err != nil {
		return nil, err
	}
	return script(g, "JS_SOURCE", "src/scripts/load.js")
}

// rubyLoad is a script for the interpreter.
func rubyLoad(dir string) (*Guest, error) {
	g, err := Recipe{"Ruby", "", buildRuby}.Build(dir)
	if err != nil {
		return nil, err
	}
	return script(g, "RUBY_SOURCE", "src/scripts/load.rb")
}

// script gives an interpreter a script that writes "ok".
func script(g *Guest, variable, file string) (*Guest, error) {
	text, err := sources.ReadFile(file)
	if err != nil {
		return nil, err
	}
	g.Env, g.Body, g.Want = []string{variable + "=" + string(text)}, nil, []byte("ok")
	return g, nil
}
