//go:build runtimes

package samples_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes"
)

// nodeSnippet is what a user of Node types. Its outcome must be the same as in Node.
type nodeSnippet struct {
	about  string
	file   string // its name; empty means it.js
	text   string
	files  map[string]string // beside it
	args   []string
	stdin  string // empty means nodeInput
	stdout string
	exit   int
}

// nodeInput has characters of several bytes and no newline at its end.
const nodeInput = "héllo wörld\nline two\nthrée"

// nodeSnippets returns them. The JSON of a value is what most replies are; the others are shown by console.log.
func nodeSnippets() []nodeSnippet {
	return slices.Concat([]nodeSnippet{
		{about: "readFileSync of 0", text: `const fs = require("fs"); console.log(fs.readFileSync(0, "utf8").toUpperCase())`,
			stdout: "HÉLLO WÖRLD\nLINE TWO\nTHRÉE\n"},
		{about: "readFileSync of /dev/stdin",
			text:  `const { readFileSync } = require("node:fs"); console.log(JSON.parse(readFileSync("/dev/stdin")).name)`,
			stdin: `{"name":"Ada"}`, stdout: "Ada\n"},
		{about: "import of fs", file: "it.mjs",
			text: `import fs, { readFileSync } from "node:fs"; console.log(readFileSync(0, { encoding: "utf-8" }).length, ` +
				`fs.readFileSync === readFileSync)`, stdout: "26 true\n"},
		{about: "fs/promises", file: "it.mjs",
			text:   `import { readFile } from "fs/promises"; console.log((await readFile("/dev/stdin", "utf8")).length)`,
			stdout: "26\n"},
		{about: "readFile with a callback",
			text: `require("fs").readFile("/dev/stdin", "utf8", (err, s) => console.log(err, s.length))`, stdout: "null 26\n"},
		{about: "readSync",
			text: `const b = Buffer.alloc(64); const n = require("fs").readSync(0, b, 0, 64, null); ` +
				`console.log(n, b.toString("utf8", 0, 6))`, stdout: "29 héllo\n"},
		{about: "data and end",
			text: `let s = ""; process.stdin.setEncoding("utf8"); process.stdin.on("data", (c) => s += c); ` +
				`process.stdin.on("end", () => process.stdout.write(JSON.stringify(s) + "\n"))`,
			stdout: "\"héllo wörld\\nline two\\nthrée\"\n"},
		{about: "data as buffers",
			text: `const all = []; process.stdin.on("data", (c) => all.push(c)).on("end", () => ` +
				`console.log(Buffer.concat(all).toString().split("\n")))`, stdout: "[ 'héllo wörld', 'line two', 'thrée' ]\n"},
		{about: "readable",
			text: `process.stdin.on("readable", () => { let c; while ((c = process.stdin.read()) !== null) ` +
				`process.stdout.write(c) }); process.stdin.on("end", () => { console.log("!"); process.exit(7) })`,
			stdout: nodeInput + "!\n", exit: 7},
		{about: "for await", file: "it.mjs",
			text: `let s = ""; for await (const c of process.stdin) s += c; console.log(s.length)`, stdout: "26\n"},
		{about: "for await in a function",
			text: `async function main() { const all = []; for await (const c of process.stdin) all.push(c); ` +
				`console.log(Buffer.concat(all).length) } main()`, stdout: "29\n"},
		{about: "pipe", text: `process.stdin.pipe(process.stdout)`, stdout: nodeInput},
		{about: "consumers", file: "it.mjs",
			text:  `import { json } from "node:stream/consumers"; console.log((await json(process.stdin)).name)`,
			stdin: `{"name":"Ada"}`, stdout: "Ada\n"},
		{about: "long input",
			text: `let n = 0, s = ""; process.stdin.setEncoding("utf8"); process.stdin.on("data", (c) => { n += c.length; ` +
				`s = c.slice(-1) }); process.stdin.on("end", () => console.log(n, s))`,
			stdin: strings.Repeat("aé€😀", 50_000), stdout: "250000 \ufffd\n"},
		{about: "no input",
			text:  `process.stdin.on("data", () => console.log("data")); process.stdin.on("end", () => console.log("end"))`,
			stdin: " ", stdout: "data\nend\n"},
		{about: "lines by events",
			text: `const rl = require("readline").createInterface({ input: process.stdin }); ` +
				`rl.on("line", (l) => console.log("[" + l + "]")).on("close", () => console.log("closed"))`,
			stdout: "[héllo wörld]\n[line two]\n[thrée]\nclosed\n"},
		{about: "lines by for await", file: "it.mjs",
			text: `import readline from "node:readline"; for await (const l of readline.createInterface({ input: ` +
				`process.stdin })) console.log(l.length)`, stdout: "11\n8\n5\n"},
		{about: "question",
			text: `const rl = require("readline").createInterface({ input: process.stdin, output: process.stdout }); ` +
				`rl.question("name? ", (a) => { console.log("hi " + a); rl.close() })`, stdout: "name? hi héllo wörld\n"},
	}, nodeProcess(), nodeConsole())
}

// nodeProcess is about the process, its modules and its globals.
func nodeProcess() []nodeSnippet {
	return []nodeSnippet{
		{about: "arguments",
			text: `console.log(process.argv.length, process.argv.slice(2)); const [, , first] = process.argv; ` +
				`console.log(first)`, args: []string{"x", "y z"}, stdout: "4 [ 'x', 'y z' ]\nx\n"},
		{about: "environment", file: "it.mjs",
			text: `import { env, argv } from "node:process"; console.log(env.WHO, process.env.NONE ?? "none", "WHO" in env, ` +
				`argv.slice(2))`, args: []string{"x"}, stdout: "me none true [ 'x' ]\n"},
		{about: "exit", text: `console.log("kept"); process.exit(3); console.log("never")`, stdout: "kept\n", exit: 3},
		{about: "exitCode and its event",
			text:   `process.exitCode = 4; process.on("exit", (c) => console.log("bye", c)); console.log("hi")`,
			stdout: "hi\nbye 4\n", exit: 4},
		{about: "an error that is caught",
			text: `async function main() { throw new Error("no") } main().catch((e) => { console.error(e); process.exit(1) })`,
			exit: 1},
		{about: "write",
			text: `process.stdout.write("a"); process.stdout.write(Buffer.from(" bytes\n")); ` +
				`require("fs").writeSync(1, "sync\n"); require("fs").writeFileSync("/dev/stdout", "file\n"); ` +
				`process.stdout.end("end\n")`,
			stdout: "a bytes\nsync\nfile\nend\n"},
		{about: "order",
			text: `setImmediate(() => console.log("immediate")); Promise.resolve().then(() => console.log("promise")); ` +
				`process.nextTick(() => console.log("tick")); console.log("now")`,
			stdout: "now\ntick\npromise\nimmediate\n"},
		{about: "a script with a first line for the shell", text: "#!/usr/bin/env node\n'use strict'; console.log(1)",
			stdout: "1\n"},
		{about: "sloppy mode",
			text:   `x = 5; console.log(x, this === module.exports, require.main === module, typeof __filename)`,
			stdout: "5 true true string\n"},
		{about: "return at the top", file: "it.cjs", text: "console.log(1);\nreturn;\nconsole.log(2)", stdout: "1\n"},
		{about: "files as CommonJS",
			text: `const u = require("./lib/up"); console.log(u.up("a"), require("./data.json").a, require("./lib"), ` +
				`require("./lib/up.js") === u)`, stdout: "A 1 index true\n",
			files: map[string]string{"lib/up.js": `exports.up = (s) => s.toUpperCase(); exports.other = require("./other")`,
				"lib/other.js": `module.exports = typeof require("./up").up`, "lib/index.js": `module.exports = "index"`,
				"data.json": `{"a": 1}`}},
		{about: "import of CommonJS", file: "it.mjs", text: `import up from "./up.cjs"; console.log(up("a"))`, stdout: "A\n",
			files: map[string]string{"up.cjs": `module.exports = (s) => s.toUpperCase()`}},
		{about: "createRequire", file: "it.mjs",
			text: `import { createRequire } from "module"; const require = createRequire(import.meta.url); ` +
				`console.log(require("./up.cjs")("a"))`, stdout: "A\n",
			files: map[string]string{"up.cjs": `module.exports = (s) => s.toUpperCase()`}},
		{about: "files that are not there",
			text: `try { require("fs").readFileSync("none.txt") } catch (e) { console.log(e.code, e.message) } try { ` +
				`require("./none") } catch (e) { console.log(e.code) }`,
			stdout: "ENOENT ENOENT: no such file or directory, open 'none.txt'\nMODULE_NOT_FOUND\n"},
		{about: "Buffer",
			text: `console.log(Buffer.from("aGk=", "base64").toString(), Buffer.from("hi").toString("hex"), ` +
				`Buffer.byteLength("é"), btoa("hi"), atob("aGk="), Buffer.from("ab").equals(Buffer.from("ab")), ` +
				`JSON.stringify(Buffer.from("a")), Buffer.from("hé"))`,
			stdout: "hi 6869 2 aGk= hi true {\"type\":\"Buffer\",\"data\":[97]} <Buffer 68 c3 a9>\n"},
		{about: "text in pieces",
			text: `const d = new TextDecoder(); console.log(d.decode(new Uint8Array([0xc3]), { stream: true }) + d.decode(new ` +
				`Uint8Array([0xa9])), new TextEncoder().encode("é"))`, stdout: "é Uint8Array(2) [ 195, 169 ]\n"},
		{about: "EventEmitter",
			text: `const EventEmitter = require("events"); const e = new EventEmitter(); e.once("x", (v) => console.log("x", ` +
				`v)); console.log(e.emit("x", 1), e.emit("x", 2))`, stdout: "x 1\ntrue false\n"},
	}
}

// nodeConsole is about how console.log shows values.
func nodeConsole() []nodeSnippet {
	return []nodeSnippet{
		{about: "values",
			text: `console.log({ a: 1, b: "it's", c: [1, "x", null], d: undefined, e: () => 1, f: class A {}, "g-h": -0, i: ` +
				`10n, [Symbol("s")]: { j: { k: { l: 1 } } } })`,
			stdout: "{\n  a: 1,\n  b: \"it's\",\n  c: [ 1, 'x', null ],\n  d: undefined,\n  e: [Function: e],\n" +
				"  f: [class A],\n  'g-h': -0,\n  i: 10n,\n  [Symbol(s)]: { j: { k: [Object] } }\n}\n"},
		{about: "lists",
			text: `console.log([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [, 1], [], new Set(["a"]), new Map([["k", [1]]]), new ` +
				`Date(0), /a/g)`,
			stdout: "[\n  1, 2, 3, 4,  5,\n  6, 7, 8, 9, 10\n] [ <1 empty item>, 1 ] [] Set(1) { 'a' } Map(1) { 'k' => [ 1 ] " +
				"} 1970-01-01T00:00:00.000Z /a/g\n"},
		{about: "formats",
			text: `console.log("%s is %d, %i, %j and %%", "Bob", 42.5, 42.9, { a: 1 }, "more", { b: 2 }); ` +
				`console.log("100%", 5)`, stdout: "Bob is 42.5, 42, {\"a\":1} and % more { b: 2 }\n100% 5\n"},
		{about: "circles", text: `const o = { name: "o" }; o.self = o; console.log(o)`,
			stdout: "<ref *1> { name: 'o', self: [Circular *1] }\n"},
		{about: "groups and counts",
			text: `console.group("G"); console.log("a\nb"); console.groupEnd(); console.count(); console.count("x"); ` +
				`console.info("i"); console.debug("d"); console.error("to stderr"); console.warn("too")`,
			stdout: "G\n  a\n  b\ndefault: 1\nx: 1\ni\nd\n"},
	}
}

// javascriptNode returns the snippets as cases of the interpreter, and what is said about what it has not.
func javascriptNode() []scriptCase {
	var cases []scriptCase
	for _, s := range nodeSnippets() {
		c := scriptCase{about: "node: " + s.about, entry: "it.js", text: s.text, files: s.files, args: s.args,
			stdin: nodeInput, stdout: s.stdout, exit: s.exit, says: []string{}}
		if s.file != "" {
			c.entry = s.file
		}
		if s.stdin != "" {
			c.stdin = s.stdin
		}
		cases = append(cases, c)
	}
	const packages = `: this is QuickJS and not Node: of Node's modules there are fs, process, buffer, events, module, ` +
		`readline and stream/consumers; bundle packages into one file, as esbuild --bundle --format=esm does` + "\n"
	const sockets = `: this is QuickJS and not Node: a function has no sockets, processes or threads; ` +
		`it reads its request from stdin and writes its reply to stdout` + "\n"
	return append(cases,
		scriptCase{about: "not node: a package", text: `const e = require("express")`,
			stderr: `shout.js:1:18: Error: cannot require "express"` + packages, exit: 70},
		scriptCase{about: "not node: sockets", text: `const a = 1; require("node:http")`,
			stderr: `shout.js:1:21: Error: cannot require "node:http"` + sockets, exit: 70},
		scriptCase{about: "not node: sockets by import", text: `import http from "http"`,
			refused: []string{`shout.js:1:18: cannot import "http": this is QuickJS and not Node: a function has no sockets`}},
		scriptCase{about: "not node: os of Node", text: `import os from "node:os"`,
			refused: []string{`cannot import "node:os": this is QuickJS and not Node: of Node's modules there are`}},
		scriptCase{about: "not node: fetch", text: `await fetch("http://localhost")`,
			says: []string{"shout.js:1:7: ReferenceError: 'fetch' is not defined: this is QuickJS and not Node: a function " +
				"has no network"}, exit: 70},
		scriptCase{about: "files that nobody can change",
			text:   `try { require("fs").writeFileSync("a.txt", "x") } catch (e) { print(e.message) }`,
			stdout: "EROFS: read-only file system, open 'a.txt'\n"},
		scriptCase{about: "not node: require of an ES module", text: `require("./m.js")`,
			files: map[string]string{"m.js": "export default 1"},
			stderr: "shout.js:1:8: TypeError: cannot require \"m.js\": it is an ES module: import it\n" +
				"    at <anonymous> (shout.js:1:8)\n", exit: 70},
		scriptCase{about: "CommonJS: an error in a module", text: `require("./m")`,
			files: map[string]string{"m.js": "let a = 1; null.f"},
			stderr: "m.js:1:16: TypeError: cannot read property 'f' of null\n    at <anonymous> (m.js:1:16)\n" +
				"    at <anonymous> (shout.js:1:8)\n", exit: 70},
		scriptCase{about: "CommonJS: bad syntax", entry: "it.cjs", text: "let a = 1;\nlet b = ;",
			refused: []string{"it.cjs:2:9: unexpected token in expression: ';'"}},
		scriptCase{about: "CommonJS: await at the top makes a module",
			text: `const fs = require("fs"); print(await Promise.resolve(fs.readFileSync(0, "utf8")))`, stdin: "Ada",
			stdout: "Ada\n"},
		scriptCase{about: "an error of another kind in an exit listener",
			text: `process.on("exit", () => { throw new Error("late") })`, says: []string{"Error: late"}, exit: 70},
	)
}

// TestNodeSnippets checks with the real Node that the snippets do what their expectations say.
func TestNodeSnippets(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("there is no node in PATH: make foreign-tools installs it")
	}
	for _, s := range nodeSnippets() {
		t.Run(s.about, func(t *testing.T) {
			t.Parallel()
			dir, file := t.TempDir(), s.file
			if file == "" {
				file = "it.js"
			}
			files := map[string]string{file: s.text}
			for name, text := range s.files {
				files[name] = text
			}
			for name, text := range files {
				path := filepath.Join(dir, name)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			stdin := s.stdin
			if stdin == "" {
				stdin = nodeInput
			}
			cmd := exec.Command(node, append([]string{file}, s.args...)...)
			var stdout, stderr bytes.Buffer
			cmd.Dir, cmd.Env = dir, append(os.Environ(), scriptEnvironment()...)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
			if err := cmd.Run(); err != nil && cmd.ProcessState.ExitCode() < 0 {
				t.Fatal(err)
			}
			if got := cmd.ProcessState.ExitCode(); got != s.exit || stdout.String() != s.stdout {
				t.Errorf("Node: exit %d, want %d; stdout %s, want %s; stderr\n%s", got, s.exit, brief(stdout.String()),
					brief(s.stdout), &stderr)
			}
		})
	}
}

// TestNodeFrozen checks that scripts in the words of Node are started once for all their calls, as others are: what
// waits for stdin looks neither at the clock nor at the arguments before.
func TestNodeFrozen(t *testing.T) {
	i := javascript()
	r := newScriptRuntime(t)
	const work = "let n = 0; for (let i = 0; i < 2e5; i++) n += i; const say = (s) => console.log(`done ${s} " +
		"${Math.random()} ${process.argv[2] ?? 'none'}`);\n"
	for about, text := range map[string]string{
		"readFileSync": work + `say(require("fs").readFileSync(0, "utf8"))`,
		"events":       work + `let s = ""; process.stdin.on("data", (c) => s += c).on("end", () => say(s))`,
		"for await":    work + `let s = ""; for await (const c of process.stdin) s += c; say(s)`,
		"imports": `import process from "node:process"; import { argv, env } from "process"; ` +
			`import { readFileSync } from "fs";` + "\n" + work + `say(readFileSync(0))`,
	} {
		t.Run(about, func(t *testing.T) {
			i.testFrozen(t, i.compile(t, r, scriptCase{about: about, text: text}, runtimes.StartAuto))
		})
	}
}
