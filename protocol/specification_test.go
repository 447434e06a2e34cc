package protocol

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The specification names every key of a manifest, every header, every verb and every bucket or stream that the
// package has.
func TestSpecificationIsWhole(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, k := range Keys() {
		if k.Type != TypeTable && !strings.Contains(page, "`"+k.Path+"`") {
			t.Errorf("section 4 does not name the key %s", k.Path)
		}
	}
	for _, f := range features() {
		if !strings.Contains(page, "`"+f.word+"`") {
			t.Errorf("section 4 does not name the need %s", f.word)
		}
	}
	for name, value := range constants(t) {
		switch {
		case strings.HasPrefix(name, "Header"), strings.HasPrefix(name, "Bucket"), strings.HasPrefix(name, "Stream"),
			strings.HasPrefix(name, "Reason"), strings.HasPrefix(name, "State"):
			if !strings.Contains(page, "`"+value) {
				t.Errorf("the specification does not name %s, %s", name, value)
			}
		case strings.HasPrefix(name, "API"):
			if !strings.Contains(page, "`polyvoke.api."+value+"`") && !strings.Contains(page, "`polyvoke.api."+value+".ID`") {
				t.Errorf("section 8 does not name the verb %s", value)
			}
		}
	}
}

// constants returns the package's exported constants that are strings.
func constants(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok || len(v.Values) != 1 || !v.Names[0].IsExported() {
				return true
			}
			if literal, ok := v.Values[0].(*ast.BasicLit); ok && literal.Kind == token.STRING {
				all[v.Names[0].Name], _ = strconv.Unquote(literal.Value)
			}
			return true
		})
	}
	if len(all) < 80 {
		t.Errorf("only %d constants were found", len(all))
	}
	return all
}
