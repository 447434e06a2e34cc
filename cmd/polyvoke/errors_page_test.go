package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/protocol"
)

// TestErrorsPage holds docs/errors.md to the code: every error code and every exit code has a row, no row is about one
// that does not exist, and each exit code of a function stands beside the error code that it comes to.
func TestErrorsPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	codes, exits, functions := section(string(text), "Codes"), section(string(text), "Exit codes"), section(string(text), "Exit codes of functions")
	compareRows(t, "Codes", codes, constants(t, "../../protocol/error.go", "Code"))
	compareRows(t, "Exit codes", exits, constants(t, "../internal/exit/exit.go", ""))
	chosen := map[int]bool{0: true}
	for code := range 256 {
		if protocol.FromExit(uint32(code)).Chosen {
			chosen[code] = true
		}
	}
	compareRows(t, "Exit codes of functions", functions, chosen)
	for code, cells := range functions {
		if want := protocol.FromExit(uint32(code)).Code; want != 0 && !strings.Contains(cells, "| "+strconv.Itoa(want)+" |") {
			t.Errorf("exit code %d of a function comes to %d; the page says %s", code, want, cells)
		}
	}
	for code, cells := range codes {
		if want := strconv.Itoa(exit.OfCode(code)); !strings.HasSuffix(cells, "| "+want+" |") {
			t.Errorf("polyvoke ends with exit code %s on the error %d; the page says %s", want, code, cells)
		}
	}
}

var row = regexp.MustCompile(`(?m)^\| (\d+) (\|.*\|)$`)

// section returns the rows of the tables below a heading, by the number in their first cell.
func section(page, heading string) map[int]string {
	_, text, _ := strings.Cut(page, "\n## "+heading+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	rows := map[int]string{}
	for _, m := range row.FindAllStringSubmatch(text, -1) {
		number, _ := strconv.Atoi(m[1])
		rows[number] = m[2]
	}
	return rows
}

// constants returns the values of the constants of a file whose names begin with prefix.
func constants(t *testing.T, file, prefix string) map[int]bool {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	values := map[int]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, prefix) {
			return true
		}
		if lit, ok := spec.Values[0].(*ast.BasicLit); ok && lit.Kind == token.INT {
			value, err := strconv.Atoi(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			values[value] = true
		}
		return true
	})
	if len(values) < 5 {
		t.Fatalf("%s has only %d constants", file, len(values))
	}
	return values
}

// compareRows fails where a table and what there is differ.
func compareRows(t *testing.T, heading string, rows map[int]string, want map[int]bool) {
	t.Helper()
	for n := range want {
		if rows[n] == "" {
			t.Errorf("the table %q has no row for %d", heading, n)
		}
	}
	for n := range rows {
		if !want[n] {
			t.Errorf("the table %q has a row for %d, which does not exist", heading, n)
		}
	}
}
