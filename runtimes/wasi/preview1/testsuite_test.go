package preview1_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/wasi/preview1"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/sys"
)

// suiteDiffers are the programs of the public test suite that do not pass here, and why. Those
// that say themselves that they cannot write are not among them.
var suiteDiffers = map[string]string{
	"c/pwrite-with-access":       "it writes a file",
	"c/pwrite-with-append":       "it writes a file",
	"c/sock_shutdown-invalid_fd": "it takes descriptor 3 for closed, which is a folder here",
}

// suiteCase is what the suite says about a program.
type suiteCase struct {
	Args     []string          `json:"args"`
	Env      map[string]string `json:"env"`
	Root     string            `json:"root"`
	Stdout   string            `json:"stdout"`
	ExitCode uint32            `json:"exit_code"`
}

// TestPublicSuite runs the programs of the public WASI test suite, which WASI_TESTSUITE names: the folder tests of
// its branch prod/testsuite-base, where they are compiled. What is known not to pass must not pass: the list is to be
// true.
func TestPublicSuite(t *testing.T) {
	dir := os.Getenv("WASI_TESTSUITE")
	if dir == "" {
		t.Skip("WASI_TESTSUITE is not set")
	}
	programs, err := filepath.Glob(filepath.Join(dir, "*", "testsuite", "wasm32-wasip1", "*.wasm"))
	if err != nil || len(programs) < 50 {
		t.Fatalf("%d programs in %s, error %v", len(programs), dir, err)
	}
	for _, p := range programs {
		lang := filepath.Base(filepath.Dir(filepath.Dir(filepath.Dir(p))))
		name := lang + "/" + strings.TrimSuffix(filepath.Base(p), ".wasm")
		t.Run(name, func(t *testing.T) {
			why, known := suiteDiffers[name]
			complaint := runSuiteCase(t, p)
			switch {
			case strings.Contains(complaint, "Read-only file system"):
				t.Skip("it cannot write")
			case known && complaint == "":
				t.Errorf("it passes, though: %s", why)
			case !known && complaint != "":
				t.Error(complaint)
			}
		})
	}
}

// runSuiteCase runs a program of the suite, and returns what is wrong with what it did.
func runSuiteCase(t *testing.T, program string) string {
	module, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var c suiteCase
	if text, err := os.ReadFile(strings.TrimSuffix(program, ".wasm") + ".json"); err == nil {
		if err := json.Unmarshal(text, &c); err != nil {
			t.Fatal(err)
		}
	}
	var out, errs bytes.Buffer
	s := &preview1.State{Args: append([]string{filepath.Base(program)}, c.Args...), Stdout: &out, Stderr: &errs}
	if c.Root != "" {
		s.Mounts = []preview1.Mount{{Path: "/", Tree: tree(os.DirFS(filepath.Join(filepath.Dir(program), c.Root)))}}
	}
	for k, v := range c.Env {
		s.Env = append(s.Env, k+"="+v)
	}
	defer s.Reset()
	_, err = newEngine(t).InstantiateWithConfig(s.Begin(t.Context()), module, wazero.NewModuleConfig())
	var exit *sys.ExitError
	code := uint32(0)
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		what, _, _ := strings.Cut(err.Error(), "\n")
		return errs.String() + what
	}
	switch {
	case code != c.ExitCode:
		return fmt.Sprintf("%s: exit code %d", errs.String(), code)
	case c.Stdout != "" && out.String() != c.Stdout:
		return "it writes " + out.String()
	}
	return ""
}
