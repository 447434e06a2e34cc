//go:build frontdoor

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// door is a polyvoke that answers HTTP, and two functions that it has: greet, and echo, which has a route.
type door struct {
	t            *testing.T
	bin, dir     string
	http, server string // URLs
}

// openDoor starts a polyvoke of its own.
func openDoor(t *testing.T) *door {
	t.Helper()
	d := &door{t: t, dir: t.TempDir()}
	d.bin = filepath.Join(t.TempDir(), "polyvoke")
	// Without the profile it is built in a tenth of the time, and nothing here is measured.
	if out, err := exec.Command("go", "build", "-pgo=off", "-o", d.bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := setup(d.dir); err != nil {
		t.Fatal(err)
	}
	manifest := "name = \"echo\"\nmodule = \"../probe.wasm\"\n[[http]]\nroute = \"POST /echo/{id}\"\n"
	if err := os.Mkdir(filepath.Join(d.dir, "echo"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.dir, "echo", "polyvoke.toml"), []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	served, lines, end, err := start(d.command(d.bin, "serve", "--listen", "127.0.0.1:0", "--store", "store",
		"--http", "127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	if d.http, d.server = httpURLOf(lines), servingURL(lines); d.http == "" || d.server == "" {
		t.Fatalf("polyvoke does not serve: %s", served.log)
	}
	d.run(d.bin, "deploy", "-s", d.server, "greet.wasm")
	d.run(d.bin, "deploy", "-s", d.server, "echo")
	return d
}

// command makes a command in the folder of the functions.
func (d *door) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = d.dir
	cmd.Env = append(os.Environ(), "HOME="+d.dir)
	return cmd
}

// run runs a command and returns what it writes.
func (d *door) run(name string, args ...string) string {
	d.t.Helper()
	out, err := d.command(name, args...).CombinedOutput()
	if err != nil {
		d.t.Fatalf("%s %q: %v\n%s", filepath.Base(name), args, err, out)
	}
	return string(out)
}

// installedTool returns a program that make frontdoor-check has installed, or that the system has.
func installedTool(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("FRONTDOOR_TOOLS")
	if dir == "" {
		dir = filepath.Join("..", "..", "build", "frontdoor")
	}
	for _, file := range []string{filepath.Join(dir, name), filepath.Join(dir, "python", "bin", name)} {
		if _, err := os.Stat(file); err == nil {
			abs, err := filepath.Abs(file)
			if err != nil {
				t.Fatal(err)
			}
			return abs
		}
	}
	file, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v: make frontdoor-tools installs it", err)
	}
	return file
}

// TestFrontDoorTools has programs of others ask a polyvoke by HTTP.
func TestFrontDoorTools(t *testing.T) {
	d := openDoor(t)
	t.Run("curl", d.curl)
	t.Run("wrk", d.wrk)
	t.Run("vegeta", d.vegeta)
	t.Run("schemathesis", d.schemathesis)
}

// curl asks for a body that is worth compressing, in all ways that curl knows.
func (d *door) curl(t *testing.T) {
	body := strings.Repeat("all work and no play makes jack a dull boy\n", 1000)
	file := filepath.Join(d.dir, "body.txt")
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	curl := installedTool(t, "curl")
	for _, args := range [][]string{{"--http1.1"}, {"--http2-prior-knowledge"}, {"-H", "Expect: 100-continue"}} {
		args = append(args, "-sS", "--fail", "--compressed", "--data-binary", "@body.txt", "-w",
			"\n%{size_download} %{http_code}", d.http+"/fn/echo")
		got := d.run(curl, args...)
		i := strings.LastIndexByte(got, '\n')
		if got[:i] != body {
			t.Errorf("curl %q: a body of %d bytes, want %d", args[0], i, len(body))
		}
		var size, status int
		if _, err := fmt.Sscan(got[i+1:], &size, &status); err != nil || status != 200 || size > len(body)/10 {
			t.Errorf("curl %q: %d, and %d bytes came over the network", args[0], status, size)
		}
	}
}

// wrk keeps sixteen connections busy.
func (d *door) wrk(t *testing.T) {
	script := filepath.Join(d.dir, "post.lua")
	if err := os.WriteFile(script, []byte("wrk.method = 'POST'\nwrk.body = '0123456789abcdef'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := d.run(installedTool(t, "wrk"), "-t", "2", "-c", "16", "-d", "5s", "--latency", "-s", script, d.http+"/fn/echo")
	t.Log(out)
	if strings.Contains(out, "Non-2xx") || strings.Contains(out, "Socket errors") {
		t.Error("there were errors")
	}
	if !regexp.MustCompile(`Requests/sec: +[1-9]`).MatchString(out) {
		t.Error("there were no answers")
	}
}

// vegeta asks two hundred times a second.
func (d *door) vegeta(t *testing.T) {
	vegeta := installedTool(t, "vegeta")
	attack := d.command(vegeta, "attack", "-rate", "200", "-duration", "5s", "-timeout", "30s")
	attack.Stdin = strings.NewReader("POST " + d.http + "/fn/greet\n@name.json\n\nPOST " + d.http + "/echo/17\n@name.json\n")
	if err := os.WriteFile(filepath.Join(d.dir, "name.json"), []byte(`{"name":"Ada"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	results, err := attack.Output()
	if err != nil {
		t.Fatal(err)
	}
	report := d.command(vegeta, "report", "-type", "json")
	report.Stdin = bytes.NewReader(results)
	out, err := report.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Requests int
		Success  float64
		Codes    map[string]int `json:"status_codes"`
	}
	if err := json.Unmarshal(out, &got); err != nil || got.Requests != 1000 || got.Success != 1 {
		t.Errorf("%v: %s", err, out)
	}
}

// schemathesis makes requests of the description of the interface, and checks the answers by it. The function greet is
// left out: it refuses what is no name, as it likes.
func (d *door) schemathesis(t *testing.T) {
	cmd := d.command(installedTool(t, "schemathesis"), "run", d.http+"/_/openapi.json", "--url", d.http,
		"--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
		"--exclude-path-regex", "^/fn/greet", "--max-examples", "20", "--phases", "examples,coverage,fuzzing",
		"--seed", "1", "--no-color")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Log(lastLines(string(out), 25))
}

// lastLines returns the last lines of a text.
func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
