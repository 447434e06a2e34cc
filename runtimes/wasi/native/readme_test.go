package native

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestReadme checks that README.md is about the version of the engine that go.mod has, names everything that
// private.go looks for, and names only tests that there are.
func TestReadme(t *testing.T) {
	readme := read(t, "README.md")
	version := regexp.MustCompile(`tetratelabs/wazero v(\S+)`).FindStringSubmatch(read(t, "../../../go.mod"))
	if version == nil || !strings.Contains(readme, "pinned at version "+version[1]) {
		t.Errorf("README.md is not about the version %q: do the steps of an update", version)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "private.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		ast.Inspect(d, func(n ast.Node) bool {
			if s, ok := n.(*ast.BasicLit); ok && s.Kind == token.STRING {
				if name, err := strconv.Unquote(s.Value); err != nil || !regexp.MustCompile(`\b`+name+`\b`).MatchString(readme) {
					t.Errorf("README.md does not say what %s is for", s.Value)
				}
			}
			_, imports := n.(*ast.ImportSpec)
			return !imports
		})
	}
	for _, test := range regexp.MustCompile("`((?:wasi|fuel)\\.)?(Test\\w+)`").FindAllStringSubmatch(readme, -1) {
		folder := map[string]string{"": ".", "wasi.": "..", "fuel.": "../fuel"}[test[1]]
		if !hasTest(t, folder, test[2]) {
			t.Errorf("README.md names %s, which is not in %s", test[2], folder)
		}
	}
}

// read returns a file.
func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// hasTest reports whether a test is in a folder.
func hasTest(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.Contains(read(t, f), "func "+name+"(t ") {
			return true
		}
	}
	return false
}
