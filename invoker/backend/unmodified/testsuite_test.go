package unmodified_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/sys"

	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/wasi/preview1"
)

// suiteCase is what the public test suite says about a program.
type suiteCase struct {
	Args     []string          `json:"args"`
	Env      map[string]string `json:"env"`
	Root     string            `json:"root"`
	Stdout   string            `json:"stdout"`
	ExitCode int               `json:"exit_code"`
}

// differs is what a program of the suite complains of: in a folder, and in buckets. Without a text it passes there.
type differs struct{ folder, there, why string }

// notSupported is what programs say of ENOTSUP.
const notSupported = "Errno { code: 58"

// Why programs of the suite do not pass.
const (
	noLinks = "there are no links"
	noTimes = "a key and an object have the time of their revision, whatever a process says"
)

// suiteDiffers are the programs that do not pass everywhere. What is listed here must be so: the list is to be true.
var suiteDiffers = map[string]differs{
	"rust/nofollow_errors":  {notSupported, notSupported, noLinks},
	"rust/path_exists":      {notSupported, notSupported, noLinks},
	"rust/path_link":        {notSupported, notSupported, noLinks},
	"rust/readlink":         {notSupported, notSupported, noLinks},
	"rust/symlink_create":   {notSupported, notSupported, noLinks},
	"rust/symlink_filestat": {notSupported, notSupported, noLinks},
	"rust/fd_filestat_set": {"atim should not change", "mtim should change",
		noTimes + "; and no tree keeps times of access, which are those of the last change"},
	"rust/path_filestat": {"", "mtim should change", noTimes},
}

// TestPublicSuite runs the programs with files of the public WASI test suite on each place; see TestPublicSuite of
// runtimes/wasi/preview1 for where it comes from.
func TestPublicSuite(t *testing.T) {
	dir := os.Getenv("WASI_TESTSUITE")
	if dir == "" {
		t.Skip("WASI_TESTSUITE is not set")
	}
	programs, err := filepath.Glob(filepath.Join(dir, "*", "testsuite", "wasm32-wasip1", "*.wasm"))
	if err != nil || len(programs) < 50 {
		t.Fatalf("%d programs in %s, error %v", len(programs), dir, err)
	}
	w := newWorld(t)
	for _, program := range programs {
		var c suiteCase
		if text, err := os.ReadFile(strings.TrimSuffix(program, ".wasm") + ".json"); err == nil {
			if err := json.Unmarshal(text, &c); err != nil {
				t.Fatal(err)
			}
		}
		if c.Root == "" {
			continue
		}
		lang := filepath.Base(filepath.Dir(filepath.Dir(filepath.Dir(program))))
		name := lang + "/" + strings.TrimSuffix(filepath.Base(program), ".wasm")
		t.Run(name, func(t *testing.T) { testSuiteCase(t, w, program, name, c) })
	}
}

// testSuiteCase runs one program on each place.
func testSuiteCase(t *testing.T, w *world, program, name string, c suiteCase) {
	module, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	content := without(filesOf(t, filepath.Join(filepath.Dir(program), c.Root)), ".keep") // which holds a folder for git
	d := suiteDiffers[name]
	var left map[string]string
	for _, p := range places() {
		s := w.scene(p)
		s.fill(content)
		complaint, want := c.run(s, module, filepath.Base(program)), d.there
		if p.name == folder {
			want = d.folder
		}
		switch {
		case want == "" && complaint != "":
			t.Errorf("%s: %s", p.name, complaint)
		case !strings.Contains(complaint, want):
			t.Errorf("%s: %q, want %q, because %s", p.name, complaint, want, d.why)
		}
		got := s.content()
		if p.name == folder {
			left = got
		} else if d.why == "" && !maps.Equal(left, got) {
			t.Errorf("%s: there are %v, want %v", p.name, got, left)
		}
	}
}

// run runs a program, and returns what is wrong with what it did. The topmost folder is the place, which functions
// cannot have, so this is done without the sandbox that they have.
func (c suiteCase) run(s *scene, module []byte, name string) string {
	var out, errs bytes.Buffer
	code := 0
	err := s.use(func(tree files.Tree) error {
		p := &preview1.State{Args: append([]string{name}, c.Args...), Stdout: &out, Stderr: &errs,
			Mounts: []preview1.Mount{{Path: "/", Tree: tree}}}
		for k, v := range c.Env {
			p.Env = append(p.Env, k+"="+v)
		}
		defer p.Reset()
		_, err := newEngine(s).InstantiateWithConfig(p.Begin(s.Context()), module, wazero.NewModuleConfig())
		var exit *sys.ExitError
		if errors.As(err, &exit) {
			if code = int(exit.ExitCode()); code == c.ExitCode {
				return nil
			}
		}
		return err
	})
	switch {
	case err != nil:
		what, _, _ := strings.Cut(err.Error(), "\n")
		return errs.String() + what
	case code != c.ExitCode:
		return fmt.Sprintf("exit code %d", code)
	case c.Stdout != "" && out.String() != c.Stdout:
		return "it writes " + out.String()
	}
	return ""
}

// newEngine returns a runtime of modules that speak preview1.
func newEngine(t testing.TB) wazero.Runtime {
	t.Helper()
	r := wazero.NewRuntimeWithConfig(t.Context(), wazero.NewRuntimeConfigInterpreter())
	t.Cleanup(func() { r.Close(context.Background()) })
	b := r.NewHostModuleBuilder(preview1.ModuleName)
	for _, f := range preview1.Functions() {
		b.NewFunctionBuilder().WithGoModuleFunction(f.Call, f.Params, f.Results).Export(f.Name)
	}
	if _, err := b.Instantiate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}
