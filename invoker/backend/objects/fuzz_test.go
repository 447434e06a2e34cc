package objects_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/files/filestest"
)

// names are few, so that operations meet.
var names = []string{"a", "b", "d", "d/a", "d/b", "d/d", "d/d/a", "d/d/b", "a/b", "."}

// FuzzTree makes the same random operations on a bucket and in memory. Both come to the same, within each run and after
// each commit.
func FuzzTree(f *testing.F) {
	f.Add([]byte("\x00\x02\x01\x05\x00\x0a\x01\x02\x02\x03\x03\x04\x04\x05\x05\x06\x06\x07"))
	f.Add(bytes.Repeat([]byte{0, 1, 7, 3, 1, 2, 2, 4, 0, 3, 5, 1, 4, 1, 6, 6, 2, 9}, 4))
	f.Add(bytes.Repeat([]byte("1202a1b2c3d4e5f60718293a4b5c6d7e8f9"), 3))
	f.Add([]byte("\x01\x02\x00\x00\x03\x17\x07\x00\x00\x03\x02\x00")) // d/a becomes a/a, which no operation can name
	all := newWorld(f)
	var mu sync.Mutex
	made := 0
	f.Fuzz(func(t *testing.T, program []byte) {
		w := &world{TB: t, js: all.js, kind: all.kind}
		mu.Lock()
		made++
		name := fmt.Sprint("bucket", made)
		mu.Unlock()
		_, err := w.js.CreateObjectStore(t.Context(), jetstream.ObjectStoreConfig{Bucket: name,
			Storage: jetstream.MemoryStorage})
		w.must(err)
		g := w.grants(protocol.Grant{Obj: name, Access: protocol.AccessWrite, MaxOps: 100_000})
		memory := &filestest.Making{Memory: files.NewMemory(64 << 20)}
		for len(program) >= 3 {
			r := w.begin(g)
			a, b := &player{t: t, tree: r.tree()}, &player{t: t, tree: memory}
			for steps := 0; len(program) >= 3 && steps < 15; steps++ {
				op, x, y := program[0], program[1], program[2]
				program = program[3:]
				if got, want := a.play(op, x, y), b.play(op, x, y); got != want {
					t.Fatalf("step %d, operation %d of %s and %d: %s, in memory %s", steps, op%10,
						names[int(x)%len(names)], y, got, want)
				}
			}
			if got, want := a.all("."), b.all("."); got != want {
				t.Fatalf("there is %s, in memory %s", got, want)
			}
			a.close()
			b.close()
			r.commit()
			prune(t, memory, ".")
			if got, want := (&player{t: t, tree: w.begin(g).tree()}).all("."), b.all("."); got != want {
				t.Fatalf("after the commit there is %s, in memory %s", got, want)
			}
		}
		g.Close()
		w.chunks(name, filled(t, memory))
		w.must(w.js.DeleteObjectStore(t.Context(), name))
	})
}

// filled returns how many files there are that are not empty.
func filled(t *testing.T, tree files.Tree) (n int) {
	t.Helper()
	err := fs.WalkDir(files.Std(t.Context(), tree), ".", func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Size() > 0 {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// prune removes folders in which nothing is: a bucket has none.
func prune(t *testing.T, tree files.Tree, name string) {
	list, err := tree.ReadDir(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if e.Mode.IsDir() {
			below := e.Name
			if name != "." {
				below = name + "/" + e.Name
			}
			prune(t, tree, below)
			_ = tree.Remove(t.Context(), below) // if it is empty
		}
	}
}

// player plays operations in a tree.
type player struct {
	t    *testing.T
	tree files.Tree
	open []files.File
}

// play makes one operation, and returns what came of it.
func (p *player) play(op, x, y byte) string {
	ctx := p.t.Context()
	name, other := names[int(x)%len(names)], names[int(y)%len(names)]
	switch op % 10 {
	case 0:
		how := files.Flags(y)&(files.Create|files.Exclusive|files.Truncate) | files.Write | files.Flags(y>>7)
		if !how.Has(files.Create) {
			how &^= files.Exclusive
		}
		f, err := p.tree.Open(ctx, name, how)
		if err == nil {
			p.open = append(p.open, f)
		}
		return word(err)
	case 1:
		return word(p.tree.Mkdir(ctx, name))
	case 2:
		return word(p.tree.Remove(ctx, name))
	case 3:
		if name == "." || other == "." { // of which several things are true at once
			return ""
		}
		return word(p.tree.Rename(ctx, name, other))
	case 4:
		info, err := p.tree.Stat(ctx, name)
		if info.IsDir() {
			info.Size = 0
		}
		return fmt.Sprint(word(err), info.Size, info.IsDir())
	case 5:
		return p.all(name)
	}
	if len(p.open) == 0 {
		return ""
	}
	f := p.open[int(x)%len(p.open)]
	switch op % 10 {
	case 6:
		n, err := f.WriteAt(ctx, bytes.Repeat([]byte{y}, int(y)), int64(y/2))
		return fmt.Sprint(n, word(err))
	case 7:
		n, err := f.WriteAt(ctx, []byte{y}, files.End)
		return fmt.Sprint(n, word(err))
	case 8:
		return word(f.Truncate(ctx, int64(y)*9))
	}
	b := make([]byte, 5000)
	n, err := f.ReadAt(ctx, b, int64(y))
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return fmt.Sprintf("%q %s", b[:n], word(err))
}

// all returns what there is below a name.
func (p *player) all(name string) string {
	list, err := p.tree.ReadDir(p.t.Context(), name)
	if err != nil {
		return word(err)
	}
	var out bytes.Buffer
	for _, e := range list {
		below := e.Name
		if name != "." {
			below = name + "/" + e.Name
		}
		if e.Mode.IsDir() {
			fmt.Fprintf(&out, "%s/{%s}", e.Name, p.all(below))
			continue
		}
		text, err := fs.ReadFile(files.Std(p.t.Context(), p.tree), below)
		if err != nil {
			p.t.Fatal(below, err)
		}
		fmt.Fprintf(&out, "%s=%q ", e.Name, text)
	}
	return out.String()
}

// close closes all files.
func (p *player) close() {
	for _, f := range p.open {
		if err := f.Close(p.t.Context()); err != nil {
			p.t.Error(err)
		}
	}
	p.open = nil
}

// word returns the same word for errors that are the same to a process.
func word(err error) string {
	for _, e := range []error{files.ErrNotEmpty, fs.ErrExist, fs.ErrNotExist, files.ErrNotDir, files.ErrIsDir,
		fs.ErrInvalid, files.ErrBadFile, files.ErrBusy} {
		if errors.Is(err, e) {
			return e.Error()
		}
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// BenchmarkObjects is what runs cost that read or write one object.
func BenchmarkObjects(b *testing.B) {
	w := newWorld(b)
	text := string(bytes.Repeat([]byte("x"), 200))
	w.bucket("b", map[string]string{"small": text, "large": string(bytes.Repeat([]byte("x"), 8<<20))})
	g := w.grants(rw("b"))
	read := func(name string) func(b *testing.B) {
		return func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := w.begin(g)
				_, err := r.get(name)
				w.must(err)
				r.t.End()
			}
		}
	}
	b.Run("unused", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			w.begin(g).t.End()
		}
	})
	b.Run("read/200B", read("small"))
	b.Run("read/8MiB", read("large"))
	b.Run("replace/200B", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r := w.begin(g)
			w.must(r.put("new", text, blind))
			r.commit()
		}
	})
	b.Run("change/200B", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r := w.begin(g)
			w.must(r.put("new", "x", update))
			r.commit()
		}
	})
	b.Run("nats.go/put", func(b *testing.B) {
		store, err := w.js.ObjectStore(b.Context(), "b")
		w.must(err)
		b.ReportAllocs()
		for b.Loop() {
			_, err := store.PutString(b.Context(), "other", text)
			w.must(err)
		}
	})
}

// A bucket with many objects is listed with bounded memory, and what is new in it by one request.
func BenchmarkList(b *testing.B) {
	w := newWorld(b)
	store := w.bucket("b", nil)
	const many = 10_000
	for i := range many {
		msg := fmt.Sprintf("name%06d", i)
		_, err := store.Put(b.Context(), jetstream.ObjectMeta{Name: msg}, bytes.NewReader(nil))
		w.must(err)
	}
	g := w.grants(rw("b"))
	for b.Loop() {
		r := w.begin(g)
		all, err := r.tree().ReadDir(b.Context(), ".")
		w.must(err)
		if len(all) != many {
			b.Fatalf("there are %d", len(all))
		}
		r.t.End()
	}
}
