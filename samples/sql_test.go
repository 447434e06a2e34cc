//go:build sql

package samples_test

import (
	"os"
	"testing"
)

// TestSQL needs the module that `make sql` builds and runs by `make sql-test`, which names the module
// in SQL_WASM: SQLite's source is Debian's, and its module is too large to commit.
func TestSQL(t *testing.T) {
	wasm, err := os.ReadFile(os.Getenv("SQL_WASM"))
	if err != nil {
		t.Fatalf("%v: run this by `make sql-test`", err)
	}
	b := newSandbox(t)
	b.check(b.compile(wasm), readVectors(t, "sql/vectors.json"))
}
