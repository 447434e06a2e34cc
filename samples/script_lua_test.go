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
