//go:build runtimes

package samples_test

import "slices"

func javascript() interpreter {
	return interpreter{
		name: "javascript", entry: "shout.js",
		slow: `import * as std from "std"; let n = 0; for (let i = 0; i < 2e5; i++) n += i;
			const body = std.in.readAsString(); print("done", body, Math.random(), scriptArgs[1] ?? "none")`,
		draws: `import * as std from "std"; const a = crypto.randomUUID() + Math.random(); std.in.readAsString(); ` +
			`print(a, crypto.randomUUID() + Math.random())`,
		cases: slices.Concat(javascriptCases(), javascriptModules(), javascriptNode()),
	}
}

func javascriptCases() []scriptCase {
	return append([]scriptCase{
		{about: "print", text: `print("a", 1, [2])`, stdout: "a 1 2\n"},
		{about: "console", text: `console.log("a", {b: [1, "x", null], c: new Map([[1, {d: 2}]])}, -0, 5n, () => 1)`,
			stdout: "a { b: [ 1, 'x', null ], c: Map(1) { 1 => { d: 2 } } } -0 5n [Function (anonymous)]\n"},
		{about: "circular", text: `const a = {}; a.a = a; console.error(a, class A {}, Symbol("s"), new Uint8Array(2))`,
			stderr: "<ref *1> { a: [Circular *1] } [class A] Symbol(s) Uint8Array(2) [ 0, 0 ]\n"},
		{about: "read as string", text: `import * as std from "std"; std.out.puts(std.in.readAsString(), std.in.eof())`,
			stdin: "h\u00e4\xff\x00z", stdout: "h\u00e4\ufffd\x00ztrue"},
		{about: "read some",
			text: `import * as std from "std"; print(std.in.readAsString(3), std.in.getByte(), std.in.getline(), ` +
				`std.in.getline(), std.in.getline(), std.in.getByte())`, stdin: "abcd\nsecond", stdout: "abc 100  second  -1\n"},
		{about: "lines",
			text:  `import {in as input, out} from "std"; for (let l; (l = input.getline()) !== null;) out.puts("[", l, "]")`,
			stdin: "a\n\nb\nc", stdout: "[a][][b][c]"},
		{about: "lines of nothing", text: `import * as std from "std"; print(std.in.getline())`, stdout: "\n"},
		{about: "bytes",
			text: `import * as std from "std"; const b = new Uint8Array(std.in.readAsArrayBuffer()); b.reverse(); ` +
				`std.out.write(b.buffer, 1); std.out.putByte(0x141)`, stdin: "\x01\x02\xff", stdout: "\x02\x01A"},
		{about: "read into a buffer",
			text:  `import * as std from "std"; const b = new Uint8Array(4); print(std.in.read(b.buffer, 1, 3), b)`,
			stdin: "\x07\x08", stdout: "2 0,7,8,0\n"},
		{about: "read outside of a buffer",
			text:   `import * as std from "std"; try { std.in.read(new ArrayBuffer(4), 3, 2) } catch (e) { print(e) }`,
			stdout: "RangeError: position 3 and length 2 are outside of the buffer of 4 bytes\n"},
		{about: "no buffer", text: `import * as std from "std"; try { std.out.write("x") } catch (e) { print(e.name) }`,
			stdout: "TypeError\n"},
		{about: "args and environment",
			text: `import * as std from "std"; print(scriptArgs, std.getenv("SUM"), std.getenv("L"), ` +
				`JSON.stringify(std.getenviron()))`, args: []string{"x", "y z"},
			stdout: "fn,x,y z 1+1=2  {\"WHO\":\"me\",\"SUM\":\"1+1=2\"}\n"},
		{about: "an argument that is not UTF-8", text: `import * as std from "std"; std.out.puts("a"); print(scriptArgs)`,
			args: []string{"\xff"}, stdout: "a", stderr: "an argument is not UTF-8\n", exit: 64},
		{about: "exit", text: `import * as std from "std"; print("kept"); std.exit(66)`, stdout: "kept\n", exit: 66},
		{about: "files",
			text: `import * as std from "std"; import * as os from "os"; ` +
				`print(std.loadFile("none"), std.loadFile("shout.js").length > 9, std.loadFile("/script/shout.js", {binary: ` +
				`true})[0], os.readdir(".")[0].includes("shout.js"), os.readdir("/none"))`, stdout: " true 105 true ,2\n"},
		{about: "files outside",
			text:   `import * as std from "std"; print(std.loadFile("../../etc/passwd"), std.loadFile("/etc/passwd"))`,
			stdout: " \n"},
		{about: "text",
			text: `print(new TextEncoder().encode("\u00e4\ud800"), new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, ` +
				`0x61, 0xf0, 0x90, 0x41])), new TextDecoder().decode(new Uint8Array([65, 66, 67]).subarray(1)))`,
			stdout: "195,164,239,191,189 a\ufffdA BC\n"},
		{about: "text that is bad",
			text:   `try { new TextDecoder("utf-8", {fatal: true}).decode(new Uint8Array([0xc0])) } catch (e) { print(e) }`,
			stdout: "TypeError: the bytes are not UTF-8\n"},
		{about: "half a surrogate pair", text: `print("\ud800x\udc00\u{1f600}")`, stdout: "\ufffdx\ufffd\U0001f600\n"},
	}, javascriptEngine()...)
}

// javascriptEngine is about what the engine does: promises, timers, errors, and what is too deep or too large.
func javascriptEngine() []scriptCase {
	return []scriptCase{
		{about: "promises", text: `print(await Promise.resolve(1)); Promise.resolve().then(() => print(3)); print(2)`,
			stdout: "1\n2\n3\n"},
		{about: "timers", text: `import * as os from "os"; setTimeout(print, 5, "c"); setTimeout(print, 0, "b"); print("a");
			clearTimeout(setTimeout(print, 1, "never")); await os.sleepAsync(8);
			let n = 0; const i = setInterval(() => { print(++n); if (n == 2) clearInterval(i) }, 1)`, stdout: "a\nb\nc\n1\n2\n"},
		{about: "names and symbols that only keys are left of", text: `import * as std from "std"; const kept = {};
			for (let i = 0; i < 5000; i++) { kept[Symbol("s" + i)] = i; kept["n" + i] = i;
				if (i % 3 == 0) delete kept["n" + (i - 7)] }
			std.gc(); for (let i = 0; i < 5000; i++) ({})[Symbol("t" + i)] = "u" + i;
			const symbols = Object.getOwnPropertySymbols(kept);
			print(symbols.length, symbols.every((s, i) => s.description == "s" + i && kept[s] === i),
				Object.keys(kept).length, kept.n4999)`, stdout: "5000 true 3336 4999\n"},
		{about: "random",
			text: `print(Math.random() !== Math.random(), crypto.randomUUID().length, Date.now() > 1.7e12, new ` +
				`Date(0).toISOString(), performance.now() > 0)`, stdout: "true 36 true 1970-01-01T00:00:00.000Z true\n"},
		{about: "an error", text: "\nfunction f() {\n  throw new TypeError('no')\n}\nprint('before')\nf()",
			stdout: "before\n",
			stderr: "shout.js:3:22: TypeError: no\n    at f (shout.js:3:22)\n    at <anonymous> (shout.js:6:2)\n", exit: 70},
		{about: "an error with a cause", text: "throw new Error('a', {cause: new RangeError('b')})",
			stderr: "shout.js:1:16: Error: a\n    at <anonymous> (shout.js:1:16)\ncaused by: RangeError: b\n" +
				"    at <anonymous> (shout.js:1:44)\n", exit: 70},
		{about: "another value", text: "throw {a: 1}", stderr: "uncaught { a: 1 }\n", exit: 70},
		{about: "null", text: "throw null", stderr: "uncaught null\n", exit: 70},
		{about: "an error after await", text: "await null; undefined.x",
			stderr: "shout.js:1:22: TypeError: cannot read property 'x' of undefined\n    at <anonymous> (shout.js:1:22)\n",
			exit:   70},
		{about: "a rejection", text: "Promise.reject(new Error('no')); print('out')", stdout: "out\n",
			stderr: "shout.js:1:25: Error: no\n    at <anonymous> (shout.js:1:25)\n", exit: 70},
		{about: "a rejection that is handled", text: "const p = Promise.reject(1); await null; p.catch(print)",
			stdout: "1\n"},
		{about: "an error in a timer", text: "setTimeout(() => { throw 1 })", stderr: "uncaught 1\n", exit: 70},
		{about: "a promise that stays", text: "print(1); await new Promise(() => {})", stdout: "1\n",
			stderr: "shout.js: the script awaits a promise that nothing will settle\n", exit: 70},
		{about: "bad syntax", text: "let a = 1;\nlet b = ;\n",
			refused: []string{"shout.js:2:9: unexpected token in expression: ';'"}},
		{about: "deep recursion", text: "function f(n) { return f(n + 1) + 1 }\ntry { f(0) } catch (e) { print(e) }",
			stdout: "InternalError: stack overflow\n"},
		{about: "deep JSON", text: `try { JSON.parse("[".repeat(1e6)) } catch (e) { print(e) }`,
			stdout: "SyntaxError: stack overflow\n"},
		{about: "deep values",
			text:   `let a = []; for (let i = 0; i < 1e5; i++) a = [a]; try { JSON.stringify(a) } catch (e) { print(e) }`,
			stdout: "InternalError: stack overflow\n"},
		{about: "deep expression", text: `try { eval("(".repeat(1e6)) } catch (e) { print(e) }`,
			stdout: "SyntaxError: stack overflow\n"},
		{about: "deep regular expression",
			text:   `try { print(/^(?:a|ab)*c/.test("a".repeat(1e5))); new RegExp("(?:".repeat(1e6)) } catch (e) { print(e) }`,
			stdout: "false\nSyntaxError: stack overflow\n"},
		{about: "no memory: const a = []; for (;;) a", text: "const a = []; for (;;) a.push({})", memory: 16 << 20,
			says: []string{"out of memory"}, exit: 70},
		{about: "no memory: let s = 'xy'; for (;;) s", text: "let s = 'xy'; for (;;) s += s + 'z'", memory: 16 << 20,
			says: []string{"too long"}, exit: 70},
		{about: "no memory: new ArrayBuffer(1e9)", text: "new ArrayBuffer(1e9)", memory: 16 << 20,
			says: []string{"out of memory"}, exit: 70},
		{about: "no memory: let a = null; for (;;) a", text: "let a = null; for (;;) a = [a]", memory: 16 << 20,
			says: []string{"out of memory"}, exit: 70},
		{about: "no memory: import * as std from 'st",
			text: "import * as std from 'std'; for (const a = [];;) a.push(new Uint8Array(1e5))", memory: 16 << 20,
			says: []string{"out of memory"}, exit: 70},
	}
}

// javascriptModules imports from one folder.
func javascriptModules() []scriptCase {
	files := map[string]string{
		"main.mjs": `import { up } from "./lib/up.js"; import data from "./data.json"; import "/script/side.js"; ` +
			`print(up("x"), data.a, import.meta.url, import.meta.main, (await import("./lib/late.js")).default)`,
		"side.js":           `print("side")`,
		"data.json":         `{"a": [1, 2]}`,
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
	return []scriptCase{
		{about: "module main.mjs", entry: "main.mjs", files: files,
			stdout: "side\nX 1,2 file:///script/main.mjs true file:///script/lib/late.js\n"},
		{about: "module none.js", entry: "none.js", files: files,
			refused: []string{"none.js:2:19: cannot import \"./none-such.js\": there is no such file"}},
		{about: "module none-inside.js", entry: "none-inside.js", files: files,
			refused: []string{"none.js:2:19: cannot import \"./none-such.js\": there is no such file"}},
		{about: "module bare.js", entry: "bare.js", files: files,
			refused: []string{"bare.js:1:15: cannot import \"lodash\": this is QuickJS and not Node: of Node's modules there " +
				"are fs,"}},
		{about: "module out.js", entry: "out.js", files: files,
			refused: []string{"out.js:1:8: cannot import \"../../etc/x.js\": that is outside of the script's folder"}},
		{about: "module bad.js", entry: "bad.js", files: files, refused: []string{"bad.js:3:7: variable name expected"}},
		{about: "module bad-inside.js", entry: "bad-inside.js", files: files,
			refused: []string{"bad.js:3:7: variable name expected"}},
		{about: "module late.js", entry: "late.js", files: files, stdout: "1\n",
			stderr: "late.js:2:14: ReferenceError: cannot import \"./none-such.js\": there is no such file\n", exit: 70},
		{about: "module no-such-export.js", entry: "no-such-export.js", files: files,
			stderr: "SyntaxError: Could not find export 'nothing' in module 'side.js'\n", exit: 70},
	}
}
