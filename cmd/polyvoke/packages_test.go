//go:build runtimes

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/cmd/internal/interpreters"
)

// packagesEnv names a folder into which pip has installed idna and Jinja2, as make python-packages does.
const packagesEnv = "PYTHON_PACKAGES"

// usesPackages needs both, and what Jinja2 needs: MarkupSafe, which has a part in machine code and one in Python for
// where that does not run.
const usesPackages = `import sys
import idna, jinja2, importlib.metadata
name = sys.stdin.read().strip()
greeting = jinja2.Template("Hello {{ name|e }}!").render(name=name)
print(greeting, idna.encode("faß.de").decode(), importlib.metadata.version("jinja2"))
`

// TestPythonPackages runs, deploys and calls a script beside which pip has installed packages of PyPI: in its own
// folder without a manifest and with one, and in a folder of packages there.
func TestPythonPackages(t *testing.T) {
	packages := os.Getenv(packagesEnv)
	if packages == "" {
		t.Fatal(packagesEnv + " must name a folder of installed packages: make python-test does it")
	}
	bundle, err := interpreters.Folder(os.Getenv(runtimesEnv)).Get("python")
	if err != nil {
		t.Fatal(err)
	}
	bin := binaryWith(t)
	cache := t.TempDir()
	if _, err := interpreters.Folder(filepath.Join(cache, "polyvoke", "runtimes")).Put(bundle); err != nil {
		t.Fatal(err)
	}
	do := func(folder, stdin string, args ...string) string {
		cmd := bare(bin, folder, args...)
		cmd.Env = append(cmd.Env, "XDG_CACHE_HOME="+cache, "NATS_TIMEOUT=1m")
		cmd.Stdin = strings.NewReader(stdin)
		return output(t, cmd)
	}
	url := serveBare(t, bin, t.TempDir())
	for _, c := range []struct{ name, file, packages, manifest string }{
		{"alone", "main.py", ".", ""},
		{"manifest", ".", ".", "script = \"main.py\"\n"},
		{"folder", "main.py", "packages", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			if err := os.CopyFS(filepath.Join(folder, c.packages), os.DirFS(packages)); err != nil {
				t.Fatal(err)
			}
			write := func(name, text string) {
				if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write("main.py", usesPackages)
			if c.manifest != "" {
				write("polyvoke.toml", c.manifest)
			}
			const want = "Hello &lt;Ada&gt;! xn--fa-hia.de 3.1.6\n"
			if got := do(folder, "<Ada>", "run", "--timeout", "1m", c.file); got != want {
				t.Errorf("polyvoke run printed %q, want %q", got, want)
			}
			// Each sees what there is to warn of: code that does not run here.
			got := do(folder, "", "deploy", c.file, "--name", c.name, "--timeout", "1m", "--server", url, "--json")
			if !strings.Contains(got, "_speedups.") || !strings.Contains(got, "left out") {
				t.Errorf("polyvoke deploy does not warn of the code for a machine:\n%s", got)
			}
			if got := do(folder, "", "call", c.name, "<Ada>", "--server", url); got != want {
				t.Errorf("polyvoke call printed %q, want %q", got, want)
			}
		})
	}
}
