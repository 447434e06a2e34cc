//go:build runtimes

package samples_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"
)

// A smallRuntime is an interpreter of a few hundred kilobytes, and what tells whether its host keeps to the rules.
type smallRuntime struct {
	name, ext string
	wrong     string // a script that does not compile; empty where the language knows no such thing
	fails     string // a script that has an error in line 2 when it runs
	lineless  bool   // the language does not know in which line that is
	tests     []smallCase
}

// A smallCase is a script and what it must do with a request.
type smallCase struct {
	about, script, stdin, stdout, stderr string
	exit                                 int
}

// smallRuntimes lists what TestSmall tests.
func smallRuntimes() []smallRuntime {
	return []smallRuntime{
		{
			name: "sql", ext: ".sql",
			wrong: "SELECT 1;\nSELEKT 2;\n",
			fails: "CREATE TABLE t(a NOT NULL);\nINSERT INTO t VALUES (NULL);\n",
			tests: []smallCase{
				{"a value", "SELECT upper(request());", "ada", "ADA\n", "", 0},
				{"values", "SELECT value FROM generate_series(1, 3);", "", "1\n2\n3\n", "", 0},
				{"a blob", "SELECT CAST(request() AS BLOB);", "a\x00\xff", "a\x00\xff", "", 0},
				{"objects", "SELECT 1 AS a, 'b\"' AS b, NULL AS c, x'ff' AS d;", "", `{"a":1,"b":"b\"","c":null,"d":"ff"}` + "\n", "", 0},
				{"arguments", "SELECT arg(0) || arg(1) || arg(2), env('WHO'), arg(3) IS NULL AS none;", "",
					`{"arg(0) || arg(1) || arg(2)":"fnxy","env('WHO')":"me","none":1}` + "\n", "", 0},
				{"an end", "SELECT 'a'; SELECT exit(9, 'no more'); SELECT 'b';", "", "a\n", "no more\n", 9},
				{"files", "SELECT readfile('/script/it.sql') = CAST('SELECT' AS BLOB), readfile('/etc/passwd') AS p, readfile('/script') AS s;", "",
					`{"readfile('/script/it.sql') = CAST('SELECT' AS BLOB)":0,"p":null,"s":null}` + "\n", "", 0},
				{"regular expressions", "SELECT request() REGEXP '^[a-c]+$';", "abc", "1\n", "", 0},
			},
		},
		{
			name: "tcl", ext: ".tcl",
			wrong: "puts 1\nputs {a\n",
			fails: "puts 1\nnothing here\n",
			tests: []smallCase{
				{"lines", "while {[gets stdin line] >= 0} { puts [string toupper $line] }", "a\n\xc3\xa9", "A\n\xc3\x89\n", "", 0},
				{"arguments", "puts \"$argv0 $argv $argc $env(WHO)\"; proc p {} { puts [lindex $::argv 1] }; p", "", "fn x y 2 me\ny\n", "", 0},
				{"an end", "puts -nonewline a; puts stderr b; exit 9", "", "a", "b\n", 9},
				{"files", "set f [open /script/it.tcl]; puts [string length [read $f]]; close $f; puts [catch {open /etc/passwd}]", "", "102\n1\n", "", 0},
				{"a sort that fails", "puts [catch {lsort -integer {1 a}} e],$e", "", "1,expected integer but got \"a\"\n", "", 0},
				{"deep recursion", "proc f {n} { f [incr n] }; puts [catch {f 1} e],$e", "", "1,Too many nested calls. Infinite recursion?\n", "", 0},
			},
		},
		{
			name: "awk", ext: ".awk",
			wrong: "BEGIN { x = 1 }\n{ print (1 }\n",
			fails: "BEGIN {\n  system(\"ls\")\n}\n",
			tests: []smallCase{
				{"fields", "{ n += $2 } END { print n; print NR > \"/dev/stderr\" }", "a 1\nb 2.5\n", "3.5\n", "2\n", 0},
				{"arguments", "BEGIN { print ARGC, ARGV[0], ARGV[2], ENVIRON[\"WHO\"] } { print }", "in", "3 fn y me\nin\n", "", 0},
				{"an end", "BEGIN { printf \"a\"; exit 9 }", "", "a", "", 9},
				{"files", "BEGIN { getline line < \"/script/it.awk\"; print length(line), (getline line < \"/etc/passwd\") }", "", "93 -1\n", "", 0},
				{"zero bytes", "{ print length($0) }", "a\x00b\n", "4\n", "", 0},
				{"a table", "BEGIN { while ((getline line) > 0) n[line]++; for (k in n) print k, n[k] }", "a\na\n", "a 2\n", "", 0},
				{"deep recursion", "function f(n) { return n ? 1 + f(n - 1) : 0 }\nBEGIN { print f(300); f(1000000) }", "", "300\n",
					"it.awk:1: functions call one another too deep\n", 70},
			},
		},
		{
			name: "jq", ext: ".jq", lineless: true,
			wrong: ".a |\nnothing |\n.b\n",
			fails: "#!/usr/bin/jq -n\nerror(\"it fails\")\n",
			tests: []smallCase{
				{"a value", ".a + 1", `{"a":2}`, "3\n", "", 0},
				{"strings", ".", `"a"`, "\"a\"\n", "", 0},
				{"raw strings", "#!/usr/bin/jq -rf\n.[]", `["a","\u0000\n"]`, "a\n\x00\n\n", "", 0},
				{"no newlines", "#!/usr/bin/jq -jf\n.[]", `["a",1]`, "a1", "", 0},
				{"text", "#!/usr/bin/jq -Rf\nlength", "\xc3\xa9\n", "2\n", "", 0},
				{"text that is not UTF-8", "#!/usr/bin/jq -Rf\nlength", "\xff", "", "bad input: not UTF-8\n", 65},
				{"all values", "#!/usr/bin/jq -sf\nmap(.a)", `{"a":1} {"a":2}`, "[1,2]\n", "", 0},
				{"values one by one", "#!/usr/bin/jq -nf\ninput.a, [inputs]", `{"a":1} {"a":2} 3`, "1\n[{\"a\":2},3]\n", "", 0},
				{"arguments", "[$ARGS.positional[], env.WHO]", "null", `["x","y","me"]` + "\n", "", 0},
				{"regular expressions", `[match("[à-ü]+"; "g").string]`, `"aéèbö"`, `["éè","ö"]` + "\n", "", 0},
				{"an end", `1, ("no more\n" | halt_error(9)), 2`, "0", "1\n", "no more\n", 9},
				{"bad input", ".", "NaN", "", "bad input: not JSON\n", 65},
				{"large numbers", ".", "100000000000000000000001", "100000000000000000000001\n", "", 0},
				{"deep recursion", "def f: 1 + f; f", "0", "", "it.jq: out of memory\n", 70},
			},
		},
		{
			name: "mruby", ext: ".mrb",
			wrong: "x = 1\nputs )\n",
			fails: "x = 1\nnothing(x)\n",
			tests: []smallCase{
				{"lines", "while (line = gets)\n  puts line.chomp.size\nend", "abc\n\xc3\xa9", "3\n1\n", "", 0},
				{"each line", "p $stdin.each_line { |l| print l }.read", "a\nb", "a\nb\"\"\n", "", 0},
				{"some bytes", "p $stdin.read(2), $stdin.read, $stdin.read(1)", "abc", "\"ab\"\n\"c\"\nnil\n", "", 0},
				{"arguments", "p ARGV, ENV[\"WHO\"]", "", "[\"x\", \"y\"]\n\"me\"\n", "", 0},
				{"an end", "print \"a\"; warn \"b\"; exit 9", "", "a", "b\n", 9},
				{"files", "puts File.read(\"/script/it.mrb\").size\nbegin; File.read(\"/etc/passwd\"); rescue => e; puts \"none\"; end", "", "100\nnone\n", "", 0},
				{"deep recursion", "def f; f; end\nbegin; f; rescue SystemStackError => e; puts \"deep\"; end", "", "deep\n", "", 0},
			},
		},
	}
}

// TestSmall needs the bundles that the recipes of runtimes/script/recipe build, in the folder RUNTIMES: a folder
// for each, under its name.
func TestSmall(t *testing.T) {
	for _, r := range smallRuntimes() {
		t.Run(r.name, func(t *testing.T) {
			b := newSmallBox(t, r)
			t.Run("greet", b.testGreet)
			t.Run("manifest", b.testManifest)
			t.Run("imports", b.testImports)
			t.Run("check", b.testCheck)
			t.Run("fails", b.testFails)
			t.Run("asks nothing before stdin", b.testQuiet)
			for _, c := range r.tests {
				t.Run(c.about, func(t *testing.T) { b.testCase(t, c) })
			}
		})
	}
}

// A smallBox runs scripts of one runtime, on wazero without any part of polyvoke.
type smallBox struct {
	smallRuntime
	folder  string
	engine  wazero.Runtime
	program wazero.CompiledModule
	calls   *[]string // of WASI before the first read of stdin
}

func newSmallBox(t *testing.T, r smallRuntime) *smallBox {
	t.Helper()
	b := &smallBox{smallRuntime: r, folder: filepath.Join(os.Getenv("RUNTIMES"), r.name), calls: new([]string)}
	wasm, err := os.ReadFile(filepath.Join(b.folder, "runtime.wasm"))
	if err != nil {
		t.Fatalf("%v: build it by runtimes/script/recipe/%s/build.sh and name the folder above in RUNTIMES", err, r.name)
	}
	ctx := context.Background() // not of the test: Close runs after that has ended
	b.engine = wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCompilationCache(compiled).
		WithMemoryLimitPages(2*memoryPages).WithCoreFeatures(api.CoreFeaturesV2|experimental.CoreFeaturesTailCall|
		experimental.CoreFeaturesExtendedConst|experimental.CoreFeaturesExceptionHandling))
	t.Cleanup(func() {
		if err := b.engine.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	listening := experimental.WithFunctionListenerFactory(ctx, experimental.FunctionListenerFactoryFunc(b.listener))
	if _, err := wasi_snapshot_preview1.Instantiate(listening, b.engine); err != nil {
		t.Fatal(err)
	}
	if b.program, err = b.engine.CompileModule(ctx, wasm); err != nil {
		t.Fatal(err)
	}
	return b
}

// listener is told of each call of WASI.
func (b *smallBox) listener(api.FunctionDefinition) experimental.FunctionListener {
	return experimental.FunctionListenerFunc(func(_ context.Context, _ api.Module, f api.FunctionDefinition, params []uint64, _ experimental.StackIterator) {
		call := f.Name()
		if len(params) > 0 && strings.HasPrefix(call, "fd_") {
			call = fmt.Sprintf("%s %d", call, uint32(params[0]))
		}
		*b.calls = append(*b.calls, call)
	})
}

// run runs a script as the entry named it with the runtime's extension. If initialized, wizer.initialize is called before.
func (b *smallBox) run(t *testing.T, script string, check, initialized bool, stdin []byte) outcome {
	t.Helper()
	folder := t.TempDir()
	files := map[string]string{"it" + b.ext: script, ".polyvoke/entry": "it" + b.ext + "\n"}
	if check {
		files[".polyvoke/check"] = ""
	}
	for name, data := range files {
		path := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(data), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	mounts := wazero.NewFSConfig().WithReadOnlyDirMount(folder, "/script")
	if library := filepath.Join(b.folder, "files"); isFolder(library) {
		mounts = mounts.WithReadOnlyDirMount(library, "/runtime")
	}
	var stdout, stderr bytes.Buffer
	config := wazero.NewModuleConfig().WithName("").WithArgs("fn", "x", "y").WithEnv("WHO", "me").WithFSConfig(mounts).
		WithStdin(bytes.NewReader(stdin)).WithStdout(&stdout).WithStderr(&stderr).
		WithSysWalltime().WithSysNanotime().WithStartFunctions()
	var exit *sys.ExitError
	if err := b.start(t.Context(), config, initialized); err != nil && !errors.As(err, &exit) {
		t.Errorf("trap: %v", err)
		return outcome{stdout.String(), stderr.String(), -1}
	}
	return outcome{stdout.String(), stderr.String(), int(exitCode(exit))}
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func (b *smallBox) start(ctx context.Context, config wazero.ModuleConfig, initialized bool) error {
	m, err := b.engine.InstantiateModule(ctx, b.program, config)
	if err != nil {
		return err
	}
	defer m.Close(ctx)
	*b.calls = nil
	if f := m.ExportedFunction("wizer.initialize"); initialized && f != nil {
		if _, err := f.Call(ctx); err != nil {
			return err
		}
		// The constructors of wasi-libc look what is mounted.
		if i := slices.IndexFunc(*b.calls, func(call string) bool { return !strings.HasPrefix(call, "fd_prestat_") }); i >= 0 {
			return fmt.Errorf("wizer.initialize calls %s", (*b.calls)[i])
		}
		*b.calls = nil
	}
	_, err = m.ExportedFunction("_start").Call(ctx)
	return err
}

func (b *smallBox) greet(t *testing.T) string {
	t.Helper()
	script, err := os.ReadFile(filepath.Join("greet", b.name, "greet"+b.ext))
	if err != nil {
		t.Fatal(err)
	}
	return string(script)
}

func (b *smallBox) testGreet(t *testing.T) {
	script := b.greet(t)
	for i, v := range append(readVectors(t, "greet/vectors.json"), largeVectors()...) {
		begin := time.Now()
		got := b.run(t, script, false, i%2 == 0, v.body())
		if took := time.Since(begin); took > time.Second {
			t.Logf("%s: %v", v.About, took)
		}
		if got.exit != v.Exit || got.stdout != v.Stdout || v.Log != "" && got.stderr != v.Log {
			t.Errorf("%s: exit %d, want %d\nstdout %s, want\n%s\nstderr %s, want\n%s", v.About, got.exit, v.Exit,
				brief(got.stdout), brief(v.Stdout), brief(got.stderr), brief(v.Log))
		}
		if v.Exit != 0 && !badInput.MatchString(got.stderr) {
			t.Errorf("%s: stderr %s, want one line that starts with \"bad input: \"", v.About, brief(got.stderr))
		}
	}
}

func (b *smallBox) testManifest(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(b.folder, "runtime.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Name, Version, Language string
		Extensions              []string
		Memory                  int64
		Start                   string
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&manifest); err != nil {
		t.Fatal(err)
	}
	if manifest.Name != b.name || len(manifest.Extensions) == 0 || manifest.Extensions[0] != b.ext || manifest.Version == "" || manifest.Language == "" {
		t.Errorf("got %+v", manifest)
	}
}

func (b *smallBox) testImports(t *testing.T) {
	for _, f := range b.program.ImportedFunctions() {
		if module, name, _ := f.Import(); module != "wasi_snapshot_preview1" {
			t.Errorf("imports %s.%s", module, name)
		}
	}
	if memory := b.program.ExportedMemories()["memory"]; memory == nil || memory.Min() > 64 {
		t.Errorf("exports no memory or one that begins large: %v", memory)
	}
}

func (b *smallBox) testCheck(t *testing.T) {
	if got := b.run(t, b.greet(t), true, true, []byte("x")); got != (outcome{}) {
		t.Errorf("the sample: got %+v, want exit 0 and nothing said", got)
	}
	if b.wrong == "" {
		return
	}
	said := regexp.MustCompile(`^it\` + b.ext + `:2(:[0-9]+)?: .+\n$`)
	if got := b.run(t, b.wrong, true, false, nil); got.exit != 65 || got.stdout != "" || !said.MatchString(got.stderr) {
		t.Errorf("a wrong script: got %+v, want exit 65 and %s", got, said)
	}
	// Outside such a run it is an error like others.
	if got := b.run(t, b.wrong, false, true, nil); got.exit != 70 || !strings.Contains(got.stderr, "it"+b.ext+":2") {
		t.Errorf("a wrong script that runs: got %+v, want exit 70", got)
	}
}

func (b *smallBox) testFails(t *testing.T) {
	if got := b.run(t, b.fails, true, false, nil); got != (outcome{}) {
		t.Errorf("checked: got %+v, want exit 0 and nothing said", got)
	}
	where := "it" + b.ext + ":2"
	if b.lineless {
		where = "it" + b.ext + ":"
	}
	if got := b.run(t, b.fails, false, false, nil); got.exit != 70 || !strings.Contains(got.stderr, where) {
		t.Errorf("run: got %+v, want exit 70 and the line", got)
	}
}

// testQuiet looks at what a process asks for before it reads stdin: files, but not what differs from call to call.
func (b *smallBox) testQuiet(t *testing.T) {
	for _, initialized := range []bool{false, true} {
		b.run(t, b.greet(t), false, initialized, []byte(`{"name":"Ada"}`))
		open, read := 0, false
		for _, call := range *b.calls {
			switch {
			case call == "fd_read 0":
				read = true
			case call == "path_open":
				open++
			case strings.HasPrefix(call, "fd_close"):
				open--
			case strings.HasPrefix(call, "fd_prestat"), strings.HasPrefix(call, "path_"), call == "fd_fdstat_get 3", call == "fd_fdstat_get 4":
			case strings.HasPrefix(call, "fd_") && !strings.HasSuffix(call, " 0") && !strings.HasSuffix(call, " 1") && !strings.HasSuffix(call, " 2"):
			default:
				t.Errorf("calls %s before it reads stdin", call)
			}
			if read {
				break
			}
		}
		if !read {
			t.Errorf("stdin is not read: %q", *b.calls)
		}
		if open > 1 { // one try finds no /script/.polyvoke/check where that is looked for by opening it
			t.Errorf("%d descriptors are open where stdin is read: %q", open, *b.calls)
		}
	}
}

func (b *smallBox) testCase(t *testing.T, c smallCase) {
	for _, initialized := range []bool{false, true} {
		if got := b.run(t, c.script, false, initialized, []byte(c.stdin)); got != (outcome{c.stdout, c.stderr, c.exit}) {
			t.Errorf("initialized %v: got %+v, want %q, %q, exit %d", initialized, got, c.stdout, c.stderr, c.exit)
		}
	}
}
