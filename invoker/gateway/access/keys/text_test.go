package keys

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestText reads keys as they are made, and none that is not whole.
func TestText(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id, text := newKey()
		if got, err := ID(text); err != nil || got != id || len(text) != Size {
			t.Fatalf("ID(%q) = %q, %v; want %q", text, got, err, id)
		}
		if seen[id] || seen[text] {
			t.Fatalf("%s was made twice", text)
		}
		seen[id], seen[text] = true, true
	}
	id, text := newKey()
	swapped := text[:20] + string(text[21]) + string(text[20]) + text[22:]
	if swapped == text {
		swapped = text[:20] + "~" + text[21:]
	}
	for _, bad := range []string{"", "pv_", id, text[1:], text + "0", text[:Size-1], strings.ToUpper(text), swapped,
		strings.Replace(text, "_", "-", 2), text[:30] + "\x00" + text[31:], "Bearer " + text, " " + text} {
		if got, err := ID(bad); err == nil {
			t.Errorf("ID(%q) = %q", bad, got)
		} else if bad != "" && len(bad) > 20 && strings.Contains(err.Error(), bad) {
			t.Errorf("the error repeats the key: %v", err)
		}
	}
	for _, s := range []string{id, Prefix + id, text} {
		if got, err := ParseID(s); err != nil || got != id {
			t.Errorf("ParseID(%q) = %q, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "pv_", id + "0", id + "_", "a/b*c>d.e", strings.Repeat("é", 6)} {
		if got, err := ParseID(s); err == nil {
			t.Errorf("ParseID(%q) = %q", s, got)
		}
	}
}

// TestCompareInConstantTime reads the package: digests are compared by crypto/subtle, at their whole length, and by
// nothing else.
func TestCompareInConstantTime(t *testing.T) {
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	subtle, lookups := 0, 0
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "subtle" {
					subtle++
				}
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "bytes" && (n.Sel.Name == "Equal" || n.Sel.Name == "Compare") {
					t.Errorf("%s compares with bytes.%s", path, n.Sel.Name)
				}
			case *ast.BinaryExpr:
				for _, side := range []ast.Expr{n.X, n.Y} {
					if s, ok := side.(*ast.SelectorExpr); ok && s.Sel.Name == "digest" {
						t.Errorf("%s compares digests with %s", path, n.Op)
					}
				}
			case *ast.FuncDecl:
				if n.Name.Name == "Match" {
					lookups++
					checkMatch(t, n)
				}
			}
			return true
		})
	}
	if subtle != 1 || lookups != 1 {
		t.Errorf("%d uses of crypto/subtle and %d of Match; want one of each", subtle, lookups)
	}
}

// checkMatch checks that Match returns, once it has looked a key up, only behind the comparison.
func checkMatch(t *testing.T, match *ast.FuncDecl) {
	t.Helper()
	compared, early := false, 0
	for _, s := range match.Body.List {
		ast.Inspect(s, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "is" {
					compared = true
				}
			case *ast.ReturnStmt:
				if !compared {
					early++
				}
			}
			return true
		})
	}
	if !compared || early != 1 { // that of a text that is no key
		t.Errorf("compared: %v, returns before: %d", compared, early)
	}
}

// FuzzID checks that whatever is taken for a key is exactly one.
func FuzzID(f *testing.F) {
	_, text := newKey()
	for _, s := range []string{"", "pv_", text, text[:40], strings.Repeat("0", Size), "pv_" + strings.Repeat("_", 62)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ID(s)
		again, errParse := ParseID(s)
		if err == nil && (len(s) != Size || id != s[len(Prefix):len(Prefix)+idSize] || again != id || errParse != nil) {
			t.Errorf("ID(%q) = %q, ParseID = %q, %v", s, id, again, errParse)
		}
		if errParse == nil && !plain(again) {
			t.Errorf("ParseID(%q) = %q", s, again)
		}
	})
}
