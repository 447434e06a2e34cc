package polyvoke

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	unsaid  = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// TestLinks checks that each relative link of a Markdown file leads to a file, and to a heading if it names one.
func TestLinks(t *testing.T) {
	seen := 0
	for _, from := range files(t, ".md") {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			seen++
			if problem := broken(from, m[1]); problem != "" {
				t.Errorf("%s links to %s: %s", from, m[1], problem)
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d links were looked at", seen)
	}
}

// files returns the files of the tree that have an extension, without those that are built or installed.
func files(t *testing.T, extension string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "build", "bin", "node_modules"}, d.Name()):
			return filepath.SkipDir
		case d.Type().IsRegular() && filepath.Ext(path) == extension:
			all = append(all, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// broken returns what is wrong with a link of a file, or "".
func broken(from, to string) string {
	file, anchor, _ := strings.Cut(to, "#")
	if file = filepath.Join(filepath.Dir(from), file); strings.HasPrefix(to, "#") {
		file = from
	}
	if anchor == "" {
		if _, err := os.Stat(file); err != nil {
			return err.Error()
		}
		return ""
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	for _, h := range heading.FindAllStringSubmatch(string(text), -1) {
		if anchor == slug(h[1]) {
			return ""
		}
	}
	return "it has no such heading"
}

// slug returns the anchor that GitHub gives a heading.
func slug(heading string) string {
	return strings.ReplaceAll(unsaid.ReplaceAllString(strings.ToLower(heading), ""), " ", "-")
}
