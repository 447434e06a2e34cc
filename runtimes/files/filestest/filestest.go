// Package filestest is the conformance suite for files.Tree: what its comments say in words, this says as tests. [Test]
// runs it against any tree. Its own test runs it against a folder of the operating system, the oracle, so that it
// demands nothing that a program from elsewhere would not find there.
package filestest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/files"
)

// Harness is what the suite needs to know of trees.
type Harness struct {
	// New returns a tree with such files, by name, and the folders that lead to them. If it is ReadOnly, the files are
	// Content; if not, there are none.
	New func(t testing.TB, content map[string]string) files.Tree

	// NoTimes says that the tree keeps no times.
	NoTimes bool

	// MakesFolders says that a name makes the folders that lead to it, where there are none.
	MakesFolders bool

	// Room is how many bytes a tree of New has room for, or 0 if that is not known. A file of that size is ErrNoSpace
	// or ErrTooLarge.
	Room int64
}

// Content is what is in a tree that can only be read.
var Content = map[string]string{
	"id":            "0123456789",
	"empty":         "",
	"sub/file":      "in sub",
	"sub/deep/file": strings.Repeat("deep ", 20_000),
}

// Test runs the suite. Each case has a tree of its own.
func Test(t *testing.T, h Harness) {
	tree := h.New(t, Content)
	for _, c := range readCases {
		t.Run(c.name, func(t *testing.T) { c.run(&suite{T: t, Harness: h, tree: tree}) })
	}
	if files.IsReadOnly(tree) {
		t.Run("read only", func(t *testing.T) { refuses(&suite{T: t, Harness: h, tree: tree}) })
		return
	}
	for _, c := range writeCases {
		t.Run(c.name, func(t *testing.T) { c.run(&suite{T: t, Harness: h, tree: h.New(t, nil)}) })
	}
}

// testCase is a part of the suite.
type testCase struct {
	name string
	run  func(s *suite)
}

// suite is a case with its tree.
type suite struct {
	*testing.T
	Harness
	tree files.Tree
}

// must ends the case if there is an error.
func (s *suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// is checks what an error is.
func (s *suite) is(about string, got, want error) {
	s.Helper()
	if !errors.Is(got, want) {
		s.Errorf("%s: the error is %v, want %v", about, got, want)
	}
}

// invalid checks that an error says that something makes no sense, in the words of package io/fs or in those of the
// system.
func (s *suite) invalid(about string, err error) {
	s.Helper()
	if !errors.Is(err, fs.ErrInvalid) && !errors.Is(err, syscall.EINVAL) {
		s.Errorf("%s: the error is %v", about, err)
	}
}

// open opens a file, which is closed at the end of the case.
func (s *suite) open(name string, how files.Flags) files.File {
	s.Helper()
	f, err := s.tree.Open(s.Context(), name, how)
	s.must(err)
	s.Cleanup(func() {
		if err := f.Close(context.Background()); err != nil {
			s.Errorf("closing %s: %v", name, err)
		}
	})
	return f
}

// with does something with a file that is open for that only.
func (s *suite) with(name string, how files.Flags, do func(f files.File)) {
	s.Helper()
	f, err := s.tree.Open(s.Context(), name, how)
	s.must(err)
	do(f)
	s.must(f.Close(s.Context()))
}

// write writes all of a text.
func (s *suite) write(f files.File, text string, at int64) {
	s.Helper()
	for len(text) > 0 {
		n, err := f.WriteAt(s.Context(), []byte(text), at)
		if s.must(err); n == 0 {
			s.Fatal("nothing was written, without an error")
		}
		if text = text[n:]; at != files.End {
			at += int64(n)
		}
	}
}

// put makes a file.
func (s *suite) put(name, text string) {
	s.Helper()
	s.with(name, files.Write|files.Create|files.Truncate, func(f files.File) { s.write(f, text, 0) })
}

// content returns what can be read from a file, piece by piece.
func (s *suite) content(f files.File) string {
	s.Helper()
	var all bytes.Buffer
	b := make([]byte, 4096)
	for {
		n, err := f.ReadAt(s.Context(), b, int64(all.Len()))
		all.Write(b[:n])
		if errors.Is(err, io.EOF) {
			return all.String()
		}
		if s.must(err); n == 0 {
			s.Fatal("nothing was read, without an error")
		}
	}
}

// has checks what is in a file.
func (s *suite) has(name, want string) {
	s.Helper()
	s.with(name, files.Read, func(f files.File) {
		if got := s.content(f); got != want {
			s.Errorf("%s has %d bytes, %.40q; want %d, %.40q", name, len(got), got, len(want), want)
		}
	})
	if info, err := s.tree.Stat(s.Context(), name); err != nil || info.Size != int64(len(want)) || !info.Mode.IsRegular() {
		s.Errorf("%s: stat says %+v, %v", name, info, err)
	}
}

// lists checks what is in a folder. Folders have a slash at their end.
func (s *suite) lists(name string, want ...string) {
	s.Helper()
	all, err := s.tree.ReadDir(s.Context(), name)
	s.must(err)
	var got []string
	for _, e := range all {
		if e.Mode.IsDir() {
			e.Name += "/"
		}
		got = append(got, e.Name)
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		s.Errorf("%s has %q, want %q", name, got, want)
	}
}

// readCases read Content.
var readCases = []testCase{
	{"read/all", func(s *suite) {
		for name, want := range Content {
			s.has(name, want)
		}
	}},
	{"read/at a position", readsAt},
	{"read/what is not there", func(s *suite) {
		for name, want := range map[string]error{"none": fs.ErrNotExist, "none/x": fs.ErrNotExist,
			"sub/none": fs.ErrNotExist, "id/x": files.ErrNotDir, "sub/file/x/y": files.ErrNotDir} {
			_, err := s.tree.Open(s.Context(), name, files.Read)
			s.either("opening "+name, err, want)
			_, err = s.tree.Stat(s.Context(), name)
			s.either("describing "+name, err, want)
			_, err = s.tree.ReadDir(s.Context(), name)
			s.either("listing "+name, err, want)
		}
	}},
	{"read/names that are none", func(s *suite) {
		for _, name := range []string{"", "/", "/id", "id/", "./id", "sub/../id", "..", "../id", "sub//file", "\xff"} {
			if _, err := s.tree.Open(s.Context(), name, files.Read); err == nil {
				s.Errorf("%q opens", name)
			}
			if _, err := s.tree.Stat(s.Context(), name); err == nil {
				s.Errorf("%q can be described", name)
			}
		}
	}},
	{"read/folders", func(s *suite) {
		s.lists(".", "empty", "id", "sub/")
		s.lists("sub", "deep/", "file")
		s.lists("sub/deep", "file")
		_, err := s.tree.ReadDir(s.Context(), "id")
		s.is("listing a file", err, files.ErrNotDir)
		for _, name := range []string{".", "sub", "sub/deep"} {
			_, err := s.tree.Open(s.Context(), name, files.Read)
			s.is("opening "+name, err, files.ErrIsDir)
			if info, err := s.tree.Stat(s.Context(), name); err != nil || !info.IsDir() {
				s.Errorf("%s: %+v, %v", name, info, err)
			}
		}
		all, err := s.tree.ReadDir(s.Context(), ".")
		s.must(err)
		clear(all) // which is the caller's
		s.lists(".", "empty", "id", "sub/")
	}},
	{"read/a file that is open to read cannot be written", func(s *suite) {
		f := s.open("id", files.Read)
		_, err := f.WriteAt(s.Context(), []byte("x"), 0)
		s.is("writing", err, files.ErrBadFile)
		s.is("making shorter", f.Truncate(s.Context(), 1), files.ErrBadFile)
		s.must(f.Sync(s.Context()))
		s.has("id", Content["id"])
	}},
	{"read/exclusive", func(s *suite) {
		_, err := s.tree.Open(s.Context(), "id", files.Read|files.Create|files.Exclusive)
		s.is("making what exists", err, fs.ErrExist)
	}},
}

// either checks what an error is. What is below a file does not exist, which may be said too.
func (s *suite) either(about string, got, want error) {
	s.Helper()
	if !errors.Is(got, want) && !errors.Is(got, fs.ErrNotExist) {
		s.Errorf("%s: the error is %v, want %v", about, got, want)
	}
}

// readsAt reads pieces of a file.
func readsAt(s *suite) {
	f := s.open("id", files.Read)
	if info, err := f.Stat(s.Context()); err != nil || info.Size != 10 || info.Stream {
		s.Fatalf("stat says %+v, %v", info, err)
	}
	for _, c := range []struct {
		at   int64
		n    int
		want string
		end  bool
	}{{0, 3, "012", false}, {8, 1, "8", false}, {3, 4, "3456", false}, {10, 1, "", true}, {11, 1, "", true},
		{1 << 62, 1, "", true}} {
		b := bytes.Repeat([]byte("#"), 20)
		n, err := f.ReadAt(s.Context(), b[:c.n], c.at)
		if string(b[:n]) != c.want || c.end && !errors.Is(err, io.EOF) || !c.end && err != nil {
			s.Errorf("%d bytes at %d: %q, %v", c.n, c.at, b[:n], err)
		}
		if strings.Trim(string(b[c.n:]), "#") != "" {
			s.Errorf("%d bytes at %d: %q was written behind them", c.n, c.at, b)
		}
	}
	b := make([]byte, 20)
	if n, _ := f.ReadAt(s.Context(), b, 8); string(b[:n]) != "89" {
		s.Errorf("at the end: %q", b[:n])
	}
}

// refuses checks that nothing of a tree that can only be read can be changed.
func refuses(s *suite) {
	ctx := s.Context()
	for name := range maps.Keys(Content) {
		_, err := s.tree.Open(ctx, name, files.Read|files.Write)
		s.is("opening to write", err, files.ErrReadOnly)
		s.is("removing", s.tree.Remove(ctx, name), files.ErrReadOnly)
		s.is("renaming", s.tree.Rename(ctx, name, "new"), files.ErrReadOnly)
		s.is("setting times", s.tree.SetTime(ctx, name, time.Unix(1, 0)), files.ErrReadOnly)
	}
	s.is("making a folder", s.tree.Mkdir(ctx, "new"), files.ErrReadOnly)
	s.lists(".", "empty", "id", "sub/")
}
