package filestest

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/files"
)

// create is how a new file is opened.
const create = files.Read | files.Write | files.Create

// writeCases begin with an empty tree.
var writeCases = []testCase{
	{"write/an empty tree", func(s *suite) {
		s.lists(".")
		if info, err := s.tree.Stat(s.Context(), "."); err != nil || !info.IsDir() {
			s.Errorf("%+v, %v", info, err)
		}
	}},
	{"write/and read back", func(s *suite) {
		long := strings.Repeat("0123456789abcdef", 5000)
		s.put("a", "hello")
		s.put("b", long)
		s.put("c", "")
		s.has("a", "hello")
		s.has("b", long)
		s.has("c", "")
		s.lists(".", "a", "b", "c")
	}},
	{"write/what was there", func(s *suite) {
		s.put("a", "hello world")
		s.with("a", files.Write, func(f files.File) { s.write(f, "J", 0) })
		s.has("a", "Jello world")
		s.with("a", create|files.Truncate, func(f files.File) { s.write(f, "new", 0) })
		s.has("a", "new")
		s.with("a", create, func(f files.File) { s.write(f, "er", 3) })
		s.has("a", "newer")
	}},
	{"write/behind the end", func(s *suite) {
		s.with("a", create, func(f files.File) {
			s.write(f, "x", 0)
			s.write(f, "y", 5)
			if got := s.content(f); got != "x\x00\x00\x00\x00y" {
				s.Errorf("got %q", got)
			}
		})
		s.has("a", "x\x00\x00\x00\x00y")
	}},
	{"write/append", func(s *suite) {
		one, two := s.open("a", create), s.open("a", create)
		s.write(one, "one ", files.End)
		s.write(two, "two ", files.End)
		s.write(one, "three", files.End)
		s.has("a", "one two three")
	}},
	{"write/where there can be nothing", func(s *suite) {
		f := s.open("a", create)
		_, err := f.WriteAt(s.Context(), []byte("xx"), math.MaxInt64)
		if err == nil {
			s.Error("it was written")
		}
		s.has("a", "")
	}},
	{"write/several at once", func(s *suite) {
		w, r := s.open("a", files.Write|files.Create), s.open("a", files.Read)
		s.write(w, "hello", 0)
		if got := s.content(r); got != "hello" {
			s.Errorf("the reader has %q", got)
		}
		_, err := w.ReadAt(s.Context(), make([]byte, 1), 0)
		s.is("reading from the writer", err, files.ErrBadFile)
	}},
	{"truncate", truncates},
	{"open/exclusive", func(s *suite) {
		s.with("a", create|files.Exclusive, func(f files.File) { s.write(f, "mine", 0) })
		_, err := s.tree.Open(s.Context(), "a", create|files.Exclusive)
		s.is("making it again", err, fs.ErrExist)
		s.must(s.tree.Mkdir(s.Context(), "d"))
		_, err = s.tree.Open(s.Context(), "d", create|files.Exclusive)
		s.is("making a folder again", err, fs.ErrExist)
		s.has("a", "mine")
	}},
	{"open/where nothing can be made", func(s *suite) {
		s.put("a", "file")
		s.must(s.tree.Mkdir(s.Context(), "d"))
		for name, want := range map[string]error{"a/x": files.ErrNotDir, "d": files.ErrIsDir, ".": files.ErrIsDir} {
			_, err := s.tree.Open(s.Context(), name, create)
			s.is("making "+name, err, want)
		}
		if !s.MakesFolders {
			_, err := s.tree.Open(s.Context(), "none/x", create)
			s.is("making none/x", err, fs.ErrNotExist)
		}
		_, err := s.tree.Open(s.Context(), "none", files.Read|files.Write)
		s.is("opening what is not there", err, fs.ErrNotExist)
		for _, name := range []string{"", "/x", "../x", "x/", "d/../x", "./x"} {
			if _, err := s.tree.Open(s.Context(), name, create); err == nil {
				s.Errorf("%q was made", name)
			}
		}
		s.lists(".", "a", "d/")
	}},
	{"open/below folders that nobody has made", func(s *suite) {
		if !s.MakesFolders {
			return // the row above says what happens then
		}
		s.put("d/e/x", "file")
		s.has("d/e/x", "file")
		s.lists(".", "d/")
		s.lists("d", "e/")
		s.is("making a file of a folder", s.tree.Mkdir(s.Context(), "d/e/x/y"), files.ErrNotDir)
		s.must(s.tree.Mkdir(s.Context(), "f/g"))
		s.must(s.tree.Rename(s.Context(), "d/e/x", "h/i/x"))
		s.lists(".", "d/", "f/", "h/")
		s.has("h/i/x", "file")
	}},
	{"folders", folders},
	{"remove", removes},
	{"remove/a file that is open", func(s *suite) {
		f := s.open("a", create)
		s.write(f, "hello", 0)
		s.must(s.tree.Remove(s.Context(), "a"))
		_, err := s.tree.Stat(s.Context(), "a")
		s.is("describing it", err, fs.ErrNotExist)
		s.write(f, " world", files.End)
		if got := s.content(f); got != "hello world" {
			s.Errorf("it has %q", got)
		}
		s.put("a", "another")
		s.has("a", "another")
		if got := s.content(f); got != "hello world" {
			s.Errorf("it has %q", got)
		}
	}},
	{"rename/a file", renames},
	{"rename/a folder", renamesFolder},
	{"times", times},
	{"sync", func(s *suite) {
		f := s.open("a", create)
		s.write(f, "hello", 0)
		s.must(f.Sync(s.Context()))
		s.has("a", "hello")
	}},
	{"room", room},
}

// truncates makes files shorter and longer.
func truncates(s *suite) {
	s.put("a", "hello")
	s.with("a", files.Write, func(f files.File) {
		s.must(f.Truncate(s.Context(), 2))
		s.must(f.Truncate(s.Context(), 6))
		s.invalid("below 0", f.Truncate(s.Context(), -1))
		if info, err := f.Stat(s.Context()); err != nil || info.Size != 6 {
			s.Errorf("%+v, %v", info, err)
		}
	})
	s.has("a", "he\x00\x00\x00\x00")
	s.with("a", files.Write|files.Truncate, func(files.File) {})
	s.has("a", "")
}

// folders makes folders.
func folders(s *suite) {
	ctx := s.Context()
	s.must(s.tree.Mkdir(ctx, "d"))
	s.must(s.tree.Mkdir(ctx, "d/e"))
	s.put("d/f", "file")
	s.put("d/e/g", "deep")
	s.lists(".", "d/")
	s.lists("d", "e/", "f")
	s.lists("d/e", "g")
	for name, want := range map[string]error{"d": fs.ErrExist, "d/f": fs.ErrExist, ".": fs.ErrExist,
		"d/f/x": files.ErrNotDir} {
		s.is("making "+name, s.tree.Mkdir(ctx, name), want)
	}
	if !s.MakesFolders {
		s.is("making none/x", s.tree.Mkdir(ctx, "none/x"), fs.ErrNotExist)
	}
	for _, name := range []string{"", "/x", "../x", "x/"} {
		if err := s.tree.Mkdir(ctx, name); err == nil {
			s.Errorf("%q was made", name)
		}
	}
}

// removes takes away files and folders.
func removes(s *suite) {
	ctx := s.Context()
	s.put("a", "hello")
	s.must(s.tree.Mkdir(ctx, "d"))
	s.put("d/a", "hello")
	s.is("a folder with a file", s.tree.Remove(ctx, "d"), files.ErrNotEmpty)
	s.must(s.tree.Remove(ctx, "d/a"))
	s.lists("d")
	s.must(s.tree.Remove(ctx, "d"))
	s.must(s.tree.Remove(ctx, "a"))
	for name, want := range map[string]error{"a": fs.ErrNotExist, "d": fs.ErrNotExist, "d/a": fs.ErrNotExist} {
		s.is("removing "+name, s.tree.Remove(ctx, name), want)
	}
	if err := s.tree.Remove(ctx, "."); err == nil {
		s.Error("the tree itself was removed")
	}
	s.lists(".")
	s.put("d", "now a file")
	s.has("d", "now a file")
}

// renames gives files other names.
func renames(s *suite) {
	ctx := s.Context()
	s.put("a", "one")
	s.put("b", "two")
	s.must(s.tree.Mkdir(ctx, "d"))
	open := s.open("b", files.Read)
	s.must(s.tree.Rename(ctx, "a", "b"))
	s.has("b", "one")
	if got := s.content(open); got != "two" {
		s.Errorf("what was replaced has %q", got)
	}
	s.must(s.tree.Rename(ctx, "b", "b"))
	s.must(s.tree.Rename(ctx, "b", "d/c"))
	s.lists(".", "d/")
	s.has("d/c", "one")
	s.put("a", "one")
	for _, c := range []struct {
		from, to string
		want     error
	}{
		{"none", "x", fs.ErrNotExist}, {"none", "none", fs.ErrNotExist}, {"a", "d/c/x", files.ErrNotDir},
		{"a/x", "y", files.ErrNotDir},
	} {
		s.is(c.from+" to "+c.to, s.tree.Rename(ctx, c.from, c.to), c.want)
	}
	if !s.MakesFolders {
		s.is("a to none/x", s.tree.Rename(ctx, "a", "none/x"), fs.ErrNotExist)
	}
	// Linux and macOS have different words for these.
	for _, c := range [][2]string{{"a", "d"}, {"a", ".."}, {"a", "../x"}, {"a", "."}, {"a", ""}, {".", "x"}} {
		if err := s.tree.Rename(ctx, c[0], c[1]); err == nil {
			s.Errorf("%q has become %q", c[0], c[1])
		}
	}
	s.lists(".", "a", "d/")
}

// renamesFolder moves folders, with what is in them.
func renamesFolder(s *suite) {
	ctx := s.Context()
	for _, name := range []string{"d", "d/e", "empty", "full", "full/x"} {
		s.must(s.tree.Mkdir(ctx, name))
	}
	s.put("d/e/f", "file")
	s.put("a", "file")
	open := s.open("d/e/f", files.Read)
	s.invalid("into itself", s.tree.Rename(ctx, "d", "d/e/d"))
	s.is("onto a file", s.tree.Rename(ctx, "d", "a"), files.ErrNotDir)
	if err := s.tree.Rename(ctx, "d", "full"); !errors.Is(err, files.ErrNotEmpty) && !errors.Is(err, fs.ErrExist) {
		s.Errorf("onto one with something in it: %v", err)
	}
	s.must(s.tree.Rename(ctx, "d", "empty"))
	s.lists(".", "a", "empty/", "full/")
	s.must(s.tree.Rename(ctx, "empty", "full/x/y"))
	s.has("full/x/y/e/f", "file")
	if got := s.content(open); got != "file" {
		s.Errorf("the open file has %q", got)
	}
	_, err := s.tree.Stat(ctx, "empty/e/f")
	s.is("the old name", err, fs.ErrNotExist)
}

// times looks at when files were changed.
func times(s *suite) {
	if s.NoTimes {
		s.Skip("it keeps no times")
	}
	ctx, then := s.Context(), time.Unix(1_000_000_000, 123_456_000)
	s.put("a", "hello")
	s.must(s.tree.Mkdir(ctx, "d"))
	is := func(name string) bool {
		s.Helper()
		info, err := s.tree.Stat(ctx, name)
		s.must(err)
		return info.ModTime.Equal(then)
	}
	for _, name := range []string{"a", "d"} {
		if is(name) {
			s.Errorf("%s is of long ago", name)
		}
		s.must(s.tree.SetTime(ctx, name, then))
		if !is(name) {
			s.Errorf("%s is not of long ago", name)
		}
	}
	s.with("a", files.Write, func(f files.File) { s.write(f, "x", 0) })
	if is("a") {
		s.Error("a change has not changed the time")
	}
	s.with("a", files.Read, func(f files.File) { s.must(f.SetTime(ctx, then)) })
	if !is("a") {
		s.Error("the open file has another time")
	}
	s.is("what is not there", s.tree.SetTime(ctx, "none", then), fs.ErrNotExist)
}

// room fills the tree.
func room(s *suite) {
	if s.Room == 0 {
		s.Skip("nobody knows how much room there is")
	}
	full := func(about string, err error) {
		s.Helper()
		if !errors.Is(err, files.ErrNoSpace) && !errors.Is(err, files.ErrTooLarge) {
			s.Errorf("%s: the error is %v", about, err)
		}
	}
	for range 3 { // what is removed makes room
		f, err := s.tree.Open(s.Context(), "a", create)
		s.must(err)
		s.write(f, "kept", 0)
		_, err = f.WriteAt(s.Context(), []byte("x"), s.Room)
		full("writing far behind the end", err)
		full("making longer", f.Truncate(s.Context(), s.Room+1))
		full("making much longer", f.Truncate(s.Context(), math.MaxInt64))
		chunk := []byte(strings.Repeat("x", 1<<16))
		for at := int64(4); ; {
			n, err := f.WriteAt(s.Context(), chunk, at)
			if at += int64(n); err != nil || n == 0 || at > s.Room {
				full("writing on and on", err)
				break
			}
		}
		b := make([]byte, 4)
		if _, err := f.ReadAt(s.Context(), b, 0); err != nil || string(b) != "kept" {
			s.Errorf("what was there is %q, %v", b, err)
		}
		s.must(s.tree.Remove(s.Context(), "a"))
		s.must(f.Close(s.Context()))
	}
	n := 0
	for ; int64(n) <= s.Room; n++ { // nor can there be any number of empty files
		f, err := s.tree.Open(s.Context(), strings.Repeat("n", 100)+time.Duration(n).String(), create)
		if err != nil {
			full("making files", err)
			break
		}
		s.must(f.Close(s.Context()))
	}
	if int64(n) > s.Room/100 {
		s.Errorf("there are %d files", n)
	}
}

// Blocking is a Tree whose operations block until their context ends, or a test does. It is for those who run
// processes: see Block.
type Blocking struct {
	files.Tree
	on      string        // the name of the operation that blocks
	entered chan struct{} // has one for each that does
	free    chan struct{} // closed when none is to block any more
	deaf    bool
}

// Block returns a tree one of whose operations blocks: "open", "stat", "readdir", "mkdir", "remove", "rename",
// "settime", or of a file "read", "write", "truncate", "sync", "fstat", "close". If it is deaf it does not end with its
// context, but only with the test.
func Block(t testing.TB, tree files.Tree, on string, deaf bool) *Blocking {
	b := &Blocking{Tree: tree, on: on, deaf: deaf, entered: make(chan struct{}, 1000), free: make(chan struct{})}
	t.Cleanup(func() { close(b.free) })
	return b
}

// Entered has a value for each operation that blocks.
func (b *Blocking) Entered() <-chan struct{} { return b.entered }

// block blocks if the operation is the one that does.
func (b *Blocking) block(ctx context.Context, op string) error {
	if b.on != op {
		return nil
	}
	b.entered <- struct{}{}
	if b.deaf {
		<-b.free
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-b.free:
		return nil
	}
}

// Open implements files.Tree.
func (b *Blocking) Open(ctx context.Context, name string, how files.Flags) (files.File, error) {
	if err := b.block(ctx, "open"); err != nil {
		return nil, err
	}
	f, err := b.Tree.Open(ctx, name, how)
	if err != nil {
		return nil, err
	}
	return &blockingFile{f, b}, nil
}

// Stat implements files.Tree.
func (b *Blocking) Stat(ctx context.Context, name string) (files.Info, error) {
	if err := b.block(ctx, "stat"); err != nil {
		return files.Info{}, err
	}
	return b.Tree.Stat(ctx, name)
}

// ReadDir implements files.Tree.
func (b *Blocking) ReadDir(ctx context.Context, name string) ([]files.Entry, error) {
	if err := b.block(ctx, "readdir"); err != nil {
		return nil, err
	}
	return b.Tree.ReadDir(ctx, name)
}

// Mkdir implements files.Tree.
func (b *Blocking) Mkdir(ctx context.Context, name string) error {
	return errors.Join(b.block(ctx, "mkdir"), b.Tree.Mkdir(ctx, name))
}

// Remove implements files.Tree.
func (b *Blocking) Remove(ctx context.Context, name string) error {
	return errors.Join(b.block(ctx, "remove"), b.Tree.Remove(ctx, name))
}

// Rename implements files.Tree.
func (b *Blocking) Rename(ctx context.Context, from, to string) error {
	return errors.Join(b.block(ctx, "rename"), b.Tree.Rename(ctx, from, to))
}

// SetTime implements files.Tree.
func (b *Blocking) SetTime(ctx context.Context, name string, at time.Time) error {
	return errors.Join(b.block(ctx, "settime"), b.Tree.SetTime(ctx, name, at))
}

// blockingFile is a file whose operations may block.
type blockingFile struct {
	files.File
	b *Blocking
}

// Stat implements files.File.
func (f *blockingFile) Stat(ctx context.Context) (files.Info, error) {
	if err := f.b.block(ctx, "fstat"); err != nil {
		return files.Info{}, err
	}
	return f.File.Stat(ctx)
}

// ReadAt implements files.File.
func (f *blockingFile) ReadAt(ctx context.Context, b []byte, at int64) (int, error) {
	if err := f.b.block(ctx, "read"); err != nil {
		return 0, err
	}
	return f.File.ReadAt(ctx, b, at)
}

// WriteAt implements files.File.
func (f *blockingFile) WriteAt(ctx context.Context, b []byte, at int64) (int, error) {
	if err := f.b.block(ctx, "write"); err != nil {
		return 0, err
	}
	return f.File.WriteAt(ctx, b, at)
}

// Truncate implements files.File.
func (f *blockingFile) Truncate(ctx context.Context, size int64) error {
	return errors.Join(f.b.block(ctx, "truncate"), f.File.Truncate(ctx, size))
}

// Sync implements files.File.
func (f *blockingFile) Sync(ctx context.Context) error {
	return errors.Join(f.b.block(ctx, "sync"), f.File.Sync(ctx))
}

// Close implements files.File.
func (f *blockingFile) Close(ctx context.Context) error {
	return errors.Join(f.b.block(ctx, "close"), f.File.Close(ctx))
}
