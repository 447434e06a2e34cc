//go:build runtimes

package samples_test

func typescript() interpreter {
	files := map[string]string{
		"main.ts": `import { shout } from "./lib/shout";
import type { Word } from "./lib/types";
import { twice } from "./lib/twice.js";
import { once } from "./lib/once.ts";
import data from "./data.json";
import * as std from "std";

enum Level { Low = 1, High }
const word: Word = { text: data.word };
print(shout(word.text), twice(Level.High), once(1), std.loadFile("note.md"), (await import("./lib/twice")).twice(4));
`,
		"lib/shout.ts": "export function shout(s: string): string { return s.toUpperCase() }",
		"lib/twice.ts": "export const twice = (n: number) => n * 2",
		"lib/once.ts":  "export const once = <T,>(n: T): T => n",
		"lib/types.ts": "export interface Word { text: string }",
		"data.json":    `{"word": "hey"}`,
		"note.md":      "note",
		"throws.ts": "import { check } from './lib/check'\n\ninterface A { b: number }\n\nfunction f(a: A): void {\n" +
			"  check(a.b)\n}\n\nf({ b: 7 })\n",
		"lib/check.ts": "type N = number\n\nexport function check(n: N): void {\n  if (n > 5)\n" +
			"    throw new RangeError(`${n} is too much`)\n}\n",
		"logs.mts": "type T = 1\n\nfunction g() { return new Error('logged') }\nconsole.log(g())",
		"bad.ts":   "const a: number = 1;\nconst b: = 2;\n",
		"bad2.ts":  "import './lib/none'\nimport 'lodash'\n",
	}
	return interpreter{
		name: "typescript", entry: "it.ts",
		slow: `import * as std from "std"; let n: number = 0; for (let i = 0; i < 2e5; i++) n += i;
			const body: string = std.in.readAsString(); print("done", body, Math.random(), scriptArgs[1] ?? "none")`,
		cases: []scriptCase{
			{about: "main.ts", entry: "main.ts", files: files, stdout: "HEY 4 1 note 8\n"},
			{about: "throws.ts", entry: "throws.ts", files: files,
				stderr: "lib/check.ts:5:15: RangeError: 7 is too much\n    at check (lib/check.ts:5:15)\n" +
					"    at f (throws.ts:6:3)\n    at <anonymous> (throws.ts:9:1)\n", exit: 70},
			{about: "logs.mts", entry: "logs.mts", files: files,
				stdout: "Error: logged\n    at g (logs.mts:3:27)\n    at <anonymous> (logs.mts:4:13)\n"},
			{about: "node.ts",
				text: `import { readFileSync } from "node:fs"; import process from "process"; ` +
					`const text: string = readFileSync(0, "utf8"); console.log(text.length, process.argv.slice(2))`,
				args: []string{"x"}, stdin: "Ada", stdout: "3 [ 'x' ]\n"},
			{about: "require.ts", text: "const fs = require('fs'); console.log(fs.readFileSync('/dev/stdin', 'utf8'))",
				stdin: "Ada", stdout: "Ada\n"},
			{about: "http.ts", text: `import http from "node:http"; http()`,
				refused: []string{"it.ts:1:18: cannot import \"node:http\": this is QuickJS and not Node: a function has no " +
					"sockets"}},
			{about: "bad.ts", entry: "bad.ts", files: files, refused: []string{"bad.ts:2:10: Unexpected \"=\""}},
			{about: "bad2.ts", entry: "bad2.ts", files: files,
				refused: []string{"bad2.ts:1:8: cannot import \"./lib/none\": there is no such file\n" +
					"bad2.ts:2:8: cannot import \"lodash\": this is QuickJS and not Node: of Node's modules there are fs,"}},
		},
	}
}
