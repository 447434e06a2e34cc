//go:build runtimes

package samples_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/unwind"
)

// TestLuaScript and TestMicroPythonScript need the bundles that the recipes make, as folders lua and micropython of
// the folder that RUNTIMES names. They run the interpreters on plain wazero.
func TestLuaScript(t *testing.T) {
	i := newInterpreter(t, "lua")
	i.greet("greet/lua/greet.lua")
	i.checkCases([]scriptCase{
		{
			about: "lines, arguments and a file", script: `for l in io.lines() do io.write("[", l, "]") end print(#arg, arg[0], ...)`,
			args: []string{"x", "y"}, stdin: "a\nb", stdout: "[a][b]2\tf\tx\ty\n",
		},
		{about: "exit code", script: `io.write("out") os.exit(66)`, stdout: "out", exit: 66},
		{about: "uncaught error", script: "io.read()\nlocal function f() error('oops') end\nprint('out')\nf()", stdout: "out\n", stderr: []string{"main:2: oops\nstack traceback:", "main:4: in main chunk"}, exit: 70},
		{about: "an error that is a table", script: "error({})", stderr: []string{"table", "main:1:"}, exit: 70},
		{about: "syntax error", script: "local x\nx = = 1", stderr: []string{"main:2: unexpected symbol"}, exit: 70},
		{about: "checked", script: "local x\nx = = 1", check: true, stderr: []string{"main:2: unexpected symbol"}, exit: 65},
		{about: "checked, good", script: "os.exit(3)", check: true},
		{about: "checked module", script: "", files: map[string]string{"sub/m.lua": "\nlocal = 1"}, check: true, stderr: []string{"sub/m.lua:2:"}, exit: 65},
		{
			about: "modules", script: `local m = require("sub.m") print(m.twice(2), require("pack"), pcall(require, "none"))`,
			files:  map[string]string{"sub/m.lua": "return {twice = function(x) return 2 * x end}", "pack/init.lua": "return 'p'"},
			stdout: "4\tp\tfalse\tmodule 'none' not found:\n\tno field package.preload['none']\n\tno file '/script/none.lua'\n\tno file '/script/none/init.lua'\n",
		},
		{about: "deep recursion", script: "local function f() return 1 + f() end\nprint(pcall(f))", stdout: "false\tmain:1: stack overflow\n"},
		{about: "deep recursion by way of C", script: "local function f() return (('a'):gsub('a', f)) end\nprint((pcall(f)))", stdout: "false\n"},
		{about: "out of memory", script: "io.read()\nlocal t = {}\nwhile true do t[#t + 1] = ('x'):rep(1e6) .. #t end", stderr: []string{"not enough memory"}, exit: 70},
		{about: "garbage is collected", script: "io.read()\nfor i = 1, 2000 do local s = ('x'):rep(1e6) .. i end print('done')", stdout: "done\n"},
		{about: "what a function cannot do is not there", script: "print(io.popen, os.execute, os.remove, package.loadlib)", stdout: "nil\tnil\tnil\tnil\n"},
	})
	i.random("local a = math.random(1 << 40)\nio.read()\nprint(a, math.random(1 << 40))")
}

func TestMicroPythonScript(t *testing.T) {
	i := newInterpreter(t, "micropython")
	i.greet("greet/micropython/greet.py")
	i.checkCases([]scriptCase{
		{
			about: "lines, arguments and a file", script: "import sys\nfor l in sys.stdin: print('[' + l.strip() + ']')\nprint(sys.argv[1:], len(sys.argv), sys.argv[0], open('/request/id').read())",
			args: []string{"x", "y"}, stdin: "a\nb", stdout: "[a]\n[b]\n['x', 'y'] 3 f 1\n",
		},
		{about: "characters and bytes", script: "import sys\nprint(sys.stdin.read(2), sys.stdin.readline(), sys.stdin.buffer.read())", stdin: "éèx\né", stdout: "éè x\n b'\\xc3\\xa9'\n"},
		{about: "text that is not UTF-8", script: "import sys\ntry: sys.stdin.read()\nexcept UnicodeError: print('refused')", stdin: "\xed\xa0\x80", stdout: "refused\n"},
		{about: "exit code", script: "import sys\nsys.stdout.write('out')\nsys.exit(66)", stdout: "out", exit: 66},
		{about: "exit with a reason", script: "import sys\nsys.exit('why')", stderr: []string{"why\n"}, exit: 1},
		{about: "uncaught error", script: "def f(): raise ValueError('oops')\nprint('out')\nf()", stdout: "out\n", stderr: []string{"main:1: ValueError: oops\nTraceback", "File \"main\", line 3, in <module>"}, exit: 70},
		{about: "syntax error", script: "x = 1\nx = = 1", stderr: []string{"main:2: SyntaxError"}, exit: 70},
		{about: "checked", script: "x = 1\nx = = 1", check: true, stderr: []string{"main:2: SyntaxError"}, exit: 65},
		{about: "checked, good", script: "import sys\nsys.exit(3)", check: true},
		{about: "checked module", files: map[string]string{"sub/m.py": "\nx ="}, check: true, stderr: []string{"sub/m.py:2: SyntaxError"}, exit: 65},
		{
			about: "modules", script: "import sub.m, pack\nprint(sub.m.twice(2), pack.p)\nimport none",
			files:  map[string]string{"sub/m.py": "def twice(x): return 2 * x", "pack/__init__.py": "from .q import p", "pack/q.py": "p = 'p'"},
			stdout: "4 p\n", stderr: []string{"main:3: ImportError: no module named 'none'"}, exit: 70,
		},
		{about: "deep recursion", script: "def f(): return 1 + f()\ntry: f()\nexcept RuntimeError as e: print(e)", stdout: "maximum recursion depth exceeded\n"},
		{about: "out of memory", script: "import sys\nsys.stdin.read()\nl = []\ntry:\n  while True: l.append('x' * 1000000 + str(len(l)))\nexcept MemoryError: n = len(l)\nl = None\nprint(n > 40)\nl = []\nwhile True: l.append('x' * 1000000 + str(len(l)))", stdout: "True\n", stderr: []string{"MemoryError"}, exit: 70},
		{about: "garbage is collected in loops", script: "n = 0\nfor i in range(2000):\n  s = 'x' * 100000 + str(i)\n  n += len(s)\nprint(n > 200000000)", stdout: "True\n"},
		{
			about:  "garbage is collected below functions in C",
			script: "def make(n):\n  for i in range(n):\n    garbage = ['g' * 50] * 10\n    yield [str(i) * 5, i]\nfor r in range(5):\n  l = list(map(lambda p: (p[0] + 'x', p[1]), make(3000)))\n  assert all(p[0] == str(p[1]) * 5 + 'x' for p in l) and len(l) == 3000\n  d = {p[0]: [p] for p in l}\n  assert sorted([v[0][1] * 7919 % 3000 for v in d.values()], key=lambda x: len('g' * 9) + x) == list(range(3000))\nimport gc\nprint(gc.mem_alloc() < 4000000)",
			stdout: "True\n",
		},
		{about: "modules that are there", script: "import json, re, struct, math, time, hashlib, binascii, collections, io, heapq, os\nprint(json.loads('[1]'), struct.pack('<H', 1), re.match('a+', 'aab').group(0), binascii.hexlify(hashlib.sha256(b'abc').digest())[:8], os.getenv('NONE', 'd'), len(os.urandom(3)))", stdout: "[1] b'\\x01\\x00' aa b'ba7816bf' d 3\n"},
	})
	i.random("import sys, random\na = random.getrandbits(60)\nsys.stdin.read()\nprint(a, random.getrandbits(60))")
}

// A scriptCase is a script, or several files, and what must come of running or checking it.
type scriptCase struct {
	about, script string
	files         map[string]string
	args          []string
	stdin         string
	check         bool
	stdout        string
	stderr        []string // what it contains
	exit          int
}

// An interpreter runs scripts as polyvoke does, but always in a new process.
type interpreter struct {
	sandbox
	program wazero.CompiledModule
}

func newInterpreter(t *testing.T, name string) interpreter {
	t.Helper()
	wasm, err := os.ReadFile(filepath.Join(os.Getenv("RUNTIMES"), name, "runtime.wasm"))
	if err != nil {
		t.Fatalf("%v: RUNTIMES must be the folder with the bundles", err)
	}
	// As polyvoke does: plain wazero copies the stack for each try.
	if wasm, _, err = unwind.Lower(wasm, module.Limits{}); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background() // not of the test: Close runs after that has ended
	config := wazero.NewRuntimeConfigCompiler().WithMemoryLimitPages(memoryPages).WithCoreFeatures(api.CoreFeaturesV2 |
		experimental.CoreFeaturesTailCall | experimental.CoreFeaturesExtendedConst | experimental.CoreFeaturesExceptionHandling)
	b := sandbox{t, wazero.NewRuntimeWithConfig(ctx, config)}
	t.Cleanup(func() {
		if err := b.runtime.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, b.runtime); err != nil {
		t.Fatal(err)
	}
	return interpreter{b, b.compile(wasm)}
}

// greet holds a script to the requests and replies of all languages.
func (i interpreter) greet(path string) {
	i.t.Helper()
	script, err := os.ReadFile(path)
	if err != nil {
		i.t.Fatal(err)
	}
	for _, v := range append(readVectors(i.t, "greet/vectors.json"), largeVectors()...) {
		got := i.run(scriptCase{script: string(script), args: v.Args, stdin: string(v.body())})
		if got.exit != v.Exit || got.stdout != v.Stdout {
			i.t.Errorf("%s: exit %d and stdout\n%s, want %d and\n%s; stderr %s", v.About, got.exit, brief(got.stdout), v.Exit, brief(v.Stdout), brief(got.stderr))
		}
		if v.Log != "" && got.stderr != v.Log || v.Exit != 0 && !badInput.MatchString(got.stderr) {
			i.t.Errorf("%s: stderr\n%s, want\n%s", v.About, brief(got.stderr), brief(v.Log))
		}
	}
}

func (i interpreter) checkCases(cases []scriptCase) {
	i.t.Helper()
	for _, c := range cases {
		got := i.run(c)
		if got.exit != c.exit || got.stdout != c.stdout {
			i.t.Errorf("%s: exit %d and stdout\n%s, want %d and\n%s; stderr\n%s", c.about, got.exit, brief(got.stdout), c.exit, brief(c.stdout), got.stderr)
		}
		for _, s := range c.stderr {
			if !strings.Contains(got.stderr, s) {
				i.t.Errorf("%s: stderr\n%s, want %q in it", c.about, got.stderr, s)
			}
		}
	}
}

// random runs a script twice that prints what it drew before and after it read stdin: first the same, then another.
func (i interpreter) random(script string) {
	i.t.Helper()
	one, two := strings.Fields(i.run(scriptCase{script: script}).stdout), strings.Fields(i.run(scriptCase{script: script}).stdout)
	if len(one) != 2 || len(two) != 2 || one[0] != two[0] || one[1] == two[1] {
		i.t.Errorf("random numbers %v and %v", one, two)
	}
}

// run runs a script, or checks it, after wizer.initialize.
func (i interpreter) run(c scriptCase) outcome {
	i.t.Helper()
	watchdog := time.AfterFunc(runTimeout, func() { panic("a run of a script does not end") })
	defer watchdog.Stop()
	ctx := i.t.Context()
	var stdout, stderr bytes.Buffer
	config := wazero.NewModuleConfig().WithName("").WithArgs(append([]string{"f"}, c.args...)...).WithStartFunctions().
		WithStdin(strings.NewReader(c.stdin)).WithStdout(&stdout).WithStderr(&stderr).WithRandSource(rand.Reader).
		WithFSConfig(wazero.NewFSConfig().WithFSMount(scriptFolder(c), "/script").WithFSMount(fstest.MapFS{"id": {Data: []byte("1")}}, "/request"))
	m, err := i.runtime.InstantiateModule(ctx, i.program, config)
	if err != nil {
		i.t.Fatal(err)
	}
	defer m.Close(ctx)
	if _, err := m.ExportedFunction("wizer.initialize").Call(ctx); err != nil {
		i.t.Fatal(err)
	}
	_, err = m.ExportedFunction("_start").Call(ctx)
	var exit *sys.ExitError
	if err != nil && !errors.As(err, &exit) {
		i.t.Errorf("%s: trap: %v", c.about, err)
		return outcome{stdout.String(), stderr.String(), -1}
	}
	return outcome{stdout.String(), stderr.String(), int(exitCode(exit))}
}

// scriptFolder is /script.
func scriptFolder(c scriptCase) fs.FS {
	files := fstest.MapFS{"main": {Data: []byte(c.script)}, ".polyvoke/entry": {Data: []byte("main\n")}}
	for name, text := range c.files {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	if c.check {
		files[".polyvoke/check"] = &fstest.MapFile{}
	}
	return files
}
