//go:build runtimes

package samples_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"
)

// A quickjs runs scripts with the runtime that runtimes/script/recipe/javascript builds, as plain WASI processes.
// The folder of the bundles is named by RUNTIMES.
type quickjs struct {
	t       *testing.T
	runtime wazero.Runtime
	module  wazero.CompiledModule
}

// A script is source files by their path below /script, and the one that is run.
type script struct {
	entry string
	files map[string]string
	check bool // only the syntax
}

// A call is what a process gets.
type call struct {
	args  []string // behind the function's name
	env   [2]string
	stdin []byte
}

func bundle(t *testing.T, name, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(os.Getenv("RUNTIMES"), name, file))
	if err != nil {
		t.Fatalf("%v: build the recipe %s into $RUNTIMES/%[2]s", err, name)
	}
	return data
}

func newQuickJS(t *testing.T, pages uint32) quickjs {
	t.Helper()
	return newQuickJSFrom(t, bundle(t, "javascript", "runtime.wasm"), pages)
}

func newQuickJSFrom(t *testing.T, wasm []byte, pages uint32) quickjs {
	t.Helper()
	ctx := context.Background()
	config := wazero.NewRuntimeConfigCompiler().WithCompilationCache(compiled).WithMemoryLimitPages(pages).
		WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall | experimental.CoreFeaturesExtendedConst | experimental.CoreFeaturesExceptionHandling)
	r := wazero.NewRuntimeWithConfig(ctx, config)
	t.Cleanup(func() { r.Close(ctx) })
	wasi_snapshot_preview1.MustInstantiate(ctx, r)
	m, err := r.CompileModule(ctx, wasm)
	if err != nil {
		t.Fatal(err)
	}
	return quickjs{t, r, m}
}

// folder writes the files of a script to a new folder, and what tells the runtime about it.
func (q quickjs) folder(s script) string {
	q.t.Helper()
	dir := q.t.TempDir()
	write := func(name, content string) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			q.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			q.t.Fatal(err)
		}
	}
	for name, content := range s.files {
		write(name, content)
	}
	write(".polyvoke/entry", s.entry+"\n")
	if s.check {
		write(".polyvoke/check", "")
	}
	return dir
}

func (q quickjs) config(dir string, c call, stdin io.Reader, stdout, stderr io.Writer) wazero.ModuleConfig {
	config := wazero.NewModuleConfig().WithName("").WithArgs(append([]string{"sample"}, c.args...)...).
		WithStdin(stdin).WithStdout(stdout).WithStderr(stderr).WithSysWalltime().WithSysNanotime().
		WithFSConfig(wazero.NewFSConfig().WithReadOnlyDirMount(dir, "/script"))
	if c.env[0] != "" {
		config = config.WithEnv(c.env[0], c.env[1])
	}
	return config
}

func (q quickjs) run(dir string, c call) outcome {
	q.t.Helper()
	var stdout, stderr bytes.Buffer
	m, err := q.runtime.InstantiateModule(q.t.Context(), q.module, q.config(dir, c, bytes.NewReader(c.stdin), &stdout, &stderr))
	if m != nil {
		defer m.Close(q.t.Context())
	}
	return q.outcome(err, &stdout, &stderr)
}

func (q quickjs) outcome(err error, stdout, stderr *bytes.Buffer) outcome {
	q.t.Helper()
	var exit *sys.ExitError
	if err != nil && !errors.As(err, &exit) {
		q.t.Errorf("trap: %v", err)
		return outcome{stdout.String(), stderr.String(), -1}
	}
	return outcome{stdout.String(), stderr.String(), int(exitCode(exit))}
}

// runSource runs a script of one file.
func (q quickjs) runSource(source string, c call) outcome {
	q.t.Helper()
	return q.run(q.folder(script{entry: "shout.js", files: map[string]string{"shout.js": source}}), c)
}

func (q quickjs) checkVectors(dir string, vectors []vector) {
	q.t.Helper()
	for _, v := range vectors {
		began := time.Now()
		judge(q.t, v, q.run(dir, call{args: v.Args, stdin: v.body()}))
		if d := time.Since(began); d > time.Second {
			q.t.Logf("%s: %v", v.About, d)
		}
	}
}

// judge holds the outcome of a vector to it, as sandbox.check does.
func judge(t *testing.T, v vector, got outcome) {
	t.Helper()
	if got.exit != v.Exit || got.stdout != v.Stdout {
		t.Errorf("%s: exit %d, want %d; stdout %s, want %s; stderr %s", v.About, got.exit, v.Exit, brief(got.stdout), brief(v.Stdout), brief(got.stderr))
	}
	if v.Log != "" && got.stderr != v.Log {
		t.Errorf("%s: stderr %s, want %s", v.About, brief(got.stderr), brief(v.Log))
	}
	if v.Exit != 0 && !badInput.MatchString(got.stderr) {
		t.Errorf("%s: stderr %s, want one line that starts with \"bad input: \"", v.About, brief(got.stderr))
	}
}

func readSample(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestJavaScriptGreet(t *testing.T) {
	q := newQuickJS(t, 2048)
	dir := q.folder(script{entry: "greet.js", files: map[string]string{"greet.js": readSample(t, "greet/js/greet.js")}})
	q.checkVectors(dir, append(readVectors(t, "greet/vectors.json"), largeVectors()...))
}

func TestJavaScript(t *testing.T) {
	q := newQuickJS(t, 1024)
	for _, c := range []struct {
		name, source   string
		call           call
		stdout, stderr string
		exit           int
	}{
		{"print", `print("a", 1, [2])`, call{}, "a 1 2\n", "", 0},
		{"console", `console.log("a", {b: [1, "x", null], c: new Map([[1, {d: 2}]])}, -0, 5n, () => 1)`, call{}, "",
			"a { b: [ 1, \"x\", null ], c: Map(1) { 1 => { d: 2 } } } -0 5n [Function: (anonymous)]\n", 0},
		{"circular", `const a = {}; a.a = a; console.error(a, class A {}, Symbol("s"), new Uint8Array(2))`, call{}, "",
			"{ a: [Circular] } [class: A] Symbol(s) Uint8Array(2) [ 0, 0 ]\n", 0},
		{"read as string", `import * as std from "std"; std.out.puts(std.in.readAsString(), std.in.eof())`, call{stdin: []byte("h\u00e4\xff\x00z")}, "h\u00e4\ufffd\x00ztrue", "", 0},
		{"read some", `import * as std from "std"; print(std.in.readAsString(3), std.in.getByte(), std.in.getline(), std.in.getline(), std.in.getline(), std.in.getByte())`,
			call{stdin: []byte("abcd\nsecond")}, "abc 100  second  -1\n", "", 0},
		{"lines", `import {in as input, out} from "std"; for (let l; (l = input.getline()) !== null;) out.puts("[", l, "]")`, call{stdin: []byte("a\n\nb\nc")}, "[a][][b][c]", "", 0},
		{"lines of nothing", `import * as std from "std"; print(std.in.getline())`, call{}, "\n", "", 0},
		{"bytes", `import * as std from "std"; const b = new Uint8Array(std.in.readAsArrayBuffer()); b.reverse(); std.out.write(b.buffer, 1); std.out.putByte(0x141)`,
			call{stdin: []byte{1, 2, 0xff}}, "\x02\x01A", "", 0},
		{"read into a buffer", `import * as std from "std"; const b = new Uint8Array(4); print(std.in.read(b.buffer, 1, 3), b)`, call{stdin: []byte{7, 8}}, "2 0,7,8,0\n", "", 0},
		{"read outside of a buffer", `import * as std from "std"; try { std.in.read(new ArrayBuffer(4), 3, 2) } catch (e) { print(e) }`, call{}, "RangeError: position 3 and length 2 are outside of the buffer of 4 bytes\n", "", 0},
		{"no buffer", `import * as std from "std"; try { std.out.write("x") } catch (e) { print(e.name) }`, call{}, "TypeError\n", "", 0},
		{"args and environment", `import * as std from "std"; print(scriptArgs, std.getenv("K"), std.getenv("L"), JSON.stringify(std.getenviron()))`,
			call{args: []string{"x", "y z"}, env: [2]string{"K", "a=b"}}, "sample,x,y z a=b  {\"K\":\"a=b\"}\n", "", 0},
		{"exit", `import * as std from "std"; print("kept"); std.exit(66)`, call{}, "kept\n", "", 66},
		{"files", `import * as std from "std"; import * as os from "os"; print(std.loadFile("none"), std.loadFile("shout.js").length > 9, std.loadFile("/script/shout.js", {binary: true})[0], os.readdir(".")[0].includes("shout.js"), os.readdir("/none"))`,
			call{}, " true 105 true ,2\n", "", 0},
		{"files outside", `import * as std from "std"; print(std.loadFile("../../etc/passwd"), std.loadFile("/etc/passwd"))`, call{}, " \n", "", 0},
		{"text", `print(new TextEncoder().encode("\u00e4\ud800"), new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61, 0xf0, 0x90, 0x41])), new TextDecoder().decode(new Uint8Array([65, 66, 67]).subarray(1)))`,
			call{}, "195,164,239,191,189 a\ufffdA BC\n", "", 0},
		{"text that is bad", `try { new TextDecoder("utf-8", {fatal: true}).decode(new Uint8Array([0xc0])) } catch (e) { print(e) }`, call{}, "TypeError: the bytes are not UTF-8\n", "", 0},
		{"half a surrogate pair", `print("\ud800x\udc00\u{1f600}")`, call{}, "\ufffdx\ufffd\U0001f600\n", "", 0},
		{"promises", `print(await Promise.resolve(1)); Promise.resolve().then(() => print(3)); print(2)`, call{}, "1\n2\n3\n", "", 0},
		{"timers", `import * as os from "os"; setTimeout(print, 5, "c"); setTimeout(print, 0, "b"); print("a"); clearTimeout(setTimeout(print, 1, "never")); await os.sleepAsync(8);
			let n = 0; const i = setInterval(() => { print(++n); if (n == 2) clearInterval(i) }, 1)`, call{}, "a\nb\nc\n1\n2\n", "", 0},
		{"random", `print(Math.random() !== Math.random(), crypto.randomUUID().length, Date.now() > 1.7e12, new Date(0).toISOString(), performance.now() > 0)`, call{},
			"true 36 true 1970-01-01T00:00:00.000Z true\n", "", 0},
		{"an error", "\nfunction f() {\n  throw new TypeError('no')\n}\nprint('before')\nf()", call{}, "before\n",
			"shout.js:3:22: TypeError: no\n    at f (shout.js:3:22)\n    at <anonymous> (shout.js:6:2)\n", 70},
		{"an error with a cause", "throw new Error('a', {cause: new RangeError('b')})", call{}, "",
			"shout.js:1:16: Error: a\n    at <anonymous> (shout.js:1:16)\ncaused by: RangeError: b\n    at <anonymous> (shout.js:1:44)\n", 70},
		{"another value", "throw {a: 1}", call{}, "", "uncaught { a: 1 }\n", 70},
		{"null", "throw null", call{}, "", "uncaught null\n", 70},
		{"an error after await", "await null; undefined.x", call{}, "", "shout.js:1:22: TypeError: cannot read property 'x' of undefined\n    at <anonymous> (shout.js:1:22)\n", 70},
		{"a rejection", "Promise.reject(new Error('no')); print('out')", call{}, "out\n", "shout.js:1:25: Error: no\n    at <anonymous> (shout.js:1:25)\n", 70},
		{"a rejection that is handled", "const p = Promise.reject(1); await null; p.catch(print)", call{}, "1\n", "", 0},
		{"an error in a timer", "setTimeout(() => { throw 1 })", call{}, "", "uncaught 1\n", 70},
		{"a promise that stays", "print(1); await new Promise(() => {})", call{}, "1\n", "shout.js: the script awaits a promise that nothing will settle\n", 70},
		{"bad syntax", "let a = 1;\nlet b = ;\n", call{}, "", "shout.js:2:9: SyntaxError: unexpected token in expression: ';'\n    at shout.js:2:9\n", 70},
		{"deep recursion", "function f(n) { return f(n + 1) + 1 }\ntry { f(0) } catch (e) { print(e) }", call{}, "InternalError: stack overflow\n", "", 0},
		{"deep JSON", `try { JSON.parse("[".repeat(1e6)) } catch (e) { print(e) }`, call{}, "SyntaxError: stack overflow\n", "", 0},
		{"deep values", `let a = []; for (let i = 0; i < 1e5; i++) a = [a]; try { JSON.stringify(a) } catch (e) { print(e) }`, call{}, "InternalError: stack overflow\n", "", 0},
		{"deep expression", `try { eval("(".repeat(1e6)) } catch (e) { print(e) }`, call{}, "SyntaxError: stack overflow\n", "", 0},
		{"deep regular expression", `try { print(/^(?:a|ab)*c/.test("a".repeat(1e5))); new RegExp("(?:".repeat(1e6)) } catch (e) { print(e) }`, call{}, "false\nSyntaxError: stack overflow\n", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := q
			q.t = t
			if got := q.runSource(c.source, c.call); got.exit != c.exit || got.stdout != c.stdout || got.stderr != c.stderr {
				t.Errorf("exit %d, want %d; stdout %s, want %s; stderr\n%s, want\n%s", got.exit, c.exit, brief(got.stdout), brief(c.stdout), brief(got.stderr), brief(c.stderr))
			}
		})
	}
}

func TestJavaScriptMemory(t *testing.T) {
	q := newQuickJS(t, 256)
	for _, source := range []string{
		"const a = []; for (;;) a.push({})",
		"let s = 'xy'; for (;;) s += s + 'z'",
		"new ArrayBuffer(1e9)",
		"let a = null; for (;;) a = [a]",
		"import * as std from 'std'; for (const a = [];;) a.push(new Uint8Array(1e5))",
	} {
		got := q.runSource(source, call{})
		if got.exit != 70 || !strings.Contains(got.stderr, "out of memory") && !strings.Contains(got.stderr, "too long") {
			t.Errorf("%s: exit %d, stderr %s", source, got.exit, brief(got.stderr))
		}
		t.Logf("%s: %s", source, brief(got.stderr))
	}
}

func TestJavaScriptModules(t *testing.T) {
	q := newQuickJS(t, 1024)
	files := map[string]string{
		"main.mjs":          `import { up } from "./lib/up.js"; import data from "./data.json"; import "/script/side.js"; print(up("x"), data.a, import.meta.url, import.meta.main, (await import("./lib/late.js")).default)`,
		"side.js":           `print("side")`,
		"data.json":         `{"a": [1, {"b": 2}.b]}`,
		"lib/up.js":         `export { up } from "../words/up.js"`,
		"words/up.js":       `export const up = (s) => s.toUpperCase()`,
		"lib/late.js":       `export default import.meta.url`,
		"none.js":           "print(1)\nimport { x } from './none-such.js'",
		"none-inside.js":    `import "./none.js"`,
		"bare.js":           `import _ from "lodash"`,
		"out.js":            `import "../../etc/x.js"`,
		"bad.js":            "import './side.js'\n\n  let = 3 +;",
		"bad-inside.js":     `import "./bad.js"`,
		"bad-data.js":       `import d from "./data.json"`,
		"late.js":           "print(1)\nawait import('./none-such.js')",
		"no-such-export.js": `import { nothing } from "./side.js"`,
	}
	files["data.json"] = `{"a": [1, 2]}`
	for _, c := range []struct {
		entry, stdout, stderr, check string
	}{
		{"main.mjs", "side\nX 1,2 file:///script/main.mjs true file:///script/lib/late.js\n", "", ""},
		{"none.js", "", "none.js:2:19: ReferenceError: cannot import \"./none-such.js\": there is no such file\n", "none.js:2:19: cannot import \"./none-such.js\": there is no such file\n"},
		{"none-inside.js", "", "none.js:2:19: ReferenceError: cannot import \"./none-such.js\": there is no such file\n", "none.js:2:19: cannot import \"./none-such.js\": there is no such file\n"},
		{"bare.js", "", "bare.js:1:15: ReferenceError: cannot import \"lodash\": there are the modules \"std\" and \"os\", and files by a path that begins with ./ or ../\n",
			"bare.js:1:15: cannot import \"lodash\": there are the modules \"std\" and \"os\", and files by a path that begins with ./ or ../\n"},
		{"out.js", "", "out.js:1:8: ReferenceError: cannot import \"../../etc/x.js\": that is outside of the script's folder\n", "out.js:1:8: cannot import \"../../etc/x.js\": that is outside of the script's folder\n"},
		{"bad.js", "", "bad.js:3:7: SyntaxError: variable name expected\n    at bad.js:3:7\n", "bad.js:3:7: variable name expected\n"},
		{"bad-inside.js", "", "bad.js:3:7: SyntaxError: variable name expected\n    at bad.js:3:7\n", "bad.js:3:7: variable name expected\n"},
		{"late.js", "1\n", "late.js:2:14: ReferenceError: cannot import \"./none-such.js\": there is no such file\n", ""},
		{"no-such-export.js", "", "SyntaxError: Could not find export 'nothing' in module 'side.js'\n", ""},
	} {
		got := q.run(q.folder(script{entry: c.entry, files: files}), call{})
		if got.stdout != c.stdout || got.stderr != c.stderr || (got.exit == 0) != (c.stderr == "") {
			t.Errorf("%s: exit %d; stdout %s, want %s; stderr\n%s, want\n%s", c.entry, got.exit, brief(got.stdout), brief(c.stdout), brief(got.stderr), brief(c.stderr))
		}
		got = q.run(q.folder(script{entry: c.entry, files: files, check: true}), call{})
		if got.stdout != "" || got.stderr != c.check || (got.exit == 65) != (c.check != "") {
			t.Errorf("check of %s: exit %d; stdout %s; stderr\n%s, want\n%s", c.entry, got.exit, brief(got.stdout), brief(got.stderr), brief(c.check))
		}
	}
}

// atFirstRead calls a function when it is first read from.
type atFirstRead struct {
	io.Reader
	call func()
}

func (r *atFirstRead) Read(p []byte) (int, error) {
	if r.call != nil {
		r.call()
		r.call = nil
	}
	return r.Reader.Read(p)
}

// TestJavaScriptBase calls wizer.initialize as the sandbox does, and counts what a script changes of that memory up to its
// first read of stdin, and what a request changes then.
func TestJavaScriptBase(t *testing.T) {
	const page, most = 4 << 10, 256 << 10
	q := newQuickJS(t, 1024)
	ctx := t.Context()
	small := `import * as std from "std"; print("Hello, " + JSON.parse(std.in.readAsString()).name)`
	for name, source := range map[string]string{"small": small, "greet": readSample(t, "greet/js/greet.js")} {
		dir := q.folder(script{entry: "a.js", files: map[string]string{"a.js": source}})
		var m api.Module
		var base, parked []byte
		image := func() []byte {
			b, ok := m.Memory().Read(0, m.Memory().Size())
			if !ok {
				t.Fatal("memory cannot be read")
			}
			return bytes.Clone(b)
		}
		var stdout, stderr bytes.Buffer
		stdin := &atFirstRead{strings.NewReader(`{"name":"Ada"}`), func() { parked = image() }}
		m, err := q.runtime.InstantiateModule(ctx, q.module, q.config(dir, call{}, stdin, &stdout, &stderr).WithStartFunctions())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.ExportedFunction("wizer.initialize").Call(ctx); err != nil {
			t.Fatal(err)
		}
		base = image()
		_, err = m.ExportedFunction("_start").Call(ctx)
		if got := q.outcome(err, &stdout, &stderr); got.exit != 0 || !strings.Contains(got.stdout, "Hello, Ada") {
			t.Errorf("%s: exit %d, stdout %s, stderr %s", name, got.exit, got.stdout, got.stderr)
		}
		idle, served := page*changed(base, parked, page), page*changed(parked, image(), page)
		t.Logf("%s: base image %d KiB (%d KiB not zero), idle script %d KiB, a request %d KiB", name, len(base)>>10, page*changed(nil, base, page)>>10, idle>>10, served>>10)
		if idle > most {
			t.Errorf("%s: an idle script takes %d KiB, want at most %d", name, idle>>10, most>>10)
		}
	}
}

// changed counts the pages of b that differ from a; what a does not have is zero.
func changed(a, b []byte, page int) int {
	n, zero := 0, make([]byte, page)
	for at := 0; at < len(b); at += page {
		before := zero
		if at < len(a) {
			before = a[at : at+page]
		}
		if !bytes.Equal(before, b[at:at+page]) {
			n++
		}
	}
	return n
}
