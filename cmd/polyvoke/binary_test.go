//go:build runtimes

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/cmd/internal/interpreters"
)

// binaryWith builds the command as users have it, with these runtimes in it and no others, whatever make has embedded.
// It is the only file of an empty folder. The profile changes nothing here, and what is built without it is in the
// build cache.
func binaryWith(t *testing.T, embedded ...string) string {
	t.Helper()
	const folder = "../internal/interpreters/embedded/"
	replace := map[string]string{}
	abs := func(path string) string {
		p, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	there, err := filepath.Glob(folder + "*.runtime.zip")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range there {
		replace[abs(file)] = "" // as if it were not there
	}
	for _, name := range embedded {
		from := filepath.Join(os.Getenv(runtimesEnv), name+".runtime.zip")
		if _, err := os.Stat(from); err != nil {
			t.Fatalf("%v: %s must name the folder of built runtimes: make binary-test does it", err, runtimesEnv)
		}
		replace[abs(folder+name+".runtime.zip")] = abs(from)
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), "polyvoke")
	build := exec.Command("go", "build", "-overlay", overlay, "-pgo=off", "-o", bin, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// bare makes a command of a binary in a folder, with nothing in its environment but what makes it find nothing.
func bare(bin, folder string, args ...string) *exec.Cmd {
	cmd := exec.Command(bin, args...)
	cmd.Dir, cmd.Env = folder, []string{"HOME=", "PATH="}
	return cmd
}

// output runs a command and returns its stdout. It must end as it should.
func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", cmd, err, &stdout, &stderr)
	}
	return stdout.String()
}

// serveBare starts polyvoke serve, and returns the URL that it serves on.
func serveBare(t *testing.T, bin, folder string) string {
	t.Helper()
	store := filepath.Join(folder, "store")
	served, lines, end, err := start(bare(bin, folder, "serve", "--listen", "127.0.0.1:0", "--store", store))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	url := servingURL(lines)
	if url == "" {
		t.Fatalf("polyvoke serve does not serve: %s", served.log)
	}
	return url
}

// TestBinaryAlone does what a user does first on a machine that has a released polyvoke and nothing else: no home, no
// program in PATH, nothing in the folder. Scripts run there with a server and without.
func TestBinaryAlone(t *testing.T) {
	bin := binaryWith(t, interpreters.Released()...)
	for _, s := range []struct{ file, text, want string }{
		{"hi.lua", `print("hi " .. io.read("a"))` + "\n", "hi Ada\n"},
		{"hey.js", `console.log("hey " + require("fs").readFileSync(0, "utf8"))` + "\n", "hey Ada\n"},
	} {
		t.Run(s.file, func(t *testing.T) {
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, s.file), []byte(s.text), 0o600); err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			run := bare(bin, folder, "run", s.file)
			run.Stdin = strings.NewReader("Ada")
			if got := output(t, run); got != s.want {
				t.Errorf("polyvoke run printed %q, want %q", got, s.want)
			}
			t.Logf("polyvoke run %s took %v", s.file, time.Since(begin).Round(time.Millisecond))

			begin = time.Now()
			url := serveBare(t, bin, folder)
			output(t, bare(bin, folder, "deploy", s.file, "--server", url))
			name, _, _ := strings.Cut(s.file, ".")
			if got := output(t, bare(bin, folder, "call", name, "Ada", "--server", url)); got != s.want {
				t.Errorf("polyvoke call printed %q, want %q", got, s.want)
			}
			t.Logf("serve, deploy and call took %v in all", time.Since(begin).Round(time.Millisecond))
			ls := output(t, bare(bin, folder, "runtime", "ls", "--server", url))
			if !regexp.MustCompile(`(?m)^lua +Lua +\.lua +\S+ +\S+( |$)`).MatchString(ls) {
				t.Errorf("polyvoke runtime ls does not show that Lua is in polyvoke:\n%s", ls)
			}
		})
	}
}

// TestBinaryWithout checks that a polyvoke that go build or go install has made, without runtimes in it, says so with
// the remedy wherever a script needs one.
func TestBinaryWithout(t *testing.T) {
	bin := binaryWith(t)
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "hi.lua"), []byte(`print(1)`), 0o600); err != nil {
		t.Fatal(err)
	}
	url := serveBare(t, bin, folder)
	for _, c := range []struct {
		args []string
		exit int
		want string
	}{
		{[]string{"run", "hi.lua"}, 127,
			"get it with polyvoke runtime get lua, or build it with polyvoke runtime build lua " +
				"(a released polyvoke has it in it"},
		{[]string{"deploy", "hi.lua", "--server", url}, 127,
			"this polyvoke was built without the runtimes javascript and lua"},
		{[]string{"deploy", "hi.lua", "--server", url}, 127,
			"there is no runtime lua here: get it with polyvoke runtime get --server " + url + " lua"},
		{[]string{"runtime", "ls", "--server", url}, 0, "this polyvoke was built without the runtimes javascript and lua"},
	} {
		cmd := bare(bin, folder, c.args...)
		out, err := cmd.CombinedOutput()
		var ended *exec.ExitError
		if err != nil && !errors.As(err, &ended) {
			t.Fatal(err)
		}
		if code := cmd.ProcessState.ExitCode(); code != c.exit || !strings.Contains(string(out), c.want) {
			t.Errorf("polyvoke %s: exit code %d, want %d; it printed\n%s\nwant in it %q", slices.Concat(c.args[:2]), code,
				c.exit, out, c.want)
		}
	}
}
