//go:build runtimes

package samples_test

import (
	"archive/zip"
	"bytes"
	"io"
	"strings"
	"testing"
	"time"
)

// A typescript compiles scripts with the compile stage that runtimes/script/recipe/typescript builds, and runs them.
type typescript struct {
	quickjs          // that runs what is compiled
	compiler quickjs // a program like any other
}

func newTypeScript(t *testing.T) typescript {
	t.Helper()
	run := newQuickJSFrom(t, bundle(t, "typescript", "runtime.wasm"), 2048)
	began := time.Now()
	ts := typescript{run, newQuickJSFrom(t, bundle(t, "typescript", "compile.wasm"), 4096)}
	t.Logf("the compiler was loaded in %v", time.Since(began))
	return ts
}

// compile returns the folder of a compiled script, or how the compiler failed.
func (ts typescript) compile(s script) (script, outcome) {
	ts.t.Helper()
	dir := ts.folder(s)
	began := time.Now()
	got := ts.compiler.run(dir, call{})
	ts.t.Logf("compiled %s in %v: %d bytes", s.entry, time.Since(began), len(got.stdout))
	if again := ts.compiler.run(dir, call{}); again != got {
		ts.t.Errorf("%s was compiled to other bytes the second time", s.entry)
	}
	if got.exit != 0 {
		return script{}, got
	}
	archive, err := zip.NewReader(strings.NewReader(got.stdout), int64(len(got.stdout)))
	if err != nil {
		ts.t.Fatal(err)
	}
	to := script{files: map[string]string{}}
	for _, f := range archive.File {
		to.files[f.Name] = ts.content(f)
	}
	to.entry = strings.TrimSuffix(to.files[".polyvoke/entry"], "\n")
	return to, got
}

func (ts typescript) content(f *zip.File) string {
	ts.t.Helper()
	r, err := f.Open()
	if err != nil {
		ts.t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		ts.t.Fatal(err)
	}
	return string(b)
}

func TestTypeScriptGreet(t *testing.T) {
	ts := newTypeScript(t)
	s, got := ts.compile(script{entry: "greet.ts", files: map[string]string{"greet.ts": readSample(t, "greet/ts/greet.ts")}})
	if got.exit != 0 || got.stderr != "" || s.entry != "greet.js" {
		t.Fatalf("compile: exit %d, entry %q, stderr %s", got.exit, s.entry, got.stderr)
	}
	ts.checkVectors(ts.folder(s), append(readVectors(t, "greet/vectors.json"), largeVectors()...))
}

func TestTypeScript(t *testing.T) {
	ts := newTypeScript(t)
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
		"throws.ts":    "import { check } from './lib/check'\n\ninterface A { b: number }\n\nfunction f(a: A): void {\n  check(a.b)\n}\n\nf({ b: 7 })\n",
		"lib/check.ts": "type N = number\n\nexport function check(n: N): void {\n  if (n > 5)\n    throw new RangeError(`${n} is too much`)\n}\n",
		"logs.mts":     "type T = 1\n\nfunction g() { return new Error('logged') }\nconsole.log(g())",
		"bad.ts":       "const a: number = 1;\nconst b: = 2;\n",
		"bad2.ts":      "import './lib/none'\nimport 'lodash'\n",
	}
	for _, c := range []struct {
		entry, compiled, stdout, stderr string
		exit                            int
	}{
		{"main.ts", "main.js", "HEY 4 1 note 8\n", "", 0},
		{"throws.ts", "throws.js", "", "lib/check.ts:5:15: RangeError: 7 is too much\n    at check (lib/check.ts:5:15)\n    at f (throws.ts:6:3)\n    at <anonymous> (throws.ts:9:1)\n", 70},
		{"logs.mts", "logs.mjs", "", "Error: logged\n    at g (logs.mts:3:27)\n    at <anonymous> (logs.mts:4:13)\n", 0},
		{"bad.ts", "", "", "bad.ts:2:10: Unexpected \"=\"\n", 65},
		{"bad2.ts", "", "", "bad2.ts:1:8: cannot import \"./lib/none\": there is no such file\nbad2.ts:2:8: cannot import \"lodash\": there are the modules \"std\" and \"os\", and files by a path that begins with ./ or ../\n", 65},
	} {
		s, got := ts.compile(script{entry: c.entry, files: files})
		if s.entry != c.compiled {
			t.Errorf("%s was compiled to %q, want %q; exit %d, stderr %s", c.entry, s.entry, c.compiled, got.exit, got.stderr)
			continue
		}
		if got.exit == 0 {
			for name := range s.files {
				if strings.HasSuffix(name, "ts") {
					t.Errorf("%s: %s is still there", c.entry, name)
				}
			}
			got = ts.run(ts.folder(s), call{})
		}
		if got.exit != c.exit || got.stdout != c.stdout || got.stderr != c.stderr {
			t.Errorf("%s: exit %d, want %d; stdout %s, want %s; stderr\n%s, want\n%s", c.entry, got.exit, c.exit, brief(got.stdout), brief(c.stdout), got.stderr, c.stderr)
		}
	}
}

// TestTypeScriptSameRuntime shows that both languages are run by the same bytes.
func TestTypeScriptSameRuntime(t *testing.T) {
	if !bytes.Equal(bundle(t, "javascript", "runtime.wasm"), bundle(t, "typescript", "runtime.wasm")) {
		t.Error("the runtimes differ")
	}
}
