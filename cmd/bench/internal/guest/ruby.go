package guest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/polyvoke/polyvoke/runtimes/module"
)

// buildRuby makes a command of the Ruby that comes by npm, without its standard library. That one is made for a
// JavaScript host: the functions that it imports from there are replaced by stubs, and a small module is
// merged in that starts the interpreter and runs the script in the environment.
func buildRuby(b *builder, g *Guest) (err error) {
	packages := []string{"@ruby/3.4-wasm-wasi@2.10.1", "binaryen@132.0.0"}
	ruby := "node_modules/@ruby/3.4-wasm-wasi/dist/ruby.wasm"
	if _, err := os.Stat(b.path(ruby)); err != nil {
		args := []string{"install", "--prefix", ".", "--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit",
			"--no-fund"}
		if err := b.run(nil, "npm", append(args, packages...)...); err != nil {
			return err
		}
	}
	g.Env = []string{"RUBY_SOURCE=$stdout.write($stdin.read)"}
	g.Wasm, err = b.once("ruby.wasm", func(out string) error { return b.mergeRuby(ruby, out) }, ruby)
	return err
}

// mergeRuby merges the interpreter with what it lacks.
func (b *builder) mergeRuby(ruby, out string) error {
	binary, err := os.ReadFile(b.path(ruby))
	if err != nil {
		return err
	}
	m, err := module.Parse(binary)
	if err != nil {
		return err
	}
	texts := stubs(m)
	if texts["shim"], err = shim(m); err != nil {
		return err
	}
	features := []string{"--enable-bulk-memory", "--enable-mutable-globals", "--enable-sign-ext",
		"--enable-nontrapping-float-to-int"}
	merge := append(features, ruby, "ruby")
	for name, text := range texts {
		if err := os.WriteFile(b.path(name+".wat"), []byte(text), 0o644); err != nil {
			return err
		}
		if err := b.tool("wasm-as", "--enable-bulk-memory", name+".wat", "-o", name+".wasm"); err != nil {
			return err
		}
		merge = append(merge, name+".wasm", name)
	}
	return b.tool("wasm-merge", append(merge, "-o", out)...)
}

// tool runs a tool of binaryen.
func (b *builder) tool(name string, args ...string) error {
	return b.run(nil, filepath.Join(b.dir, "node_modules/.bin", name), args...)
}

// stubs returns a module as text for each one that is imported and is not WASI. Its functions trap, but for
// those that hand a JavaScript object through.
func stubs(m *module.Module) map[string]string {
	texts := map[string]string{}
	for _, i := range m.Imports {
		if i.Module == "wasi_snapshot_preview1" {
			continue
		}
		body := "unreachable"
		switch {
		case strings.HasPrefix(i.Name, "resource_new"), strings.HasPrefix(i.Name, "resource_get"):
			body = "local.get 0"
		case strings.HasPrefix(i.Name, "resource_drop"):
			body = ""
		}
		texts[i.Module] += fmt.Sprintf("  (func (export %q) %s %s)\n", i.Name, wat(i.Signature), body)
	}
	for name, functions := range texts {
		texts[name] = "(module\n" + functions + ")\n"
	}
	return texts
}

// wat turns a signature such as "(i32, i32) -> (i32)" into the text format's.
func wat(signature string) string {
	params, results, _ := strings.Cut(signature, "->")
	list := func(kind, s string) string {
		s = strings.ReplaceAll(strings.Trim(strings.TrimSpace(s), "()"), ",", "")
		if s == "" {
			return ""
		}
		return "(" + kind + " " + s + ")"
	}
	return list("param", params) + " " + list("result", results)
}

// rubyMain is what the interpreter runs. exit! leaves without what at_exit would do.
const rubyMain = `begin
  eval(ENV["RUBY_SOURCE"], TOPLEVEL_BINDING, "function.rb")
  $stdout.flush
  Process.exit!(0)
rescue Exception => e
  $stderr.write(e.full_message(highlight: false))
  Process.exit!(70)
end
`

// shim returns the text of a module whose _start boots the interpreter and runs rubyMain. What it passes on is
// allocated by the interpreter, which frees it.
func shim(m *module.Module) (string, error) {
	imports, err := rubyExports(m)
	if err != nil {
		return "", err
	}
	args := []string{"ruby\x00", "--disable-gems\x00", "-EUTF-8\x00", "-e_=0\x00"}
	var start strings.Builder
	offset := 0
	for i, a := range args {
		fmt.Fprintf(&start, "    (i32.store offset=%d (local.get $list) (call $new (i32.const %d) (i32.const %d)))\n",
			8*i, offset, len(a))
		fmt.Fprintf(&start, "    (i32.store offset=%d (local.get $list) (i32.const %d))\n", 8*i+4, len(a))
		offset += len(a)
	}
	text := strings.Join(args, "") + rubyMain
	return fmt.Sprintf(`(module
%s  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "ruby" "memory" (memory 0))
  (data $text "%s")
  (func $new (param $from i32) (param $len i32) (result i32) (local $p i32)
    (local.set $p (call $alloc (i32.const 0) (i32.const 0) (i32.const 1) (local.get $len)))
    (memory.init $text (local.get $p) (local.get $from) (local.get $len))
    (local.get $p))
  (func (export "_start") (local $list i32)
    (call $init)
    (local.set $list (call $alloc (i32.const 0) (i32.const 0) (i32.const 4) (i32.const %d)))
%s    (call $ruby (local.get $list) (i32.const %d))
    (call $path)
    (drop (call $eval (call $new (i32.const %d) (i32.const %d)) (i32.const %d)))
    (call $exit (i32.const 71))))
`, imports, watString(text), 8*len(args), start.String(), len(args), offset, len(rubyMain), len(rubyMain)), nil
}

// rubyExports returns the imports by which the shim reaches the interpreter. Some names go on with their type.
func rubyExports(m *module.Module) (string, error) {
	var text strings.Builder
	for _, want := range []struct{ local, name string }{
		{"init", "_initialize"}, {"alloc", "cabi_realloc"}, {"ruby", "ruby-init"}, {"path", "ruby-init-loadpath"},
		{"eval", "rb-eval-string-protect"},
	} {
		found := false
		for _, e := range m.Exports {
			if name, _, _ := strings.Cut(e.Name, ":"); name == want.name {
				fmt.Fprintf(&text, "  (import \"ruby\" %q (func $%s %s))\n", e.Name, want.local, wat(e.Signature))
				found = true
			}
		}
		if !found {
			return "", errors.New("the interpreter exports no " + want.name)
		}
	}
	return text.String(), nil
}

// watString writes a string as the text format does.
func watString(s string) string {
	var out strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&out, `\%02x`, c)
	}
	return out.String()
}
