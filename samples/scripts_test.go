//go:build runtimes

package samples_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/script"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// An interpreter is what is particular to one, beside the greeting that all give. `make scripts-test` says in the
// environment which ones are to be tested, none named being all, and where their bundles are: INTERPRETERS, RUNTIMES.
type interpreter struct {
	name  string
	entry string // of scripts that are one file

	// slow is a script that works for a while and only then reads stdin. It writes, with blanks between: what the
	// work gave, that is "done"; stdin; what differs from call to call, a random number or the time, or - if the
	// language has neither; and the first argument.
	slow string

	// draws is a script that also draws of what differs before it reads stdin, and writes what it has drawn before
	// and after.
	draws string

	cases []scriptCase
}

// A scriptCase is a script and what must come of it: that it is refused, or what a call gives.
type scriptCase struct {
	about  string
	entry  string            // empty means the interpreter's
	text   string            // of the entry
	files  map[string]string // the others
	args   []string
	stdin  string
	memory uint64 // its limit; 0 means the default

	refused []string // what the reason contains, in this order; nil means that the script is not refused
	stdout  string
	stderr  string   // all of it
	says    []string // what is in stderr, in this order, if not all of it is known
	exit    int
}

// interpreters returns all of them.
func interpreters() []interpreter {
	return []interpreter{
		javascript(), typescript(), lua(), micropython(), python(), ruby(), perl(), sqlite(), tcl(), awk(), jq(),
		mruby(), scheme(),
	}
}

// bundleFolder is where `make runtimes` leaves interpreters. It implements script.Source.
type bundleFolder string

// Bundle returns an interpreter.
func (d bundleFolder) Bundle(_ context.Context, ref string) (string, func() ([]byte, error), error) {
	path := filepath.Join(string(d), ref+".runtime.zip")
	if _, err := os.Stat(path); err != nil {
		return "", nil, err
	}
	return ref, func() ([]byte, error) { return os.ReadFile(path) }, nil
}

// TestScripts runs scripts of each interpreter as functions are run, but without NATS.
func TestScripts(t *testing.T) {
	all, named := interpreters(), strings.Fields(os.Getenv("INTERPRETERS"))
	for _, name := range named {
		if !slices.ContainsFunc(all, func(i interpreter) bool { return i.name == name }) {
			t.Errorf("there are no tests for the interpreter %s", name)
		}
	}
	r := newScriptRuntime(t)
	for _, i := range all {
		if named == nil || slices.Contains(named, i.name) {
			t.Run(i.name, func(t *testing.T) {
				t.Parallel() // an interpreter is compiled by one processor
				i.test(t, r)
			})
		}
	}
}

// newScriptRuntime returns a runtime that keeps what it compiles where polyvoke run does, or in the folder COMPILED.
func newScriptRuntime(t *testing.T) *script.Runtime {
	t.Helper()
	folder := os.Getenv("COMPILED")
	if folder == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		folder = filepath.Join(cache, "polyvoke", "modules")
	}
	modules, err := wasi.New(t.Context(), wasi.Config{CacheDir: folder, MaxModule: script.MaxBundle})
	if err != nil {
		t.Fatal(err)
	}
	r := script.New(modules, bundleFolder(os.Getenv("RUNTIMES")))
	t.Cleanup(func() {
		if err := errors.Join(r.Close(context.Background()), modules.Close(context.Background())); err != nil {
			t.Error(err)
		}
	})
	return r
}

// test tests one. While a script of it is there, others need not prepare it again.
func (i interpreter) test(t *testing.T, r *script.Runtime) {
	slow := i.compile(t, r, scriptCase{about: "slow", text: i.slow}, runtimes.StartAuto)
	t.Run("frozen", func(t *testing.T) { i.testFrozen(t, slow) })
	if i.draws != "" {
		t.Run("draws", func(t *testing.T) {
			i.testDraws(t, i.compile(t, r, scriptCase{about: "draws", text: i.draws}, runtimes.StartAuto))
		})
	}
	t.Run("replay", func(t *testing.T) { i.testReplay(t, r) })
	for _, c := range i.cases {
		t.Run(c.about, func(t *testing.T) { i.testCase(t, r, c) })
	}
}

// pack makes a function of a script.
func (i interpreter) pack(t *testing.T, c scriptCase) []byte {
	t.Helper()
	entry := cmp.Or(c.entry, i.entry)
	files := fstest.MapFS{}
	for name, text := range c.files {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	if c.text != "" || files[entry] == nil {
		files[entry] = &fstest.MapFile{Data: []byte(c.text)}
	}
	b, err := script.Pack(files, entry, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// scriptEnvironment is that of all calls.
func scriptEnvironment() []string { return []string{"WHO=me", "SUM=1+1=2"} }

// options are those of a script's program.
func (i interpreter) options(c scriptCase, start string) runtimes.Options {
	return runtimes.Options{Interpreter: i.name, Start: start, Memory: c.memory, Args: []string{"fn"},
		Env: scriptEnvironment()}
}

// compile returns a program, which the test closes.
func (i interpreter) compile(t *testing.T, r *script.Runtime, c scriptCase, start string) runtimes.Program {
	t.Helper()
	p, err := r.Compile(t.Context(), i.pack(t, c), i.options(c, start))
	if err != nil {
		t.Fatalf("%s: %v: have `make runtimes` build it, and name its folder in RUNTIMES", i.name, err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

// runScript runs a program once, and returns how the process came to be.
func runScript(t *testing.T, p runtimes.Program, stdin string, args ...string) (outcome, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runTimeout)
	defer cancel()
	var stdout, stderr bytes.Buffer
	of := runtimes.Process{Args: append([]string{"fn"}, args...), Env: scriptEnvironment(),
		Stdin:  strings.NewReader(stdin),
		Stdout: &stdout, Stderr: &stderr, Files: files.Static(files.Map{"id": []byte("1")})}
	err := p.Run(ctx, &of)
	var exit *runtimes.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Errorf("the process failed: %v", err)
		return outcome{stdout.String(), stderr.String(), -1}, of.Usage.Start
	}
	got := outcome{stdout: stdout.String(), stderr: stderr.String()}
	if exit != nil {
		got.exit = int(exit.Code)
	}
	return got, of.Usage.Start
}

// testCase runs a script in a new sandbox, or has it refused.
func (i interpreter) testCase(t *testing.T, r *script.Runtime, c scriptCase) {
	if c.refused != nil {
		i.testRefused(t, r, c)
		return
	}
	got, _ := runScript(t, i.compile(t, r, c, runtimes.StartFresh), c.stdin, c.args...)
	if got.exit != c.exit || got.stdout != c.stdout {
		t.Errorf("exit %d, want %d; stdout %s, want %s; stderr\n%s", got.exit, c.exit, brief(got.stdout),
			brief(c.stdout), got.stderr)
	}
	if c.says == nil && got.stderr != c.stderr {
		t.Errorf("stderr\n%s, want\n%s", got.stderr, c.stderr)
	}
	contains(t, "stderr", got.stderr, c.says)
}

// testRefused checks that a script is refused before it runs, with its reason.
func (i interpreter) testRefused(t *testing.T, r *script.Runtime, c scriptCase) {
	p, err := r.Compile(t.Context(), i.pack(t, c), i.options(c, runtimes.StartFresh))
	var refused *runtimes.ModuleError
	if !errors.As(err, &refused) {
		t.Errorf("got the error %v, want that the script is refused with %q", err, c.refused)
	} else {
		contains(t, "the reason", refused.Reason, c.refused)
	}
	if p != nil {
		t.Error(p.Close(t.Context()))
	}
}

// contains holds a text to what must be in it, in this order.
func contains(t *testing.T, what, text string, parts []string) {
	t.Helper()
	rest := text
	for _, part := range parts {
		_, after, ok := strings.Cut(rest, part)
		if !ok {
			t.Errorf("%s is\n%s, want %q in it, in this order", what, text, parts)
			return
		}
		rest = after
	}
}

// testFrozen checks that a script that is slow to start and draws nothing before it reads stdin is started once, and
// that calls of it differ nevertheless.
func (i interpreter) testFrozen(t *testing.T, p runtimes.Program) {
	const want = runtimes.StartCheckpoint
	if start := p.Start(); start.Kind != want {
		t.Errorf("a script that is slow to start comes to be by %s, want %s: %s", start.Kind, want, start.Reason)
	}
	frozen, drawn := 0, map[string]bool{}
	for n, arg := range []string{"", "one", "two", "", "one", ""} {
		body := strings.Repeat("7", n+1)
		args := []string{arg}
		if arg == "" {
			args, arg = nil, "none"
		}
		got, start := runScript(t, p, body, args...)
		words := strings.Fields(got.stdout)
		if got.exit != 0 || got.stderr != "" || len(words) != 4 || words[0] != "done" || words[1] != body || words[3] != arg {
			t.Errorf("call %d: got %+v, want %q, the body, what differs, and the argument %q", n, got, "done", arg)
			continue
		}
		if words[2] != "-" && drawn[words[2]] {
			t.Errorf("call %d: %s was drawn before", n, words[2])
		}
		drawn[words[2]] = true
		if start == want {
			frozen++
		}
	}
	if frozen == 0 {
		t.Errorf("no process came to be by %s", want)
	}
}

// testDraws checks that calls draw different numbers, before they read stdin and after it.
func (i interpreter) testDraws(t *testing.T, p runtimes.Program) {
	drawn := map[string]bool{}
	for n := range 4 {
		got, start := runScript(t, p, "x")
		words := strings.Fields(got.stdout)
		if got.exit != 0 || got.stderr != "" || len(words) != 2 || words[0] == words[1] {
			t.Fatalf("got %+v, want two numbers", got)
		}
		for _, number := range words {
			if drawn[number] {
				t.Errorf("call %d, by %s: %s was drawn before", n, start, number)
			}
			drawn[number] = true
		}
	}
}
