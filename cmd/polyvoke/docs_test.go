package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/cmd/internal/interpreters"
)

// TestDocs types what the console blocks of the pages in docs show, each page in a folder of its own, and expects what
// they show. What is fenced as anything else (sh, text, toml and so on) is not run: downloads, containers, clusters and what needs a
// terminal. Of those, TestDocsCommands checks the commands of polyvoke. A line <!-- needs python --> above a block names the runtimes that it needs beside Go: where they are not
// built the block is skipped, unless RUNTIMES says where they must be.
func TestDocs(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("the pages: %q, %v", pages, err)
	}
	bin := t.TempDir()
	buildPolyvoke(t, bin)
	read := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		blocks := consoleBlocks(string(text))
		if len(blocks) == 0 {
			continue
		}
		read++
		t.Run(filepath.Base(page), func(t *testing.T) { readPage(t, bin, blocks) })
	}
	if read == 0 {
		t.Error("no page has a console block")
	}
}

// block is a console block of a page.
type block struct {
	line  int
	text  string
	needs []string // runtimes
}

// serves reports whether a block starts a server.
func (b block) serves() bool { return strings.Contains("\n"+b.text+"\n", "\n$ "+serveCommand+"\n") }

// consoleBlocks returns the console blocks of a page.
func consoleBlocks(page string) (blocks []block) {
	lines := strings.Split(page, "\n")
	for i := 0; i < len(lines); i++ {
		if lines[i] != "```console" {
			continue
		}
		b := block{line: i + 1}
		if i > 0 && strings.HasPrefix(lines[i-1], "<!-- needs ") {
			b.needs = strings.Fields(strings.Trim(lines[i-1], "<!-> "))[1:]
		}
		end := i + 1 + max(0, slices.Index(lines[i+1:], "```"))
		b.text = strings.Join(lines[i+1:end], "\n")
		blocks, i = append(blocks, b), end
	}
	return blocks
}

// readPage types the blocks of one page.
func readPage(t *testing.T, bin string, blocks []block) {
	r := &reader{t: t, life: t, dir: t.TempDir(), bin: bin}
	goCache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatalf("these tests need the go command: %v", err)
	}
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("GOCACHE", strings.TrimSpace(string(goCache)))
	for _, b := range blocks {
		if b.serves() && missing(b) != "" {
			r.serve("...") // for the blocks that follow
		}
		t.Run(fmt.Sprintf("line %d", b.line), func(t *testing.T) {
			if name := missing(b); name != "" {
				t.Skipf("the runtime %s is not built: make runtimes does it", name)
			}
			r.t = t
			keepRuntimes(t, filepath.Join(cache, "polyvoke", "runtimes"), b.needs)
			r.block(b.text)
		})
	}
}

// missing returns the first runtime that a block needs and that is not built, unless RUNTIMES says that all are.
func missing(b block) string {
	for _, name := range b.needs {
		if _, err := runtimesFolder().Get(name); err != nil && os.Getenv("RUNTIMES") == "" {
			return name
		}
	}
	return ""
}

// keepRuntimes puts runtimes where polyvoke looks for those of this machine.
func keepRuntimes(t *testing.T, folder string, names []string) {
	t.Helper()
	for _, name := range names {
		bundle, err := runtimesFolder().Get(name)
		if err == nil {
			_, err = interpreters.Folder(folder).Put(bundle)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// runtimesFolder returns where runtimes are built.
func runtimesFolder() interpreters.Folder {
	if dir := os.Getenv("RUNTIMES"); dir != "" {
		return interpreters.Folder(dir)
	}
	return interpreters.Folder(filepath.Join("..", "..", "build", "runtimes"))
}

func TestConsoleBlocks(t *testing.T) {
	got := consoleBlocks("x\n```console\n$ a\nb\n```\n```sh\n$ c\n```\n<!-- needs python lua -->\n```console\n$ d\n```\n```console\n")
	want := []block{{2, "$ a\nb", nil}, {10, "$ d", []string{"python", "lua"}}, {13, "", nil}}
	if !slices.EqualFunc(got, want, func(a, b block) bool { return a.line == b.line && a.text == b.text && slices.Equal(a.needs, b.needs) }) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// shell finds the blocks of a page that are meant for a shell and are not run.
var shell = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// TestDocsCommands checks that the commands of polyvoke in what the pages show and TestDocs does not run exist, with
// their flags and as many arguments as they take.
func TestDocsCommands(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var texts strings.Builder
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		texts.Write(text)
	}
	t.Chdir("../../samples/orders/tax") // some commands need a manifest
	c := &cli{env: func(string) string { return "" }}
	seen := 0
	for _, block := range shell.FindAllStringSubmatch(texts.String(), -1) {
		for line := range strings.Lines(strings.ReplaceAll(block[1], "\\\n", " ")) {
			if typed.MatchString(line) {
				checkExample(t, c.root(), strings.TrimRight(line, " &\n"))
				seen++
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d commands were looked at", seen)
	}
}

// typed finds lines in which polyvoke is typed, variables in front of it allowed.
var typed = regexp.MustCompile(`^(\S+=\S* )*polyvoke `)
