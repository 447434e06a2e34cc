package filestest_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/files"
)

// FuzzMemory makes the same random operations on a Memory and in a folder of Linux. Both come to the same.
func FuzzMemory(f *testing.F) {
	if runtime.GOOS != "linux" {
		f.Skip("the oracle speaks with Linux")
	}
	f.Add([]byte("\x00\x02\x01\x05\x00\x0a\x01\x02\x02\x03\x03\x04\x04\x05\x05\x06\x06\x07"))
	f.Add(bytes.Repeat([]byte{0, 1, 7, 3, 1, 2, 2, 4, 0, 3, 5, 1, 4, 1, 6, 6, 2, 9}, 4))
	f.Fuzz(func(t *testing.T, program []byte) {
		memory := files.NewMemory(1 << 20)
		a, b := &player{t: t, tree: memory}, &player{t: t, tree: newOracle(t, nil)}
		for steps := 0; len(program) >= 3 && steps < 60; steps++ {
			op, x, y := program[0], program[1], program[2]
			program = program[3:]
			got, want := a.play(op, x, y), b.play(op, x, y)
			if got != want {
				t.Fatalf("step %d, operation %d of %d and %d: %s, Linux gives %s", steps, op%10, x, y, got, want)
			}
		}
		if got, want := a.all("."), b.all("."); got != want {
			t.Fatalf("there is %s, on Linux %s", got, want)
		}
		a.close()
		b.close()
		for _, e := range []string{"a", "b", "d/a", "d/d/a", "d/d/b", "d/b", "d/d", "d"} {
			_ = memory.Remove(t.Context(), e)
		}
		if room := memory.Room(); a.all(".") == "" && room != 1<<20 {
			t.Fatalf("when all is removed there is room for %d", room)
		}
	})
}

// player plays operations in a tree.
type player struct {
	t    *testing.T
	tree files.Tree
	open []files.File
}

// names are few, so that operations meet.
var names = []string{"a", "b", "d", "d/a", "d/b", "d/d", "d/d/a", "d/d/b", "a/b", "."}

// play makes one operation, and returns what came of it.
func (p *player) play(op, x, y byte) string {
	ctx := p.t.Context()
	name, other := names[int(x)%len(names)], names[int(y)%len(names)]
	switch op % 10 {
	case 0:
		how := files.Flags(y)&(files.Create|files.Exclusive|files.Truncate) | files.Write | files.Flags(y>>7)
		if !how.Has(files.Create) {
			how &^= files.Exclusive // which means nothing without
		}
		f, err := p.tree.Open(ctx, name, how)
		if err == nil {
			p.open = append(p.open, f)
		}
		return word(err)
	case 1:
		return word(p.tree.Mkdir(ctx, name))
	case 2:
		if name == "." {
			return ""
		}
		return word(p.tree.Remove(ctx, name))
	case 3:
		if name == "." || other == "." {
			return ""
		}
		return word(p.tree.Rename(ctx, name, other)) // Linux and POSIX know several that are true at once
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
	return p.use(op, p.open[int(x)%len(p.open)], y)
}

// use makes an operation of a file.
func (p *player) use(op byte, f files.File, y byte) string {
	ctx := p.t.Context()
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
	var out bytes.Buffer
	list, err := p.tree.ReadDir(p.t.Context(), name)
	if err != nil {
		return word(err)
	}
	slices.SortFunc(list, func(a, b files.Entry) int { return cmp.Compare(a.Name, b.Name) })
	for _, e := range list {
		below := name + "/" + e.Name
		if name == "." {
			below = e.Name
		}
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

// close closes all files.
func (p *player) close() {
	for _, f := range p.open {
		if err := f.Close(p.t.Context()); err != nil {
			p.t.Error(err)
		}
	}
}

// word returns the same word for errors that are the same to a process.
func word(err error) string {
	for w, all := range map[string][]error{
		"exists":       {fs.ErrExist, files.ErrNotEmpty},
		"none":         {fs.ErrNotExist},
		"no folder":    {files.ErrNotDir},
		"a folder":     {files.ErrIsDir},
		"no":           {fs.ErrInvalid, syscall.EINVAL},
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

// TestHammerMemory uses one tree from many goroutines, of which each has a folder and all have one.
func TestHammerMemory(t *testing.T) {
	const room = 1 << 20
	tree := files.NewMemory(room)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			own := fmt.Sprint("own", i)
			if err := tree.Mkdir(t.Context(), own); err != nil {
				t.Error(err)
			}
			for j := range 300 {
				text := fmt.Sprint(i, " ", j)
				fill(t, tree, map[string]string{own + "/a": text})
				if err := tree.Rename(t.Context(), own+"/a", own+"/b"); err != nil {
					t.Error(err)
				}
				f, err := tree.Open(t.Context(), own+"/b", files.Read)
				if err != nil {
					t.Error(err)
					return
				}
				b := make([]byte, 100)
				if n, _ := f.ReadAt(t.Context(), b, 0); string(b[:n]) != text {
					t.Errorf("%q is %q", text, b[:n])
				}
				_ = tree.Remove(t.Context(), "shared")           // of all
				_ = tree.Rename(t.Context(), own+"/b", "shared") // by whoever comes first
				_, _ = tree.ReadDir(t.Context(), ".")            // which changes
				_ = f.Close(t.Context())
			}
			if err := tree.Remove(t.Context(), own); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	_ = tree.Remove(t.Context(), "shared")
	if got := tree.Room(); got != room {
		t.Errorf("there is room for %d, at the beginning for %d", got, room)
	}
}
