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

// TestReadme types what the README's console blocks show, as TestDocs does for the pages in docs. Three dots stand for
// what differs from run to run; the port differs too.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := consoleBlocks(string(readme))
	if len(blocks) == 0 || !blocks[0].serves() {
		t.Fatal("the README does not begin with a block that starts a server")
	}
	bin := t.TempDir()
	buildPolyvoke(t, bin)
	readPage(t, bin, blocks)
}

// serveCommand is how a page starts a server.
const serveCommand = "polyvoke serve &"

// reader does what a reader of a page would do.
type reader struct {
	t    *testing.T // of the block that is read
	life *testing.T // of the page
	dir  string
	bin  string // the folder of polyvoke
	url  string // of the server that was started
}

// block types the commands of a block.
func (r *reader) block(text string) {
	r.t.Helper()
	for _, step := range strings.Split("\n"+text, "\n$ ")[1:] {
		command, want, _ := strings.Cut(strings.TrimSuffix(step, "\n"), "\n")
		r.step(command, want)
	}
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
	case command == serveCommand:
		r.serve(want)
	default:
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir = r.dir
		cmd.Env = append(os.Environ(), "PATH="+r.bin+":"+os.Getenv("PATH"), "NATS_URL="+r.url, "GO111MODULE=off")
		watchdog := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer watchdog.Stop()
		out, _ := cmd.CombinedOutput() // some are meant to fail
		r.compare(command, string(out), want)
	}
}

// serve starts the server on a free port.
func (r *reader) serve(want string) {
	cmd := exec.Command(filepath.Join(r.bin, "polyvoke"), "serve", "--listen", "127.0.0.1:0", "--store",
		r.life.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	watchdog := time.AfterFunc(lifetime, func() { _ = cmd.Process.Kill() })
	r.life.Cleanup(func() { watchdog.Stop(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
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

// busy finds the lines by which a command says that something takes long.
var busy = regexp.MustCompile(`(?m)^.* \.\.\. \d+ s\n`)

// compare fails unless got is what the page shows.
func (r *reader) compare(command, got, want string) {
	r.t.Helper()
	got = strings.TrimSuffix(busy.ReplaceAllString(got, ""), "\n")
	if r.url != "" {
		got = strings.ReplaceAll(got, " --server "+r.url, "") // which the commands of the default port do without
		got = strings.ReplaceAll(got, r.url, "nats://127.0.0.1:4222")
	}
	pattern := strings.ReplaceAll(regexp.QuoteMeta(want), regexp.QuoteMeta("..."), ".*")
	if !regexp.MustCompile("^" + pattern + "$").MatchString(got) {
		r.t.Errorf("$ %s\n%s\n\nThe page shows:\n%s", command, got, want)
	}
}
