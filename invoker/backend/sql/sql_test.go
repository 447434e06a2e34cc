package sql_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/backend/sql"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// output is what a run of the tests may hold.
const output = 4 << 20

// world is a NATS server, and a back end on it.
type world struct {
	testing.TB
	server *server.Server
	js     jetstream.JetStream
	kind   *sql.Kind
	mu     sync.Mutex
	lines  []string // of the function's log
}

// newWorld returns a world without a database.
func newWorld(t testing.TB) *world {
	s := registrytest.StartNATS(t, t.TempDir(), 0)
	js := registrytest.JetStream(t, registrytest.Connect(t, s))
	return &world{TB: t, server: s, js: js, kind: sql.New(js, 0)}
}

// must ends the test if there is an error.
func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// open opens what a function is granted.
func (w *world) open(all ...protocol.Grant) (*backend.Grants, error) {
	b := &backend.Backend{Kinds: map[string]backend.Kind{protocol.GrantSQL: w.kind}}
	return b.Open(w.Context(), &protocol.Function{Name: "f", Version: 1, Grants: all})
}

// grants opens what can be.
func (w *world) grants(all ...protocol.Grant) *backend.Grants {
	w.Helper()
	g, err := w.open(all...)
	w.must(err)
	w.Cleanup(g.Close)
	return g
}

// made is a grant of a database that is made if it is not there.
func made(name string) protocol.Grant {
	return protocol.Grant{SQL: name, Access: protocol.AccessWrite, Create: true}
}

// run is a run of a function.
type run struct {
	*world
	t *backend.Transaction
	files.Tree
}

// begin begins a run.
func (w *world) begin(g *backend.Grants) *run {
	w.Helper()
	t := g.Begin(context.Background(), backend.Call{Output: output, Deadline: time.Now().Add(time.Minute),
		Log: func(text string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.lines = append(w.lines, text)
		}})
	mounts := t.Mounts()
	if len(mounts) != 1 || mounts[0].Path != "/sql" || !files.IsInline(mounts[0].Tree) {
		w.Fatalf("the mounts are %+v", mounts)
	}
	return &run{w, t, mounts[0].Tree}
}

// update is how SQLite opens a file.
const update = files.Read | files.Write | files.Create

// file opens a file.
func (r *run) file(name string, how files.Flags) files.File {
	r.Helper()
	f, err := r.Open(r.Context(), name, how)
	r.must(err)
	return f
}

// put writes to a file.
func (r *run) put(name, text string, at int64) {
	r.Helper()
	f := r.file(name, update)
	_, err := f.WriteAt(r.Context(), []byte(text), at)
	r.must(errors.Join(err, f.Close(r.Context())))
}

// get reads a file.
func (r *run) get(name string) string {
	r.Helper()
	b, err := fs.ReadFile(files.Std(r.Context(), r.Tree), name)
	r.must(err)
	return string(b)
}

// commit ends the run with success.
func (r *run) commit() {
	r.Helper()
	r.must(r.t.Commit(r.Context(), nil))
	r.t.End()
}

// stored returns a database as any client gets it.
func (w *world) stored(name string) string {
	w.Helper()
	b, err := w.js.ObjectStore(w.Context(), sql.Bucket+name)
	w.must(err)
	text, err := b.GetString(w.Context(), name+".db")
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return ""
	}
	w.must(err)
	return text
}

// A run sees its own snapshot, and others what it has committed.
func TestCommit(t *testing.T) {
	w := newWorld(t)
	g := w.grants(made("shop"))
	one, two := w.begin(g), w.begin(g)
	if _, err := one.Open(t.Context(), "shop.db", files.Read|files.Write); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before there is one: %v", err)
	}
	text := strings.Repeat("0123456789abcdef", 5_000)
	one.put("shop.db", text, 0)
	if got := one.get("shop.db"); got != text {
		t.Errorf("the run itself reads %d bytes", len(got))
	}
	if _, err := two.Stat(t.Context(), "shop.db"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("another run: %v", err)
	}
	one.commit()
	if got := w.stored("shop"); got != text {
		t.Errorf("there are %d bytes", len(got))
	}
	if _, err := two.Stat(t.Context(), "shop.db"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the other run after the commit: %v", err)
	}
	two.put("shop.db", "mine", 0)
	var conflict *backend.Conflict
	if err := two.t.Commit(t.Context(), nil); !errors.As(err, &conflict) || conflict.Path != "/sql/shop.db" {
		t.Errorf("its commit says %v", err)
	}
	two.t.End()
	three := w.begin(g)
	three.put("shop.db", "X", 40_000)
	three.t.End()
	if got := w.stored("shop"); got != text {
		t.Errorf("after a run that has failed there are %d bytes", len(got))
	}
	four := w.begin(g)
	if got := four.get("shop.db"); got != text {
		t.Errorf("and a run reads %d bytes", len(got))
	}
	four.put("shop.db", "X", 40_000)
	four.commit()
	want := text[:40_000] + "X" + text[40_001:]
	if got := w.stored("shop"); got != want {
		t.Error("what was changed in the middle is not there")
	}
	same := w.begin(g)
	same.put("shop.db", "X", 40_000)
	same.commit()
	if same.t.Writes() != 0 {
		t.Error("what has not changed was written")
	}
	gone := w.begin(g)
	w.must(gone.Remove(t.Context(), "shop.db"))
	gone.commit()
	if got := w.stored("shop"); got != "" {
		t.Errorf("after its removal there are %d bytes", len(got))
	}
}

// What SQLite has not finished is rolled back; what it has finished before is not.
func TestJournal(t *testing.T) {
	const hot, cold = "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7 and pages", "\x00\x00\x00\x00\x00\x00\x00\x00"
	ways := map[string]func(r *run){
		"delete":   func(r *run) { r.must(r.Remove(r.Context(), "a.db-journal")) },
		"persist":  func(r *run) { r.put("a.db-journal", cold, 0) },
		"truncate": func(r *run) { r.must(r.file("a.db-journal", update).Truncate(r.Context(), 0)) },
		"open":     func(r *run) { r.file("a.db-journal", update|files.Truncate) },
	}
	for name, finish := range ways {
		w := newWorld(t)
		g := w.grants(made("a"))
		r := w.begin(g)
		r.put("a.db", strings.Repeat("0", 40_000), 0)
		for _, text := range []string{"one", "two"} {
			r.put("a.db-journal", cold, 0)
			r.put("a.db-journal", hot, 0)
			r.put("a.db", text, 3)
			r.put("a.db", text, 20_000)
			finish(r)
		}
		r.put("a.db-journal", hot, 0)
		r.put("a.db", "bad", 3)
		r.put("a.db", "bad", 30_000)
		r.put("a.db", "bad", 50_000)
		if got := r.get("a.db"); len(got) != 50_003 || got[:6] != "000bad" {
			t.Errorf("%s: the run reads %d bytes, %q", name, len(got), got[:6])
		}
		r.commit()
		got := w.stored("a")
		if len(got) != 40_000 || got[:6] != "000two" || got[20_000:20_003] != "two" || got[30_000:30_003] != "000" {
			t.Errorf("%s: there are %d bytes, %q", name, len(got), got[:min(len(got), 6)])
		}
		if len(w.lines) != 1 || !strings.Contains(w.lines[0], "COMMIT") {
			t.Errorf("%s: the log has %q", name, w.lines)
		}
		if _, err := w.begin(g).Stat(t.Context(), "a.db-journal"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the journal of another run: %v", name, err)
		}
	}
	w := newWorld(t)
	r := w.begin(w.grants(made("a")))
	r.put("a.db", "x", 0)
	r.put("a.db-wal", "changes", 0)
	if err := r.t.Commit(t.Context(), nil); protocol.CodeOf(err) != 500 || !strings.Contains(err.Error(), "journal_mode") {
		t.Errorf("with a wal: %v", err)
	}
}

// Only the databases that are granted exist, as far as they are.
func TestNames(t *testing.T) {
	w := newWorld(t)
	r := w.begin(w.grants(made("shop"), made("s")))
	r.put("shop.db", "x", 0)
	r.commit()
	r = w.begin(w.grants(protocol.Grant{SQL: "shop"}, made("s")))
	if _, err := r.Open(t.Context(), "shop.db", files.Read|files.Write); !errors.Is(err, files.ErrReadOnly) {
		t.Errorf("writing what can be read: %v", err)
	}
	if _, err := r.Open(t.Context(), "shop.db-journal", update); !errors.Is(err, files.ErrReadOnly) {
		t.Errorf("its journal: %v", err)
	}
	if err := r.Remove(t.Context(), "shop.db"); !errors.Is(err, files.ErrReadOnly) {
		t.Errorf("removing it: %v", err)
	}
	if got := r.get("shop.db"); got != "x" {
		t.Errorf("it has %q", got)
	}
	r.put("s.db", "", 0)
	r.put("s.db-journal", "j", 0)
	all, err := r.ReadDir(t.Context(), ".")
	if err != nil || fmt.Sprint(all) != "[{s.db ----------} {s.db-journal ----------} {shop.db ----------}]" {
		t.Errorf("there is %v, %v", all, err)
	}
	for _, name := range []string{"", "/", "..", "../s.db", "other.db", "s", "s.dbx", "s.db/x", "s.db-a/b", "x", "\xff",
		"s.db-" + strings.Repeat("x", 100), strings.Repeat("x", 5000)} {
		if _, err := r.Open(t.Context(), name, update); err == nil {
			t.Errorf("%.20q opens", name)
		}
		if _, err := r.Stat(t.Context(), name); err == nil {
			t.Errorf("%.20q is there", name)
		}
		if err := r.Remove(t.Context(), name); err == nil {
			t.Errorf("%.20q was removed", name)
		}
		if r.Mkdir(t.Context(), name) == nil || r.Rename(t.Context(), "s.db", name) == nil {
			t.Errorf("%.20q was made", name)
		}
	}
	for name, want := range map[string]int{"none": 422, "": 422, "a.b": 422, "a b": 422, "../x": 422, "*": 422,
		strings.Repeat("x", 65): 422} {
		_, err := w.kind.Open(t.Context(), &protocol.Function{Name: "f"}, []protocol.Grant{{SQL: name}})
		if protocol.CodeOf(err) != want {
			t.Errorf("%.20q: %v", name, err)
		}
	}
}

// A database has no more than it may, and a run holds no more.
func TestBounds(t *testing.T) {
	w := newWorld(t)
	g := made("a")
	g.MaxBytes = 8 << 20
	r := w.begin(w.grants(g))
	f := r.file("a.db", update)
	_, err := f.WriteAt(t.Context(), []byte("x"), 8<<20)
	if !errors.Is(err, files.ErrTooLarge) || !errors.Is(f.Truncate(t.Context(), 8<<20+1), files.ErrTooLarge) {
		t.Errorf("beyond max_bytes: %v", err)
	}
	w.must(f.Truncate(t.Context(), 8<<20))
	for at := int64(0); at <= output; at += 16 << 10 {
		_, err = f.WriteAt(t.Context(), []byte("x"), at)
	}
	if !errors.Is(err, files.ErrNoSpace) {
		t.Errorf("more pieces than limits.output: %v", err)
	}
	if _, err := f.WriteAt(t.Context(), bytes.Repeat([]byte("x"), output+1), 0); !errors.Is(err, files.ErrNoSpace) {
		t.Errorf("more than limits.output: %v", err)
	}
	r.commit()
	small := protocol.Grant{SQL: "a", MaxBytes: 1 << 20}
	if _, err := w.begin(w.grants(small)).Open(t.Context(), "a.db", files.Read); !errors.Is(err, files.ErrTooLarge) {
		t.Errorf("a database that is too large: %v", err)
	}
	if len(w.lines) < 2 || !strings.Contains(w.lines[0], "max_bytes") {
		t.Errorf("the log has %q", w.lines)
	}
}

// FuzzImage makes the same random operations on a database and on a file in memory.
func FuzzImage(f *testing.F) {
	f.Add([]byte("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))
	f.Add(bytes.Repeat([]byte{0, 1, 7, 3, 1, 200, 2, 4, 0, 3, 5, 1, 4, 1, 6, 6, 2, 9, 1, 30, 7}, 6))
	all := newWorld(f)
	var mu sync.Mutex
	next := 0
	f.Fuzz(func(t *testing.T, program []byte) {
		w := &world{TB: t, js: all.js, kind: all.kind}
		mu.Lock()
		next++
		name := fmt.Sprint("db", next)
		mu.Unlock()
		// In memory: a server of many fuzzers at once sometimes cannot make a store in files.
		_, err := w.js.CreateObjectStore(t.Context(),
			jetstream.ObjectStoreConfig{Bucket: sql.Bucket + name, Storage: jetstream.MemoryStorage})
		w.must(err)
		g := w.grants(made(name))
		memory := files.NewMemory(64 << 20)
		want, err := memory.Open(t.Context(), "a", update)
		w.must(err)
		var saved []byte
		for len(program) > 0 {
			r := w.begin(g)
			got := r.file(name+".db", update)
			for range 12 {
				if len(program) < 3 {
					program = nil
					break
				}
				play(t, r, name, got, want, program[0], program[1], program[2], &saved)
				program = program[3:]
			}
			if saved != nil { // which the commit rolls back
				restore(t, want, saved)
				saved = nil
			}
			r.commit()
			if got := w.stored(name); got != content(t, want) {
				t.Fatalf("there are %d bytes, want %d", len(got), len(content(t, want)))
			}
		}
		w.must(w.js.DeleteObjectStore(t.Context(), sql.Bucket+name))
	})
}

// content returns all of a file.
func content(t *testing.T, f files.File) string {
	info, err := f.Stat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(io.NewSectionReader(readerAt{t, f}, 0, info.Size))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// readerAt is a file as package io reads it.
type readerAt struct {
	t *testing.T
	f files.File
}

func (r readerAt) ReadAt(b []byte, at int64) (int, error) { return r.f.ReadAt(r.t.Context(), b, at) }

// restore gives a file its old content.
func restore(t *testing.T, f files.File, text []byte) {
	if err := f.Truncate(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(t.Context(), text, 0); err != nil {
		t.Fatal(err)
	}
}

// play makes one operation on both files, or on the journal.
func play(t *testing.T, r *run, name string, got, want files.File, op, x, y byte, saved *[]byte) {
	at := int64(x) * 211
	journal := name + ".db-journal"
	switch op % 6 {
	case 0, 1:
		text := bytes.Repeat([]byte{y}, int(y)*97)
		n, err := got.WriteAt(t.Context(), text, at)
		m, err2 := want.WriteAt(t.Context(), text, at)
		if n != m || err != nil || err2 != nil {
			t.Fatalf("%d bytes at %d: %d, %v", len(text), at, n, err)
		}
	case 2:
		if err := errors.Join(got.Truncate(t.Context(), at), want.Truncate(t.Context(), at)); err != nil {
			t.Fatal(err)
		}
	case 3:
		if *saved == nil {
			*saved = append([]byte{}, content(t, want)...)
		}
		r.put(journal, "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", 0)
	case 4:
		*saved = nil
		_ = r.Remove(t.Context(), journal) // it may be there
	}
	if a, b := content(t, got), content(t, want); a != b {
		t.Fatalf("operation %d of %d and %d: there are %d bytes, want %d", op%6, x, y, len(a), len(b))
	}
}

// Many runs change one database; none of their changes is lost, and each of them sees one that is whole.
func TestHammer(t *testing.T) {
	w := newWorld(t)
	g := w.grants(made("n"))
	first := w.begin(g)
	first.put("n.db", strings.Repeat("\x00", 100_000), 0)
	first.commit()
	const writers, each = 4, 15
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range each {
				for tries := 0; ; tries++ {
					r := w.begin(g)
					f, err := r.Open(t.Context(), "n.db", update)
					b := make([]byte, 100_000)
					if err == nil {
						_, err = f.ReadAt(t.Context(), b, 0)
					}
					n := b[0]
					if strings.Trim(string(b), string(rune(n))) != "" {
						t.Error("the database is not whole")
					}
					if err == nil {
						_, err = f.WriteAt(t.Context(), bytes.Repeat([]byte{n + 1}, 100_000), 0)
					}
					if err == nil {
						err = r.t.Commit(t.Context(), nil)
					}
					r.t.End()
					var conflict *backend.Conflict
					if err == nil {
						break
					}
					if !errors.As(err, &conflict) || tries > 500 {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	all.Wait()
	if got := w.stored("n"); got[0] != writers*each {
		t.Errorf("there are %d of %d changes", got[0], writers*each)
	}
	g.Close()
	s, err := w.js.Stream(t.Context(), "OBJ_sql_n")
	w.must(err)
	info, err := s.Info(t.Context(), jetstream.WithSubjectFilter("$O.sql_n.C.>"))
	w.must(err)
	if len(info.State.Subjects) != 1 {
		t.Errorf("there are chunks of %d uploads", len(info.State.Subjects))
	}
}

// What an invoker keeps of databases is bounded, and what it has forgotten it loads.
func TestCache(t *testing.T) {
	w := newWorld(t)
	var all []protocol.Grant
	for i := range 5 {
		all = append(all, made(fmt.Sprint("d", i)))
	}
	g := w.grants(all...)
	for round := range 3 {
		for i := range 5 {
			r := w.begin(g)
			name := fmt.Sprint("d", i, ".db")
			f := r.file(name, update)
			w.must(f.Truncate(t.Context(), 30<<20))
			r.put(name, fmt.Sprint(round), int64(round)*1_000_000)
			if round > 0 {
				b := make([]byte, 1)
				if _, err := f.ReadAt(t.Context(), b, int64(round-1)*1_000_000); err != nil || string(b) != fmt.Sprint(round-1) {
					t.Errorf("in round %d the database %d has %q, %v", round, i, b, err)
				}
			}
			r.commit()
		}
	}
}

// BenchmarkSQL is what a run costs that changes a page of a database of some size, and one that reads a page.
func BenchmarkSQL(b *testing.B) {
	for _, size := range []int64{16 << 10, 1 << 20, 16 << 20} {
		w := newWorld(b)
		g := w.grants(made("a"))
		r := w.begin(g)
		text := make([]byte, min(size, output))
		_, _ = rand.NewChaCha8([32]byte{}).Read(text)
		f := r.file("a.db", update)
		_, err := f.WriteAt(b.Context(), text, 0)
		w.must(errors.Join(err, f.Truncate(b.Context(), size)))
		r.commit()
		b.Run(fmt.Sprintf("write/%dKiB", size>>10), func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r := w.begin(g)
				r.put("a.db", fmt.Sprint(i), 5000)
				r.commit()
			}
		})
		b.Run(fmt.Sprintf("read/%dKiB", size>>10), func(b *testing.B) {
			b.ReportAllocs()
			page := make([]byte, 4096)
			for b.Loop() {
				r := w.begin(g)
				f := r.file("a.db", files.Read)
				_, err := f.ReadAt(b.Context(), page, 4096)
				w.must(err)
				r.t.End()
			}
		})
	}
}
