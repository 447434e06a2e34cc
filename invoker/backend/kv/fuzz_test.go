package kv

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/files/filestest"
)

// FuzzKV makes the same random operations in a bucket, with a commit now and then, and in a files.Memory. Both come to
// the same, but for folders in which there is nothing: those end with the run.
func FuzzKV(f *testing.F) {
	f.Add([]byte("\x00\x02\x01\x05\x00\x0a\x01\x02\x02\x03\x03\x04\x04\x05\x05\x06\x06\x07"))
	f.Add(bytes.Repeat([]byte{0, 1, 7, 3, 1, 2, 2, 4, 0, 3, 5, 1, 4, 1, 6, 6, 2, 9, 10, 0, 0}, 4))
	f.Add([]byte("\x00\x03\x05\x0b\x00\x00\x03\x03\x02\x0b\x00\x00\x00\x04\x01\x02\x00\x00\x0b\x00\x00\x05\x09\x00"))
	f.Add([]byte("\x00\x00\x05\x7f\x03\x02\x06")) // d/d is a file, and d is to be d/d/a
	random := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		program := make([]byte, 181)
		for i := range program {
			program[i] = byte(random.Uint32())
		}
		f.Add(program)
	}
	e := newEnv(f)
	var mounts []*mount
	for _, name := range slices.Sorted(maps.Keys(modes)) { // in an order that an input of yesterday meets again
		mode := modes[name]
		if name == "nothing in memory" {
			continue // there a file can be made that has the name of a folder
		}
		e.kind = &Kind{JetStream: e.js, most: mode.most}
		mounts = append(mounts, e.grant(e.bucket(nil), func(g *protocol.Grant) {
			if mode.change != nil {
				mode.change(g)
			}
		}))
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		m := mounts[0]
		if len(program) > 0 {
			m = mounts[int(program[0])%len(mounts)]
			program = program[1:]
		}
		empty(t, m)
		oracle := &making{&filestest.Making{Memory: files.NewMemory(16 << 20)}}
		kv, memory := &player{t: t, tree: begin(t, m, 0).Tree}, &player{t: t, tree: oracle}
		for steps := 0; len(program) >= 3 && steps < 60; steps++ {
			op, x, y := program[0], program[1], program[2]
			program = program[3:]
			if op%12 == 11 {
				kv.renew(m)
				oracle.prune(t, ".")
				continue
			}
			got, want := kv.play(op, x, y), memory.play(op, x, y)
			if got != want {
				t.Fatalf("step %d, operation %d of %s and %s: %s, in memory %s", steps, op%12, name(x), name(y), got, want)
			}
		}
		kv.renew(m)
		oracle.prune(t, ".")
		if got, want := kv.all("."), memory.all("."); got != want {
			t.Fatalf("there is %s, in memory %s", got, want)
		}
	})
}

// empty removes all keys of a bucket.
func empty(t *testing.T, m *mount) {
	r := begin(t, m, 1)
	var remove func(name string)
	remove = func(name string) {
		all, err := r.Tree.ReadDir(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			if e.Mode.IsDir() {
				remove(path.Join(name, e.Name))
			}
			if err := r.Tree.Remove(t.Context(), path.Join(name, e.Name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove(".")
	if err := r.commit(); err != nil {
		t.Fatal(err)
	}
}

// making is a Memory in which a name makes the folders that lead to it.
type making struct{ *filestest.Making }

// prune takes away folders in which there is nothing.
func (m *making) prune(t *testing.T, name string) {
	all, err := m.Memory.ReadDir(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if e.Mode.IsDir() {
			below := path.Join(name, e.Name)
			m.prune(t, below)
			_ = m.Memory.Remove(t.Context(), below)
		}
	}
}

// player plays operations in a tree.
type player struct {
	t    *testing.T
	tree files.Tree
}

// renew commits, and goes on in another run. Files that are open are those of the run that has ended.
func (p *player) renew(m *mount) {
	s := p.tree.(*tree).session
	if err := s.Commit(p.t.Context(), nil); s.Changed() && err != nil {
		p.t.Fatal(err)
	}
	p.tree = begin(p.t, m, 0).Tree
}

// names are few, so that operations meet.
var fuzzNames = []string{"a", "b", "d", "d/a", "d/b", "d/d", "d/d/a", "d/d/b", "a/b", "e/a", "."}

// name returns one of them.
func name(x byte) string { return fuzzNames[int(x)%len(fuzzNames)] }

// play makes one operation, and returns what came of it.
func (p *player) play(op, x, y byte) string {
	ctx := p.t.Context()
	one, two := name(x), name(y)
	switch op % 12 {
	case 0, 6, 7, 8, 9:
		return p.use(one, op, y)
	case 1:
		return word(p.tree.Mkdir(ctx, one))
	case 2:
		if one == "." {
			return ""
		}
		return word(p.tree.Remove(ctx, one))
	case 3:
		if one == "." || two == "." {
			return ""
		}
		return word(p.tree.Rename(ctx, one, two))
	case 4:
		info, err := p.tree.Stat(ctx, one)
		if info.IsDir() {
			info.Size = 0
		}
		return fmt.Sprint(word(err), info.Size, info.IsDir())
	}
	return p.all(one)
}

// use opens a file and makes an operation of it.
func (p *player) use(name string, op, y byte) string {
	ctx := p.t.Context()
	how := files.Flags(y)&(files.Create|files.Exclusive|files.Truncate) | files.Write | files.Flags(y>>7)
	if !how.Has(files.Create) {
		how &^= files.Exclusive // which means nothing without
	}
	f, err := p.tree.Open(ctx, name, how)
	if err != nil {
		return word(err)
	}
	defer f.Close(ctx)
	switch op % 12 {
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
	var out strings.Builder
	list, err := p.tree.ReadDir(p.t.Context(), name)
	if err != nil {
		return word(err)
	}
	slices.SortFunc(list, func(a, b files.Entry) int { return cmp.Compare(a.Name, b.Name) })
	for _, e := range list {
		below := path.Join(name, e.Name)
		if e.Mode.IsDir() {
			fmt.Fprintf(&out, "%s/{%s}", e.Name, p.all(below))
			continue
		}
		f, err := p.tree.Open(p.t.Context(), below, files.Read)
		if err != nil {
			p.t.Fatal(err)
		}
		b := make([]byte, 10_000)
		n, _ := f.ReadAt(p.t.Context(), b, 0)
		fmt.Fprintf(&out, "%s=%q ", e.Name, b[:n])
		if err := f.Close(p.t.Context()); err != nil {
			p.t.Fatal(err)
		}
	}
	return out.String()
}

// word returns the same word for errors that are the same to a process.
func word(err error) string {
	for w, all := range map[string][]error{
		"exists":       {fs.ErrExist, files.ErrNotEmpty},
		"none":         {fs.ErrNotExist},
		"no folder":    {files.ErrNotDir},
		"a folder":     {files.ErrIsDir},
		"no":           {fs.ErrInvalid},
		"not for that": {files.ErrBadFile},
	} {
		if slices.ContainsFunc(all, func(e error) bool { return errors.Is(err, e) }) {
			return w
		}
	}
	if err != nil {
		return err.Error()
	}
	return ""
}
