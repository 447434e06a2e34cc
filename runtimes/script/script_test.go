package script_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"go.uber.org/goleak"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/script"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// folder holds compiled modules, and the interpreter.
var folder string

func TestMain(m *testing.M) {
	var err error
	if folder, err = os.MkdirTemp("", "script"); err != nil {
		panic(err)
	}
	code := m.Run()
	err = closeShared()
	os.RemoveAll(folder)
	if code == 0 {
		if err := errors.Join(err, goleak.Find()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// interpreter builds testdata/lines for wasip1, once.
var interpreter = sync.OnceValues(func() ([]byte, error) {
	out := filepath.Join(folder, "lines.wasm")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, "./testdata/lines")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
	if b, err := cmd.CombinedOutput(); err != nil {
		return nil, errors.New(err.Error() + "\n" + string(b))
	}
	return os.ReadFile(out)
})

// source is a script.Source of bundles by reference.
type source map[string][]byte

// Bundle implements script.Source.
func (s source) Bundle(_ context.Context, ref string) (string, func() ([]byte, error), error) {
	b, ok := s[ref]
	if !ok {
		return "", nil, &runtimes.ModuleError{Reason: "there is no runtime " + ref + ": add it"}
	}
	return ref, func() ([]byte, error) { return b, nil }, nil
}

// bundle packs the interpreter of the tests, with what runtime.json says.
func bundle(t testing.TB, info string) []byte {
	t.Helper()
	module, err := interpreter()
	if err != nil {
		t.Fatal(err)
	}
	b, err := script.PackBundle(fstest.MapFS{"runtime.json": {Data: []byte(info)}, "runtime.wasm": {Data: module},
		"files/words.txt": {Data: []byte("from the library\n")}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// shared is the Runtime of all tests, with the languages lines, foreign (whose interpreter gets arguments) and shout. A
// script of each is there all the time, so that interpreters are compiled once.
var shared struct {
	sync.Once
	r       *script.Runtime
	modules *wasi.Runtime
	kept    []runtimes.Program
	err     error
}

// newRuntime returns the Runtime of all tests.
func newRuntime(t testing.TB) *script.Runtime {
	t.Helper()
	shared.Do(func() {
		ctx := context.Background()
		if shared.modules, shared.err = wasi.New(ctx, wasi.Config{CacheDir: folder}); shared.err != nil {
			return
		}
		shared.r = script.New(shared.modules, source{
			"lines": bundle(t, `{"name":"lines","version":"1","language":"Lines","extensions":[".lines"]}`),
			"foreign": bundle(t, `{"name":"foreign","version":"1","language":"Lines","args":["lines","{entry}"],"check":["lines","-c","{entry}"],
			"env":{"HOME":"/script"}}`),
			"shout": bundle(t, `{"name":"shout","version":"1","language":"Shout","compile":{"module":"runtime.wasm"}}`),
		})
		for _, name := range []string{"lines", "foreign", "shout"} {
			p, err := shared.r.Compile(ctx, pack(t, "a.lines", "say x"),
				runtimes.Options{Interpreter: name, Start: runtimes.StartFresh})
			if err != nil {
				shared.err = err
				return
			}
			shared.kept = append(shared.kept, p)
		}
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.r
}

// closeShared closes what newRuntime has opened.
func closeShared() error {
	if shared.modules == nil {
		return nil
	}
	ctx := context.Background()
	var errs []error
	for _, p := range shared.kept {
		errs = append(errs, p.Close(ctx))
	}
	return errors.Join(append(errs, shared.r.Close(ctx), shared.modules.Close(ctx))...)
}

// files makes a folder of names and contents.
func files(list ...string) fs.FS {
	m := fstest.MapFS{}
	for i := 0; i < len(list); i += 2 {
		m[list[i]] = &fstest.MapFile{Data: []byte(list[i+1])}
	}
	return m
}

// pack packs a script whose first file is the entry.
func pack(t testing.TB, list ...string) []byte {
	t.Helper()
	b, err := script.Pack(files(list...), list[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// call runs a script once and returns its stdout.
func call(t testing.TB, p runtimes.Program, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := p.Run(t.Context(), &runtimes.Process{Args: append([]string{"fn"}, args...), Env: []string{"A=b"},
		Stdin: strings.NewReader("body"), Stdout: &out, Stderr: os.Stderr})
	return out.String(), err
}

func TestScripts(t *testing.T) {
	r := newRuntime(t)
	for _, c := range []struct {
		name, interpreter string
		files             []string
		want              string
	}{
		{"one file", "lines", []string{"a.lines", "say hello\nread"}, "hello\nBODY"},
		{"arguments", "lines", []string{"a.lines", "args\nenv"}, "fn,x\nA=b\n"},
		{"a foreign interpreter's arguments", "foreign", []string{"d/a.lines", "args\nenv"},
			"lines,/script/d/a.lines,x\nHOME=/script,A=b\n"},
		{"several files", "lines",
			[]string{"d/a.lines", "include b.lines\ninclude ../c.lines", "d/b.lines", "say b", "c.lines", "say c"}, "b\nc\n"},
		{"library", "lines", []string{"a.lines", "library words.txt"}, "from the library\n"},
		{"translated", "shout", []string{"a.shout", "SAY hello\ninclude b.shout", "b.shout", "SAY there"}, "hello\nthere\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, kind := range []string{runtimes.StartAuto, runtimes.StartFresh, runtimes.StartReset} {
				p, err := r.Compile(t.Context(), pack(t, c.files...), runtimes.Options{Interpreter: c.interpreter, Start: kind})
				if err != nil {
					t.Fatal(err)
				}
				for range 3 {
					if got, err := call(t, p, "x"); err != nil || got != c.want {
						t.Errorf("%s: got %q and the error %v, want %q", kind, got, err, c.want)
					}
				}
				if err := p.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestFrozen checks that what a script does before it reads stdin can have been done before a request comes.
func TestFrozen(t *testing.T) {
	r := newRuntime(t)
	for _, kind := range []string{runtimes.StartPrefork, runtimes.StartCheckpoint} {
		p, err := r.Compile(t.Context(), pack(t, "a.lines", "say top\nread\nargs"),
			runtimes.Options{Interpreter: "foreign", Start: kind, Args: []string{"fn"}, Env: []string{"A=b"}})
		if err != nil {
			t.Fatal(err)
		}
		frozen := 0
		for range 50 {
			var out bytes.Buffer
			of := runtimes.Process{Args: []string{"fn"}, Env: []string{"A=b"}, Stdin: strings.NewReader("body"), Stdout: &out}
			if err := p.Run(t.Context(), &of); err != nil || out.String() != "top\nBODYlines,/script/a.lines\n" {
				t.Fatalf("%s: got %q and the error %v", kind, out.String(), err)
			}
			if of.Usage.Start == kind {
				frozen++
			}
		}
		if frozen == 0 {
			t.Errorf("%s: no process was started before", kind)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestRefused(t *testing.T) {
	r := newRuntime(t)
	plain := func(list ...string) []byte { // an archive that Pack would not make
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for i := 0; i < len(list); i += 2 {
			w, err := z.Create(list[i])
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(w, list[i+1])
		}
		z.Close()
		return b.Bytes()
	}
	module, err := interpreter()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, interpreter string
		module            []byte
		want              string
	}{
		{"syntax", "lines", pack(t, "d/a.lines", "say hello\nshout there"), `d/a.lines:2:1: there is no word "shout"`},
		{"syntax, translated", "shout", pack(t, "a.shout", "WHISPER"), "a.shout:1: nobody whispers here"},
		{"no runtime", "", pack(t, "a.lines", "say x"),
			`the script needs a runtime, such as runtime = "python" in its manifest`},
		{"unknown runtime", "cobol", pack(t, "a.lines", "say x"), "there is no runtime cobol: add it"},
		{"a module", "lines", module, "the runtime lines runs scripts, and this is none"},
		{"no archive", "lines", []byte("PK\x03\x04rest"), "the script cannot be read: it is no zip archive"},
		{"no entry", "lines", plain("a.lines", "say x"), ".polyvoke/entry is missing"},
		{"entry is not there", "lines", plain(".polyvoke/entry", "b.lines\n", "a.lines", "say x"),
			`the script has no file "b.lines", which is the one to run`},
		{"entry is itself", "lines", plain(".polyvoke/entry", ".polyvoke/entry\n"), "which is the one to run"},
		{"ours", "lines", plain(".polyvoke/entry", "a\n", "a", "", ".polyvoke/check", ""),
			"the folder .polyvoke is not for scripts"},
		{"out of the folder", "lines", plain("../a", ""), "that is no path in a folder"},
		{"absolute", "lines", plain("/a", ""), "that is no path in a folder"},
		{"twice", "lines", plain("a", "1", "a", "2"), "it is there twice"},
		{"file and folder", "lines", plain("a", "1", "a/b", "2"), `"a" is a file and a folder`},
		{"large", "lines", plain("a", strings.Repeat("x", script.MaxSize/2), "b", strings.Repeat("x", script.MaxSize/2+1)),
			"all files together are too large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := r.Compile(t.Context(), c.module, runtimes.Options{Interpreter: c.interpreter})
			var refused *runtimes.ModuleError
			if !errors.As(err, &refused) || !strings.Contains(refused.Reason, c.want) {
				t.Errorf("got the error %v, want a ModuleError with %q", err, c.want)
			}
		})
	}
}

func TestPack(t *testing.T) {
	all := files("main.lines", "say x", "lib/a.lines", "say a", ".git/config", "x", "out/b", "y", "lib/.hidden", "z")
	b, err := script.Pack(all, "main.lines", func(name string) bool { return name == "out" })
	if err != nil {
		t.Fatal(err)
	}
	again, err := script.Pack(all, "main.lines", func(name string) bool { return name == "out" })
	if err != nil || !bytes.Equal(b, again) {
		t.Errorf("the same files give other bytes, and the error %v", err)
	}
	s, err := script.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(s.Files(), "main.lines", "lib/a.lines", ".polyvoke/entry"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{".git", "out", "lib/.hidden"} {
		if _, err := fs.Stat(s.Files(), name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is in the script: %v", name, err)
		}
	}
	if s.Entry != "main.lines" || !script.Is(b) || script.Is([]byte("\x00asm")) || script.Is(nil) {
		t.Errorf("entry %q", s.Entry)
	}
	if _, err := script.Pack(all, "none", nil); err == nil {
		t.Error("a script without its entry was packed")
	}
}

// TestShared has many scripts use one interpreter at once, come and go.
func TestShared(t *testing.T) {
	r := newRuntime(t)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for range 3 {
				p, err := r.Compile(t.Context(), pack(t, "a.lines", fmt.Sprintf("say %d\nread", i)),
					runtimes.Options{Interpreter: "lines"})
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := call(t, p); err != nil || got != fmt.Sprintf("%d\nBODY", i) {
					t.Errorf("got %q and the error %v", got, err)
				}
				if err := errors.Join(p.Close(t.Context()), p.Close(t.Context())); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestBundles(t *testing.T) {
	for _, c := range []struct{ name, info, want string }{
		{"no JSON", "", "runtime.json: EOF"},
		{"unknown key", `{"name":"a","version":"1","language":"A","sart":"x"}`, "unknown field"},
		{"name", `{"name":"A b","version":"1","language":"A"}`, "lower-case letters"},
		{"no version", `{"name":"a","language":"A"}`, "must have a version"},
		{"start", `{"name":"a","version":"1","language":"A","start":"prefork"}`, "use checkpoint"},
		{"memory", `{"name":"a","version":"1","language":"A","memory":4294967296}`, "less than 4 GiB"},
		{"extension", `{"name":"a","version":"1","language":"A","extensions":["py"]}`, "extensions look like .py"},
		{"argument", `{"name":"a","version":"1","language":"A","args":["a\u0000"]}`, "NUL"},
		{"variable", `{"name":"a","version":"1","language":"A","env":{"A=B":"c"}}`, "cannot be a variable"},
		{"compiler", `{"name":"a","version":"1","language":"A","compile":{"module":"c.wasm"}}`, `no file "c.wasm"`},
	} {
		_, err := script.PackBundle(files("runtime.json", c.info, "runtime.wasm", "x"))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got the error %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := script.PackBundle(files("runtime.json", `{"name":"a","version":"1","language":"A"}`)); err == nil ||
		!strings.Contains(err.Error(), "runtime.wasm") {
		t.Errorf("without a module: %v", err)
	}
}

// FuzzParse checks that no archive does harm, and that what was read can be read again.
func FuzzParse(f *testing.F) {
	f.Add(pack(f, "a.lines", "say hello", "b/c.lines", "say there"))
	f.Add([]byte("PK\x03\x04"))
	for _, c := range hostile(f) {
		if len(c.archive) < 100_000 {
			f.Add(c.archive)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s *script.Script
		var err error
		if got := allocated(func() { s, err = script.Parse(b) }); got > mostAllocated {
			t.Errorf("%d MiB were allocated for %d bytes", got>>20, len(b))
		}
		if err != nil {
			return
		}
		again, err := script.Pack(s.Files(), s.Entry, nil)
		if err != nil {
			return // files whose names begin with a dot stay out
		}
		if _, err := script.Parse(again); err != nil {
			t.Errorf("packed again, it cannot be read: %v", err)
		}
	})
}

// FuzzParseBundle checks that no bundle does harm.
func FuzzParseBundle(f *testing.F) {
	b, err := script.PackBundle(files("runtime.json", `{"name":"a","version":"1","language":"A"}`,
		"runtime.wasm", "x", "files/a", "b"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := script.ParseBundle(b)
		i, checkErr := script.CheckBundle(b)
		if (err == nil) != (checkErr == nil) || err == nil && i.Name != r.Name {
			t.Errorf("read: %v; checked: %v", err, checkErr)
		}
		if _, infoErr := script.ParseInfo(b); err == nil && infoErr != nil {
			t.Errorf("read, but its description is not: %v", infoErr)
		}
		if err == nil && (r.Name == "" || r.Version == "") {
			t.Errorf("a bundle without a name or version: %+v", r.Info)
		}
	})
}
