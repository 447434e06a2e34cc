package polyvoke

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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
	out, err := exec.Command("git", "ls-files", "*.md").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for from := range strings.FieldsSeq(string(out)) {
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
