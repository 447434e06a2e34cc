package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestReadme types what the README's first transcript shows, and expects what it shows. Three dots
// stand for what differs from run to run; the port differs too.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "```console\n")
	block, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("the README has no transcript")
	}
	r := &reader{t: t, dir: t.TempDir()}
	buildPolyvoke(t, r.dir)
	steps := strings.Split("\n"+block, "\n$ ")[1:]
	for _, step := range steps {
		command, want, _ := strings.Cut(strings.TrimSuffix(step, "\n"), "\n")
		r.step(command, want)
	}
	if r.url == "" {
		t.Error("the transcript starts no server")
	}
}

// reader does what a reader of the README would do.
type reader struct {
	t   *testing.T
	dir string
	url string // of the server that was started
}

// step types one command.
func (r *reader) step(command, want string) {
	r.t.Helper()
	name, isCat := strings.CutPrefix(command, "cat ")
	switch {
	case isCat:
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte(want+"\n"), 0o600); err != nil {
			r.t.Fatal(err)
		}
	case command == "polyvoke serve &":
		r.serve(want)
	default:
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir = r.dir
		cmd.Env = append(os.Environ(), "PATH="+r.dir+":"+os.Getenv("PATH"), "NATS_URL="+r.url, "GO111MODULE=off")
		watchdog := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer watchdog.Stop()
		out, _ := cmd.CombinedOutput() // some are meant to fail
		r.compare(command, string(out), want)
	}
}

// serve starts the server on a free port.
func (r *reader) serve(want string) {
	cmd := exec.Command(filepath.Join(r.dir, "polyvoke"), "serve", "--listen", "127.0.0.1:0", "--store", filepath.Join(r.dir, "store"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	watchdog := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	r.t.Cleanup(func() { watchdog.Stop(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		r.t.Fatal("polyvoke serve says nothing")
	}
	m := serving.FindStringSubmatch(lines.Text())
	if m == nil {
		r.t.Fatalf("polyvoke serve says %q", lines.Text())
	}
	r.url = m[1]
	r.compare("polyvoke serve", lines.Text(), want)
}

// progress is what a command says of work that takes longer than usual, as it may on a busy machine.
var progress = regexp.MustCompile(`(?m)^\w+ing \S+ \.\.\. \d+ s\n`)

// compare fails unless got is what the README shows.
func (r *reader) compare(command, got, want string) {
	r.t.Helper()
	got = strings.TrimSuffix(progress.ReplaceAllString(got, ""), "\n")
	if r.url != "" {
		got = strings.ReplaceAll(got, r.url, "nats://127.0.0.1:4222")
	}
	pattern := strings.ReplaceAll(regexp.QuoteMeta(want), regexp.QuoteMeta("..."), ".*")
	if !regexp.MustCompile("^" + pattern + "$").MatchString(got) {
		r.t.Errorf("$ %s\n%s\n\nThe README shows:\n%s", command, got, want)
	}
}
