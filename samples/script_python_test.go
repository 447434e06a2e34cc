//go:build runtimes

package samples_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"
)

// The tests here need the folder that RUNTIMES names: in it, the bundles python, ruby and perl that their recipes build.
// Ruby starts anew for each of some 200 requests, and takes a second or more to: give it -timeout 40m.

// An interpreter is a runtime's bundle, compiled.
type interpreter struct {
	sandbox
	program     wazero.CompiledModule
	args, check []string
	files       string
}

// A script is the files of one: their names and texts. The entry is the first.
type script []string

func openInterpreter(t *testing.T, name string) interpreter {
	t.Helper()
	folder := filepath.Join(os.Getenv("RUNTIMES"), name)
	data, err := os.ReadFile(filepath.Join(folder, "runtime.json"))
	if err != nil {
		t.Fatalf("%v: build it by runtimes/script/recipe/%s/build.sh, and name the folder that it is in in RUNTIMES", err, name)
	}
	var runtime struct{ Args, Check []string }
	if err := json.Unmarshal(data, &runtime); err != nil {
		t.Fatal(err)
	}
	wasm, err := os.ReadFile(filepath.Join(folder, "runtime.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	b := sandbox{t, wazero.NewRuntimeWithConfig(t.Context(), wazero.NewRuntimeConfigCompiler().
		WithCompilationCache(compiled).WithMemoryLimitPages(4*memoryPages).WithCoreFeatures(api.CoreFeaturesV2))}
	if _, err := wasi_snapshot_preview1.Instantiate(t.Context(), b.runtime); err != nil {
		t.Fatal(err)
	}
	return interpreter{b, b.compile(wasm), runtime.Args, runtime.Check, filepath.Join(folder, "files")}
}

// execute runs a script in a folder, or with check only checks its syntax.
func (i interpreter) execute(folder, entry string, check bool, args []string, stdin []byte) outcome {
	i.t.Helper()
	argv := i.args
	if check {
		argv = i.check
	}
	if argv == nil {
		argv = []string{"function"}
	}
	argv = append([]string{}, argv...)
	for k := range argv {
		argv[k] = strings.ReplaceAll(argv[k], "{entry}", "/script/"+entry)
	}
	var stdout, stderr bytes.Buffer
	config := wazero.NewModuleConfig().WithName("").WithArgs(append(argv, args...)...).
		WithStdin(bytes.NewReader(stdin)).WithStdout(&stdout).WithStderr(&stderr).
		WithSysWalltime().WithSysNanotime().WithRandSource(rand.Reader).
		WithFSConfig(wazero.NewFSConfig().WithReadOnlyDirMount(folder, "/script").WithReadOnlyDirMount(i.files, "/runtime"))
	m, err := i.runtime.InstantiateModule(i.t.Context(), i.program, config)
	if m != nil {
		defer m.Close(i.t.Context())
	}
	var exit *sys.ExitError
	if err != nil && !errors.As(err, &exit) {
		i.t.Errorf("trap: %v", err)
		return outcome{stdout.String(), stderr.String(), -1}
	}
	return outcome{stdout.String(), stderr.String(), int(exitCode(exit))}
}

// lay writes a script to a folder, with what the sandbox adds to it.
func (i interpreter) lay(s script, check bool) (folder, entry string) {
	i.t.Helper()
	folder, entry = i.t.TempDir(), s[0]
	files := append(script{".polyvoke/entry", entry + "\n"}, s...)
	if check {
		files = append(files, ".polyvoke/check", "")
	}
	for k := 0; k < len(files); k += 2 {
		name := filepath.Join(folder, files[k])
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			i.t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(files[k+1]), 0o666); err != nil {
			i.t.Fatal(err)
		}
	}
	return folder, entry
}

// greets runs the sample of the language on all vectors.
func (i interpreter) greets(sample string) {
	i.t.Helper()
	text, err := os.ReadFile(sample)
	if err != nil {
		i.t.Fatal(err)
	}
	i.t.Run("greet", func(t *testing.T) {
		i := i
		i.t = t
		folder, entry := i.lay(script{filepath.Base(sample), string(text)}, false)
		for _, v := range append(readVectors(t, "greet/vectors.json"), largeVectors()...) {
			i.holds(v, i.execute(folder, entry, false, v.Args, v.body()))
		}
	})
}

func (i interpreter) holds(v vector, got outcome) {
	i.t.Helper()
	if got.exit != v.Exit || got.stdout != v.Stdout || v.Log != "" && got.stderr != v.Log {
		i.t.Errorf("%s: exit %d, stdout %s, stderr %s; want %d, %s, %s", v.About,
			got.exit, brief(got.stdout), brief(got.stderr), v.Exit, brief(v.Stdout), brief(v.Log))
	}
	if v.Exit != 0 && !badInput.MatchString(got.stderr) {
		i.t.Errorf("%s: stderr %s, want one line that starts with \"bad input: \"", v.About, brief(got.stderr))
	}
}

// A scriptCase is a script and what must come of it. Stderr is a regular expression.
type scriptCase struct {
	about  string
	script script
	check  bool
	args   []string
	stdin  string
	stdout string
	stderr string
	exit   int
}

func (i interpreter) scripts(cases []scriptCase) {
	for _, c := range cases {
		i.t.Run(c.about, func(t *testing.T) {
			sub := i
			sub.t = t
			folder, entry := sub.lay(c.script, c.check)
			got := sub.execute(folder, entry, c.check, c.args, []byte(c.stdin))
			if got.exit != c.exit || got.stdout != c.stdout || !regexp.MustCompile("^(?s:"+c.stderr+")$").MatchString(got.stderr) {
				t.Errorf("exit %d, stdout %s, stderr %s; want %d, %s, %s", got.exit, brief(got.stdout), brief(got.stderr), c.exit, brief(c.stdout), c.stderr)
			}
		})
	}
}

func TestPython(t *testing.T) {
	i := openInterpreter(t, "python")
	i.greets("greet/python/greet.py")
	i.scripts([]scriptCase{
		{"input, arguments, a sibling", script{"app/main.py", "import helper, sys\nprint(helper.twice(sys.stdin.read()), sys.argv[1:])",
			"app/helper.py", "def twice(s): return s + s"}, false, []string{"a", "b c", ""}, "x", "xx ['a', 'b c', '']\n", "", 0},
		{"standard library", script{"a.py", "import zlib, decimal, re, datetime, hashlib, random\n" +
			"print(zlib.decompress(zlib.compress(b'x')), decimal.Decimal('0.1') * 3)"}, false, nil, "", "b'x' 0.3\n", "", 0},
		{"exit code", script{"a.py", "import sys\nprint('x')\nsys.exit(3)"}, false, nil, "", "x\n", "", 3},
		{"exit with a reason", script{"a.py", "exit('why')"}, false, nil, "", "", "why\n", 1},
		{"uncaught error", script{"a.py", "print('x')\ndef f(): 1/0\nf()"}, false, nil, "", "x\n",
			`Traceback .*File "/script/a\.py", line 3, .*File "/script/a\.py", line 2, .*ZeroDivisionError: division by zero\n`, 70},
		{"endless recursion", script{"a.py", "def f(): f()\nf()"}, false, nil, "", "", "Traceback .*RecursionError: .*", 70},
		{"no memory", script{"a.py", "x = []\nwhile True: x.append(bytearray(1 << 20))"}, false, nil, "", "", "Traceback .*MemoryError.*", 70},
		{"syntax error", script{"a.py", "x = 1\ny = = 2"}, false, nil, "", "", `  File "/script/a\.py", line 2\n.*SyntaxError: invalid syntax\n`, 70},
		{"checked", script{"a.py", "print('x')", "b.py", "1/0"}, true, nil, "", "", "", 0},
		{"checked errors", script{"a.py", "x = 1\ny = = 2", "b.py", "("}, true, nil, "", "", `a\.py:2:5: invalid syntax\nb\.py:1:1: '\(' was never closed\n`, 65},
	})
}

func TestRuby(t *testing.T) {
	i := openInterpreter(t, "ruby")
	i.greets("greet/ruby/greet.rb")
	i.scripts([]scriptCase{
		{"input, arguments, a sibling", script{"app/main.rb", "require_relative 'helper'\nputs twice($stdin.read), ARGV.inspect",
			"app/helper.rb", "def twice(s) = s + s"}, false, []string{"a", "b c", ""}, "x", "xx\n[\"a\", \"b c\", \"\"]\n", "", 0},
		{"standard library", script{"a.rb", "require 'set'\nrequire 'time'\nrequire 'digest'\nputs Digest::MD5.hexdigest('x')"}, false, nil, "", "9dd4e461268c8034f5c8564e155c67a6\n", "", 0},
		{"exit code", script{"a.rb", "at_exit { puts 'y' }\nputs 'x'\nexit 3"}, false, nil, "", "x\ny\n", "", 3},
		{"uncaught error", script{"a.rb", "puts 'x'\ndef f = raise('why')\nf"}, false, nil, "", "x\n",
			`/script/a\.rb:2:in 'Object#f': why \(RuntimeError\)\n\tfrom /script/a\.rb:3:in '<top \(required\)>'\n`, 70},
		{"endless recursion", script{"a.rb", "def f = f\nf"}, false, nil, "", "", `.*SystemStackError.*`, 70},
		{"syntax error", script{"a.rb", "x = 1\ny = ="}, false, nil, "", "", `.*/script/a\.rb:2: .*`, 70},
		{"checked", script{"a.rb", "puts 'x'", "b.rb", "raise 'x'"}, true, nil, "", "", "", 0},
		{"checked errors", script{"a.rb", "x = 1\ny = = 2", "b.rb", "("}, true, nil, "", "", `a\.rb:2:3: .*b\.rb:1:\d+: .*`, 65},
	})
}

func TestPerl(t *testing.T) {
	i := openInterpreter(t, "perl")
	i.greets("greet/perl/greet.pl")
	i.scripts([]scriptCase{
		{"input, arguments, a sibling", script{"main.pl", "use Helper;\nprint Helper::twice(join '', <STDIN>), \" @ARGV\\n\"",
			"Helper.pm", "package Helper; sub twice { $_[0] x 2 } 1"}, false, []string{"a", "b c"}, "x", "xx a b c\n", "", 0},
		{"standard library", script{"a.pl", "use JSON::PP; use Encode; use List::Util 'sum'; use Storable 'dclone';\nprint sum(1, 2), encode_json(dclone([1, {a => 'x'}])), \"\\n\""},
			false, nil, "", "3[1,{\"a\":\"x\"}]\n", "", 0},
		{"exit code", script{"a.pl", "print 'x'; exit 3"}, false, nil, "", "x", "", 3},
		{"uncaught error", script{"a.pl", "print 'x';\nsub f { die 'why' }\n$! = 0; f()"}, false, nil, "", "x", `why at /script/a\.pl line 2\.\n`, 255},
		{"syntax error", script{"a.pl", "my $x = 1;\nmy $y = = 2;\n"}, false, nil, "", "", `syntax error at /script/a\.pl line 2, .*`, 1},
		{"checked", script{"a.pl", "print 'x'"}, true, nil, "", "", "", 0},
		{"checked errors", script{"a.pl", "my $x = 1;\nmy $y = = 2;\n"}, true, nil, "", "", `a\.pl:2: syntax error.*`, 65},
	})
}
