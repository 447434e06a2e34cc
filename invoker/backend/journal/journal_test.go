package journal_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker/backend/journal"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/files/filestest"
)

const place = "/kv/stock"

// memory returns a tree with files.
func memory(t testing.TB, content map[string]string) *files.Memory {
	m := files.NewMemory(1 << 20)
	for name, text := range content {
		for i, c := range name {
			if c != '/' {
				continue
			}
			if err := m.Mkdir(t.Context(), name[:i]); err != nil && !errors.Is(err, fs.ErrExist) {
				t.Fatal(err)
			}
		}
		f, err := m.Open(t.Context(), name, files.Write|files.Create)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(t.Context(), []byte(text), 0); err != nil {
			t.Fatal(err)
		}
		_ = f.Close(t.Context())
	}
	return m
}

// slow is a tree that does not say that it is inline.
type slow struct{ files.Tree }

// TestConformance has the suite judge trees that are taken down, and then what is played back of that: it is the same.
func TestConformance(t *testing.T) {
	for name, with := range map[string]func(testing.TB, map[string]string) files.Tree{
		"memory":  func(t testing.TB, c map[string]string) files.Tree { return memory(t, c) },
		"static":  func(testing.TB, map[string]string) files.Tree { return static() },
		"a plain": func(t testing.TB, c map[string]string) files.Tree { return slow{memory(t, c)} },
	} {
		t.Run(name, func(t *testing.T) {
			var records []*journal.Record
			t.Run("recorded", func(t *testing.T) {
				filestest.Test(t, filestest.Harness{New: func(t testing.TB, c map[string]string) files.Tree {
					r := new(journal.Record)
					records = append(records, r)
					return r.Tree(place, with(t, c))
				}})
			})
			t.Run("played back", func(t *testing.T) {
				filestest.Test(t, filestest.Harness{New: func(t testing.TB, _ map[string]string) files.Tree {
					return again(t, records, func() { records = records[1:] })
				}})
			})
		})
	}
}

// static is what a tree has that can only be read.
func static() files.Tree {
	m := files.Map{}
	for name, text := range filestest.Content {
		m[name] = []byte(text)
	}
	return files.Static(m)
}

// again returns what is played back of the first record, as it comes out of a recording.
func again(t testing.TB, records []*journal.Record, next func()) files.Tree {
	kept, lost := records[0].End()
	next()
	if lost != "" {
		t.Fatal(lost)
	}
	r := journal.NewReplay(reread(t, kept), false)
	return r.Mounts()[0].Tree
}

// reread returns files as they come out of a recording.
func reread(t testing.TB, kept *protocol.RecordedFiles) *protocol.RecordedFiles {
	f := protocol.Function{Name: "shop", Digest: protocol.Digest(nil), Grants: []protocol.Grant{
		{KV: "stock", Access: protocol.AccessWrite}, {Secret: "KEY"}, {Tmp: 1 << 20}}}
	b, err := protocol.Recording{Function: f, ID: "1", Files: kept}.Encode(protocol.MaxRecording)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := protocol.ParseRecording(b)
	if err != nil {
		t.Fatal(err)
	}
	if rec.Files == nil {
		t.Fatalf("left out: %q", rec.LeftOut)
	}
	return rec.Files
}

// read returns what can be read from a file, in pieces.
func read(tree files.Tree, name string, piece int) (string, error) {
	ctx := context.Background()
	f, err := tree.Open(ctx, name, files.Read)
	if err != nil {
		return "", err
	}
	defer f.Close(ctx)
	var all []byte
	for b := make([]byte, piece); ; {
		n, err := f.ReadAt(ctx, b, int64(len(all)))
		all = append(all, b[:n]...)
		if err == io.EOF {
			return string(all), nil
		}
		if err != nil {
			return string(all), err
		}
	}
}

// program does something of everything, and returns what it was told.
func program(tree files.Tree) (told []string) {
	ctx := context.Background()
	say := func(what string, err error) { told = append(told, fmt.Sprintf("%s: %v", what, err)) }
	say("making a folder", tree.Mkdir(ctx, "d"))
	f, err := tree.Open(ctx, "d/a", files.Read|files.Write|files.Create)
	say("opening", err)
	if err == nil {
		n, err := f.WriteAt(ctx, []byte("some text"), files.End)
		say(fmt.Sprint("writing ", n), err)
		say("making shorter", f.Truncate(ctx, 4))
		i, err := f.Stat(ctx)
		say(fmt.Sprint("looking ", i.Size, i.ModTime.IsZero()), err)
		say("time", f.SetTime(ctx, time.Unix(1, 0)))
		say("sync", f.Sync(ctx))
		say("closing", f.Close(ctx))
	}
	text, err := read(tree, "d/a", 3)
	say(text, err)
	say("removing a folder", tree.Remove(ctx, "d"))
	say("another name", tree.Rename(ctx, "d/a", "b"))
	i, err := tree.Stat(ctx, "b")
	say(fmt.Sprint(i.Mode, i.Size, i.ModTime.Unix(), i.Stream), err)
	all, err := tree.ReadDir(ctx, ".")
	say(fmt.Sprint(len(all)), err)
	say("time", tree.SetTime(ctx, "b", time.Unix(2, 0)))
	say("removing", tree.Remove(ctx, "b"))
	return told
}

// TestSame plays a program back that does something of everything: it is told the same, and nothing differs.
func TestSame(t *testing.T) {
	r := new(journal.Record)
	want := program(r.Tree(place, memory(t, nil)))
	kept, _ := r.End()
	p := journal.NewReplay(reread(t, kept), false)
	got := program(p.Mounts()[0].Tree)
	if d := p.Difference(); len(got) != len(want) || d != "" {
		t.Fatalf("got %q, want %q: %s", got, want, d)
	}
	for i := range want {
		if before, _, _ := strings.Cut(want[i], ": "); !strings.HasPrefix(got[i], before+": ") ||
			strings.HasSuffix(want[i], ": <nil>") != strings.HasSuffix(got[i], ": <nil>") {
			t.Errorf("got %q, want %q", got[i], want[i])
		}
	}
}

// TestAnother plays back what another program asks for: other pieces, another order, and what was not asked before.
func TestAnother(t *testing.T) {
	r := new(journal.Record)
	tree := r.Tree(place, memory(t, map[string]string{"tea": "0123456789", "milk": "white"}))
	for _, name := range []string{"tea", "milk", "none"} {
		if _, err := read(tree, name, 4); name != "none" && err != nil {
			t.Fatal(err)
		}
	}
	kept, _ := r.End()
	p := journal.NewReplay(reread(t, kept), false)
	tree = p.Mounts()[0].Tree
	for _, c := range []struct {
		name, want string
		err        error
	}{{"milk", "white", nil}, {"none", "", fs.ErrNotExist}, {"tea", "0123456789", nil}, {"sugar", "", syscall.EIO}} {
		got, err := read(tree, c.name, 3)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: got %q, %v", c.name, got, err)
		}
	}
	const want = `operation 1 was open "/kv/stock/tea", and now it is open "/kv/stock/milk"`
	if d := p.Difference(); d != want {
		t.Errorf("the difference is %q", d)
	}
	if d := journal.NewReplay(kept, false).Difference(); !strings.Contains(d, "and now there is none") {
		t.Errorf("of a run that does nothing the difference is %q", d)
	}
}

// TestSecret takes down a run that reads a secret: nothing is kept. Names are, as long as it has read none.
func TestSecret(t *testing.T) {
	const value = "correct horse"
	r := new(journal.Record)
	tree := r.Tree("/secret", files.Static(files.Map{"KEY": []byte(value)}))
	if _, err := tree.Stat(t.Context(), "KEY"); err != nil {
		t.Fatal(err)
	}
	other := new(journal.Record)
	stock := other.Tree(place, memory(t, map[string]string{"tea": "1"}))
	keys := other.Tree("/secret", files.Static(files.Map{"KEY": []byte(value)}))
	for _, c := range []struct {
		tree files.Tree
		name string
	}{{stock, "tea"}, {keys, "KEY"}, {stock, "tea"}} {
		if _, err := read(c.tree, c.name, 100); err != nil {
			t.Fatal(err)
		}
	}
	kept, lost := r.End()
	if lost != "" || len(kept.Ops) != 1 || len(kept.Mounts) != 1 || !kept.Mounts[0].ReadOnly {
		t.Errorf("of a run that has seen a name there is %+v, %s", kept, lost)
	}
	if kept, lost := other.End(); kept != nil || !strings.Contains(lost, "secret") {
		t.Errorf("of a run that has read a secret there is %+v, %q", kept, lost)
	}
}

// TestBounds takes down runs that do too much: nothing is kept, and it is said why.
func TestBounds(t *testing.T) {
	for name, do := range map[string]func(tree files.Tree) error{
		"bytes": func(tree files.Tree) error {
			_, err := read(tree, "large", protocol.MaxRecordedFiles)
			return err
		},
		"operations": func(tree files.Tree) error {
			for range protocol.MaxRecordedOps + 1 {
				if _, err := tree.Stat(t.Context(), "x"); err != nil {
					return err
				}
			}
			return nil
		},
	} {
		r := new(journal.Record)
		tree := r.Tree(place, memory(t, map[string]string{"large": strings.Repeat("x", protocol.MaxRecordedFiles), "x": ""}))
		if err := do(tree); err != nil {
			t.Error(err)
		}
		if kept, lost := r.End(); kept != nil || !strings.Contains(lost, "more than the 10000 operations and 400KiB") {
			t.Errorf("%s: there is %v, %q", name, kept, lost)
		}
	}
}

// TestFull checks that what is kept has room in a recording: Cost is not less than what it takes.
func TestFull(t *testing.T) {
	r := new(journal.Record)
	tree := r.Tree(place, memory(t, map[string]string{"x": strings.Repeat("\xff", 100), "y": ""}))
	for range 500 {
		if _, err := read(tree, "x", 60); err != nil {
			t.Fatal(err)
		}
		if _, err := tree.ReadDir(t.Context(), "."); err != nil {
			t.Fatal(err)
		}
	}
	kept, lost := r.End()
	cost := 0
	for i := range kept.Ops {
		cost += kept.Ops[i].Cost()
	}
	if b, err := json.Marshal(kept); err != nil || len(b) > cost*5/4 {
		t.Errorf("%d operations take %d bytes, and not %d: %v, %s", len(kept.Ops), len(b), cost, err, lost)
	}
}

// TestCut plays back a run that was ended while it waited for a file: it waits.
func TestCut(t *testing.T) {
	r := new(journal.Record)
	tree := r.Tree(place, memory(t, map[string]string{"tea": "1"}))
	if _, err := tree.Stat(t.Context(), "tea"); err != nil {
		t.Fatal(err)
	}
	kept, _ := r.End()
	p := journal.NewReplay(reread(t, kept), true)
	tree = p.Mounts()[0].Tree
	if _, err := tree.Stat(t.Context(), "tea"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := tree.Stat(ctx, "milk"); !errors.Is(err, context.DeadlineExceeded) || p.Difference() != "" {
		t.Errorf("got %v, %q", err, p.Difference())
	}
}

// FuzzReplay plays back what anybody may have written. Nothing happens but errors.
func FuzzReplay(f *testing.F) {
	for _, op := range []string{"open", "stat", "list", "read", "write", "close", "filestat"} {
		f.Add(fmt.Sprintf(`{"mounts":[{"path":"/kv/stock"}],"ops":[{"op":"open","path":"/kv/stock/a","at":1},`+
			`{"op":%q,"path":"/kv/stock/a","n":8,"data":"AAAA","done":7,"entries":[{"name":"b"}],`+
			`"info":{"size":-1}}]}`, op), int64(0))
	}
	f.Fuzz(func(t *testing.T, text string, at int64) {
		var kept protocol.RecordedFiles
		if json.Unmarshal([]byte(text), &kept) != nil {
			return
		}
		p := journal.NewReplay(&kept, false)
		for _, m := range p.Mounts() {
			_, _ = m.Tree.Stat(t.Context(), "a")
			_, _ = m.Tree.ReadDir(t.Context(), ".")
			file, err := m.Tree.Open(t.Context(), "a", files.Read|files.Write)
			if err != nil {
				continue
			}
			b := make([]byte, 8)
			if n, _ := file.ReadAt(t.Context(), b, max(0, at)); n > len(b) {
				t.Errorf("read %d bytes into %d", n, len(b))
			}
			if n, _ := file.WriteAt(t.Context(), b, max(0, at)); n < 0 || n > len(b) {
				t.Errorf("wrote %d bytes of %d", n, len(b))
			}
			_, _ = file.Stat(t.Context())
			_ = file.Close(t.Context())
		}
		_ = p.Difference()
	})
}
