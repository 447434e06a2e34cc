//go:build sql

package sql_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// shell returns SQLite as a program, which `make sql` builds from testdata/shell.c and names in SQL_SHELL.
func shell(t *testing.T) runtimes.Program {
	t.Helper()
	module, err := os.ReadFile(os.Getenv("SQL_SHELL"))
	if err != nil {
		t.Fatalf("%v: run this by `make sql-test`", err)
	}
	r, err := wasi.New(t.Context(), wasi.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(context.Background()) })
	p, err := r.Compile(t.Context(), module, runtimes.Options{Mounts: []runtimes.Mount{{Path: "/sql"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(context.Background()) })
	return p
}

// execute runs statements in a run, and commits if that has succeeded.
func (w *world) execute(p runtimes.Program, g *backend.Grants, text string, args ...string) (string, error) {
	r := w.begin(g)
	defer r.t.End()
	var stdout, stderr bytes.Buffer
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	err := p.Run(ctx, &runtimes.Process{Args: append([]string{"shell", "/sql/shop.db"}, args...),
		Stdin: strings.NewReader(text), Stdout: &stdout, Stderr: &stderr, Mounts: r.t.Mounts()})
	if err == nil {
		err = r.t.Commit(ctx, nil)
	}
	if err != nil && stderr.Len() > 0 {
		err = fmt.Errorf("%w: %s", err, stderr.String())
	}
	return stdout.String(), err
}

// SQLite, unmodified, in the sandbox: each way to keep a journal, transactions within a run and over runs, a rollback,
// a transaction that is left open, VACUUM, and its own check of what is stored, by the sqlite3 of this machine too.
func TestSQLite(t *testing.T) {
	p := shell(t)
	for _, mode := range []string{"delete", "truncate", "persist", "memory", "off"} {
		w := newWorld(t)
		g := w.grants(made("shop"))
		begin := "PRAGMA journal_mode=" + mode + ";"
		do := func(text, want string, args ...string) {
			t.Helper()
			got, err := w.execute(p, g, begin+text, args...)
			if got != mode+"\n"+want || err != nil {
				t.Errorf("%s: %s: %q, %v; want %q", mode, text, got, err, want)
			}
		}
		do("CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, amount INT); CREATE INDEX i ON t(name);", "")
		do("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<5000) "+
			"INSERT INTO t SELECT i, 'tea '||i, i FROM n; SELECT count(*), sum(amount) FROM t;", "5000|12502500\n")
		do("UPDATE t SET amount = amount + 1 WHERE id <= 10; SELECT sum(amount) FROM t WHERE id <= 10;", "65\n")
		if mode != "off" {
			do("BEGIN; DELETE FROM t; SELECT count(*) FROM t; ROLLBACK; SELECT count(*) FROM t;", "0\n5000\n")
		}
		if mode != "off" && mode != "memory" { // which cannot go back when the process is gone
			do("PRAGMA cache_size=2; UPDATE t SET amount = 0 WHERE id = 1; BEGIN; UPDATE t SET amount = 7, name = 'x';"+
				" SELECT sum(amount) FROM t;", "35000\n", "leave")
		} else {
			do("UPDATE t SET amount = 0 WHERE id = 1;", "")
		}
		do("SELECT count(*), sum(amount), count(DISTINCT name) FROM t;", "5000|12502508|5000\n")
		do("DELETE FROM t WHERE id > 100; VACUUM; PRAGMA integrity_check; SELECT count(*) FROM t;", "ok\n100\n")
		if _, err := w.execute(p, g, "DELETE FROM t; SELECT wrong;"); err == nil {
			t.Errorf("%s: a run that fails has succeeded", mode)
		}
		do("PRAGMA quick_check; SELECT count(*) FROM t;", "ok\n100\n")
		host(t, w.stored("shop"))
		ro := w.grants(protocol.Grant{SQL: "shop"})
		if got, err := w.execute(p, ro, "SELECT sum(amount) FROM t;"); got != "5058\n" || err != nil {
			t.Errorf("%s: reading only: %q, %v", mode, got, err)
		}
		if _, err := w.execute(p, ro, "DELETE FROM t;"); err == nil || !strings.Contains(err.Error(), "readonly") {
			t.Errorf("%s: writing what can only be read: %v", mode, err)
		}
	}
}

// host has the sqlite3 of this machine look at a database, if there is one.
func host(t *testing.T, text string) {
	t.Helper()
	name, err := exec.LookPath("sqlite3")
	if err != nil {
		t.Log("there is no sqlite3 to compare with")
		return
	}
	db := filepath.Join(t.TempDir(), "shop.db")
	if err := os.WriteFile(db, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(name, db, "PRAGMA integrity_check; SELECT count(*) FROM t;").CombinedOutput()
	if err != nil || string(out) != "ok\n100\n" {
		t.Errorf("sqlite3 of this machine: %q, %v", out, err)
	}
}

// Runs at once count in one row; a conflict runs again, and none is lost.
func TestSQLiteConflicts(t *testing.T) {
	p := shell(t)
	w := newWorld(t)
	g := w.grants(made("shop"))
	if _, err := w.execute(p, g, "CREATE TABLE c(n INT); INSERT INTO c VALUES(0);"); err != nil {
		t.Fatal(err)
	}
	const writers, each = 4, 10
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range each {
				for {
					_, err := w.execute(p, g, "UPDATE c SET n = n + 1;")
					var conflict *backend.Conflict
					if err == nil {
						break
					}
					if !errors.As(err, &conflict) {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	all.Wait()
	got, err := w.execute(p, g, "SELECT n FROM c; PRAGMA integrity_check;")
	if got != fmt.Sprintf("%d\nok\n", writers*each) {
		t.Errorf("there is %q, %v", got, err)
	}
}
