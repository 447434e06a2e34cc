package polyvoke

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// TestErrorWords reads the program's texts, for errors that say nothing: words that only one function may use, since
// it adds the id under which the log says more, and errors that are formatted where there may be none, which reads
// <nil>.
func TestErrorWords(t *testing.T) {
	read := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path == "build" {
			return fs.SkipDir
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			return err
		}
		read++
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				if path != filepath.Join("protocol", "error.go") && vague(n.Value) {
					t.Errorf("%s: %s: use protocol.ErrorOf, which names the id", set.Position(n.Pos()), n.Value)
				}
			case *ast.IfStmt:
				if maybeNil(n.Cond) {
					for _, call := range formatted(n.Body) {
						t.Errorf("%s: the error may be nil here", set.Position(call.Pos()))
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if read < 100 {
		t.Errorf("only %d files were read", read)
	}
}

// vague reports whether a literal has words that help nobody.
func vague(literal string) bool {
	for _, words := range []string{"<nil>", "internal error", "log has the cause"} {
		if strings.Contains(literal, words) {
			return true
		}
	}
	return false
}

// maybeNil reports whether a condition is that err is not nil, or something else.
func maybeNil(cond ast.Expr) bool {
	either, ok := cond.(*ast.BinaryExpr)
	if !ok || either.Op != token.LOR {
		return false
	}
	some := false
	for _, side := range []ast.Expr{either.X, either.Y} {
		b, ok := side.(*ast.BinaryExpr)
		isErr := ok && b.Op == token.NEQ && named(b.X, "err") && named(b.Y, "nil")
		some = some || isErr || ok && maybeNil(b)
	}
	return some
}

// formatted returns the calls of a body's own statements that format err into an error.
func formatted(body *ast.BlockStmt) (calls []*ast.CallExpr) {
	for _, s := range body.List {
		r, ok := s.(*ast.ReturnStmt)
		if !ok {
			continue
		}
		ast.Inspect(r, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			f, ok := call.Fun.(*ast.SelectorExpr)
			if ok && f.Sel.Name == "Errorf" {
				for _, a := range call.Args {
					if named(a, "err") {
						calls = append(calls, call)
					}
				}
			}
			return true
		})
	}
	return calls
}

// named reports whether an expression is an identifier.
func named(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}
