package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/polyvoke/polyvoke/cmd/internal/project"
)

// toolsEnv names the folder in which samples/tools.sh has installed tool chains. Where it is set, as make test does,
// those of the languages below must be there.
const (
	toolsEnv  = "SAMPLES_TOOLS"
	installed = "go c cpp rust zig as nim d"
	// large are those that download much, or build for minutes: make languages tests them.
	large = "java kotlin scala ocaml swift"
)

// TestLanguages begins, builds, runs, deploys and calls a function in each compiled language whose tool chain is on
// this machine. Where there is none, it expects that build says how to get it.
func TestLanguages(t *testing.T) {
	testLanguages(t, func(l project.Language) bool { return !slices.Contains(strings.Fields(large), l.Name) }, installed)
}

// testLanguages does that for the compiled languages that are wanted. Tool chains of some must be there if
// SAMPLES_TOOLS says where.
func testLanguages(t *testing.T, wanted func(project.Language) bool, installed string) {
	t.Helper()
	bin := buildPolyvoke(t, t.TempDir())
	tools, required := os.LookupEnv(toolsEnv)
	if !required {
		tools = filepath.Join("..", "..", "build", "tools")
	}
	tools, err := filepath.Abs(tools)
	if err != nil {
		t.Fatal(err)
	}
	useTool(t, "ASC", filepath.Join(tools, "assemblyscript", "node_modules", ".bin", "asc"))
	useTool(t, "ZIG", filepath.Join(tools, "zig", "bin", "zig"))
	useTool(t, "M2", filepath.Join(tools, "m2"))
	for _, l := range project.Languages() {
		if !l.Compiled() || !wanted(l) {
			continue
		}
		env, err := l.Find(t.Context(), ".")
		if err != nil && required && slices.Contains(strings.Fields(installed), l.Name) {
			t.Errorf("%s: %v", l.Name, err)
			continue
		}
		dir := "testdata/languages"
		if err != nil {
			t.Logf("%s: %v", l.Name, err)
			dir = "testdata/notools"
		}
		t.Run(l.Name, func(t *testing.T) {
			t.Parallel()
			scripts(t, dir, func(e *testscript.Env) {
				setLanguage(e, l)
				e.Setenv("BUILT", bin)
				e.Setenv("RUSTUP_HOME", rustupHome())
				e.Setenv("M2", os.Getenv("M2"))
				for _, kv := range env {
					k, v, _ := strings.Cut(kv, "=")
					e.Setenv(k, v)
				}
			})
		})
	}
}

// setLanguage tells a story about a language which it is, what its template reads, and what that replies.
func setLanguage(e *testscript.Env, l project.Language) {
	e.Setenv("LANGUAGE", l.Name)
	e.Setenv("IN", l.Request())
	e.Setenv("REPLY", strings.Replace(l.Request(), "in.", "ada.", 1))
	e.Setenv("BAD", strings.Replace(l.Request(), "in.", "bad.", 1))
}

// useTool names a tool by its variable, unless that has a value or the tool is not there.
func useTool(t *testing.T, name, path string) {
	if _, err := os.Stat(path); err == nil && os.Getenv(name) == "" {
		t.Setenv(name, path)
	}
}

// rustupHome returns where rustup keeps compilers; stories have another home.
func rustupHome() string {
	if dir := os.Getenv("RUSTUP_HOME"); dir != "" {
		return dir
	}
	home, _ := os.UserHomeDir() // without one there is no rustup
	return filepath.Join(home, ".rustup")
}

var liveOn = regexp.MustCompile(`live on (nats://[^;\s]+)`)

// devScript is the command dev.
func devScript(ts *testscript.TestScript, args []string) {
	d, lines := begin(ts, command(ts, append([]string{"polyvoke", "dev", "--listen", "127.0.0.1:0"}, args...)...))
	for lines.Scan() {
		ts.Logf("%s", lines.Text())
		m := liveOn.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		d.lines = make(chan string, 1000)
		go func() {
			defer close(d.lines)
			for lines.Scan() {
				d.lines <- lines.Text()
			}
		}()
		ts.Setenv("NATS_URL", m[1])
		ts.Value("servers").(map[string]*daemon)[""] = d
		return
	}
	ts.Fatalf("polyvoke dev ended: %s", d.log)
}

// awaitScript is the command await.
func awaitScript(ts *testscript.TestScript, args []string) {
	d, deadline := server(ts, nil), time.After(patience)
	for {
		select {
		case line, ok := <-d.lines:
			if !ok {
				ts.Fatalf("polyvoke dev ended before it printed %q: %s", args[0], d.log)
			}
			ts.Logf("%s", line)
			if strings.Contains(line, args[0]) {
				return
			}
		case <-deadline:
			ts.Fatalf("polyvoke dev has not printed %q: %s", args[0], d.log)
		}
	}
}
