package polyvoke

import (
	"bufio"
	"go/build/constraint"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// given are the build tags that the Go tool sets by itself, and the one that leaves a file out by custom.
var given = []string{"linux", "darwin", "windows", "unix", "amd64", "arm64", "race", "cgo", "ignore"}

var (
	setTags  = regexp.MustCompile(`-tags[ =]("[^"]*"|[^\s"]+)`)
	testTags = regexp.MustCompile(`(?m)^TAGS\s*:=(.*)$`)
)

// TestTagsAreSet checks that no test is behind a build tag that CI forgets: `go test ./...` needs nothing but Go, and
// what needs more has a tag, which a command of the Makefile sets.
func TestTagsAreSet(t *testing.T) {
	text := read(t, "Makefile")
	for _, file := range files(t, ".mk") {
		text += read(t, file)
	}
	set := map[string]bool{}
	for _, m := range setTags.FindAllStringSubmatch(text, -1) {
		for _, tag := range strings.FieldsFunc(m[1], func(r rune) bool { return strings.ContainsRune(`", `, r) }) {
			set[tag] = true
		}
	}
	m := testTags.FindStringSubmatch(text)
	if m == nil || !set["$(TAGS)"] {
		t.Fatal("the Makefile does not run tests with -tags \"$(TAGS)\"")
	}
	for tag := range strings.FieldsSeq(m[1]) {
		set[tag] = true
	}
	used := usedTags(t)
	for tag, file := range used {
		if !set[tag] && !slices.Contains(given, tag) {
			t.Errorf("%s needs the build tag %s, which nothing in the Makefile sets: add it to TAGS, "+
				"or to a command that make check runs", file, tag)
		}
	}
	for tag := range strings.FieldsSeq(m[1]) {
		if used[tag] == "" {
			t.Errorf("TAGS in the Makefile has %s, which no file needs", tag)
		}
	}
	if len(used) < 5 {
		t.Errorf("only the tags %v were found", slices.Sorted(maps.Keys(used)))
	}
}

// read returns the text of a file.
func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// usedTags returns a file for each build tag that the module's files name.
func usedTags(t *testing.T) map[string]string {
	t.Helper()
	used := map[string]string{}
	for _, file := range files(t, ".go") {
		lines := bufio.NewScanner(strings.NewReader(read(t, file)))
		for lines.Scan() && !strings.HasPrefix(lines.Text(), "package ") {
			if !constraint.IsGoBuild(lines.Text()) {
				continue
			}
			expr, err := constraint.Parse(lines.Text())
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			expr.Eval(func(tag string) bool { // it asks for every tag only if no answer decides
				used[tag] = file
				return true
			})
			expr.Eval(func(tag string) bool {
				used[tag] = file
				return false
			})
		}
	}
	return used
}
