package preview1_test

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/wasi/preview1"
)

// newWriter returns a guest with a /tmp of its own.
func newWriter(t testing.TB) *guest {
	return newGuest(t, &preview1.State{Mounts: []preview1.Mount{{Path: "/tmp"}}})
}

// inTmp gives a guest a /tmp, descriptor 4, with a file and a folder.
func inTmp(t testing.TB, g *guest, apart bool) *files.Memory {
	t.Helper()
	memory := files.NewMemory(1 << 20)
	var tree files.Tree = memory
	if apart {
		tree = struct{ files.Tree }{memory} // which is not Inline
	}
	g.state.Own = []preview1.Mount{{Path: "/tmp", Tree: tree}}
	g.put(names, "d")
	g.must(t, ok, "path_create_directory", 4, names, 1)
	g.write(t, g.mustOpen(t, 4, "a", 1, writing), "0123456789")
	g.must(t, ok, "fd_close", 6)
	return memory
}

// write writes to a descriptor, and returns how much that was.
func (g *guest) write(t testing.TB, fd uint64, text string) int {
	t.Helper()
	g.put(buf, text)
	g.put(vec, little(buf, uint32(len(text))))
	g.must(t, ok, "fd_write", fd, vec, 1, at)
	return int(u32(g.memory()[at:]))
}

// read reads from a position of a descriptor.
func (g *guest) read(t testing.TB, fd, from uint64) string {
	t.Helper()
	g.put(vec, little(buf, 100))
	g.must(t, ok, "fd_pread", fd, vec, 1, from, at)
	return string(g.memory()[buf:][:u32(g.memory()[at:])])
}

// TestWriteCodes makes the calls on files that are open to read, to write, and both, and checks the error numbers. The
// second is of one that is open to write only.
func TestWriteCodes(t *testing.T) {
	for _, c := range []struct {
		name string
		p    []uint64
		want [3]uint64 // read, write, both
	}{
		{"fd_read", []uint64{vec, 1, at}, [3]uint64{ok, badf, ok}},
		{"fd_pread", []uint64{vec, 1, 0, at}, [3]uint64{ok, badf, ok}},
		{"fd_write", []uint64{vec, 1, at}, [3]uint64{badf, ok, ok}},
		{"fd_write", []uint64{vec, 0, at}, [3]uint64{badf, ok, ok}},
		{"fd_write", []uint64{far, 1, at}, [3]uint64{badf, fault, fault}},
		{"fd_pwrite", []uint64{vec, 1, 3, at}, [3]uint64{badf, ok, ok}},
		{"fd_pwrite", []uint64{vec, 1, 1 << 30, at}, [3]uint64{badf, nospc, nospc}},
		{"fd_pwrite", []uint64{vec, 1, 1 << 63, at}, [3]uint64{badf, inval, inval}},
		{"fd_pwrite", []uint64{vec, 1, math.MaxInt64, at}, [3]uint64{badf, fbig, fbig}},
		{"fd_allocate", []uint64{0, 20}, [3]uint64{badf, ok, ok}},
		{"fd_allocate", []uint64{0, 0}, [3]uint64{inval, inval, inval}},
		{"fd_allocate", []uint64{0, 1 << 40}, [3]uint64{badf, nospc, nospc}},
		{"fd_filestat_set_size", []uint64{5}, [3]uint64{inval, ok, ok}},
		{"fd_filestat_set_size", []uint64{1 << 63}, [3]uint64{inval, inval, inval}},
		{"fd_filestat_set_size", []uint64{1 << 40}, [3]uint64{inval, nospc, nospc}},
		{"fd_filestat_set_times", []uint64{0, 5, 4}, [3]uint64{ok, ok, ok}},
		{"fd_filestat_set_times", []uint64{0, 5, 12}, [3]uint64{inval, inval, inval}},
		{"fd_sync", nil, [3]uint64{ok, ok, ok}},
		{"fd_datasync", nil, [3]uint64{ok, ok, ok}},
		{"fd_seek", []uint64{3, 2, at}, [3]uint64{ok, ok, ok}},
		{"fd_advise", []uint64{0, 0, 0}, [3]uint64{ok, ok, ok}},
		{"fd_close", nil, [3]uint64{ok, ok, ok}},
	} {
		for _, apart := range []bool{false, true} {
			g := newWriter(t)
			inTmp(t, g, apart)
			for i, rights := range []uint64{reading, writing, reading | writing} {
				fd := g.mustOpen(t, 4, "a", 0, rights)
				g.put(vec, little(buf, 3))
				if got, err := g.call(t, c.name, append([]uint64{fd}, c.p...)...); got != c.want[i] || err != nil {
					t.Errorf("%s%v with rights %d, apart %t: got %d and the error %v, want %d", c.name, c.p, rights, apart, got, err,
						c.want[i])
				}
			}
		}
	}
}

// TestWriteFiles follows the position and the size of a file.
func TestWriteFiles(t *testing.T) {
	for _, apart := range []bool{false, true} {
		g := newWriter(t)
		memory := inTmp(t, g, apart)
		position := func(fd, want uint64) {
			t.Helper()
			g.must(t, ok, "fd_tell", fd, at)
			if got := u32(g.memory()[at:]); uint64(got) != want {
				t.Errorf("at %d, want %d", got, want)
			}
		}
		fd := g.mustOpen(t, 4, "a", 0, reading|writing)
		if n := g.write(t, fd, "abc"); n != 3 || g.read(t, fd, 0) != "abc3456789" {
			t.Errorf("%d written, and it has %q", n, g.read(t, fd, 0))
		}
		position(fd, 3)
		g.must(t, ok, "fd_seek", fd, 2, 2, at)
		position(fd, 12)
		g.write(t, fd, "x")
		position(fd, 13)
		if got := g.read(t, fd, 8); got != "89\x00\x00x" {
			t.Errorf("it ends with %q", got)
		}
		g.must(t, ok, "fd_filestat_set_size", fd, 2)
		position(fd, 13)
		g.must(t, ok, "fd_allocate", fd, 1, 3)
		g.must(t, ok, "fd_allocate", fd, 0, 1) // it is longer
		if got := g.read(t, fd, 0); got != "ab\x00\x00" {
			t.Errorf("it has %q", got)
		}
		g.must(t, ok, "fd_fdstat_set_flags", fd, 1) // to append
		g.write(t, fd, "end")
		position(fd, 7)
		g.must(t, ok, "fd_fdstat_set_flags", fd, 0)
		g.must(t, ok, "fd_renumber", fd, 3)
		if got := g.read(t, 3, 0); got != "ab\x00\x00end" {
			t.Errorf("it has %q", got)
		}
		large := g.mustOpen(t, 4, "large", 1, reading|writing)
		g.put(vec, little(0, 0x8000, 0x8000, 0x8000))
		g.must(t, ok, "fd_write", large, vec, 2, at)
		if n := u32(g.memory()[at:]); n != 0x10000 {
			t.Errorf("%d bytes written", n)
		}
		g.must(t, ok, "fd_filestat_get", large, buf)
		if size := u32(g.memory()[buf+32:]); size != 0x10000 {
			t.Errorf("%d bytes large", size)
		}
		if !g.state.Seen().Files || !g.state.Changed() {
			t.Errorf("seen %+v, changed %t", g.state.Seen(), g.state.Changed())
		}
		g.state.Finish()
		g.state.Reset()
		for _, name := range []string{"a", "d", "large"} {
			if err := memory.Remove(t.Context(), name); err != nil {
				t.Error(err)
			}
		}
		if memory.Room() != 1<<20 {
			t.Error("a file is still open")
		}
		g.ctx = g.state.Begin(t.Context())
		if got, _ := g.openPath(t, 4, "a", 1, writing); got != rofs {
			t.Errorf("in the next run, which has no /tmp: %d", got)
		}
	}
}

// TestTimes sets when something was changed.
func TestTimes(t *testing.T) {
	g := newWriter(t)
	g.state.Walltime = func() int64 { return 1_000_000 }
	inTmp(t, g, false)
	fd := g.mustOpen(t, 4, "a", 0, reading)
	for _, c := range []struct{ mtime, flags, want uint64 }{
		{77, 4, 77}, {88, 1, 77}, {88, 8, 1_000_000}, {99, 1 | 4, 99}, {1, 2, 99}, {1, 0, 99},
	} {
		for _, byPath := range []bool{false, true} {
			if byPath {
				g.put(names, "d")
				g.must(t, ok, "path_filestat_set_times", 4, 1, names, 1, 5, c.mtime, c.flags)
				g.must(t, ok, "path_filestat_get", 4, 1, names, 1, buf)
			} else {
				g.must(t, ok, "fd_filestat_set_times", fd, 5, c.mtime, c.flags)
				g.must(t, ok, "fd_filestat_get", fd, buf)
			}
			if got := uint64(u32(g.memory()[buf+48:])); got != c.want {
				t.Errorf("%+v, by path %t: %d", c, byPath, got)
			}
		}
	}
	for fd, want := range map[uint64]uint64{0: badf, 3: rofs, 4: busy, 5: rofs} {
		g.must(t, want, "fd_filestat_set_times", fd, 0, 0, 4)
	}
}

// TestChangesElsewhere changes what is where trees begin, in devices, and from one tree to another.
func TestChangesElsewhere(t *testing.T) {
	g := newWriter(t)
	inTmp(t, g, false)
	g.state.Files = files.NewMemory(1 << 20)
	g.put(names, "tmprequest/xdev/nulltmp/atmp/dnew")
	for _, c := range []struct {
		name string
		want uint64
		p    []uint64
	}{
		{"path_create_directory", exist, []uint64{5, names, 3}},
		{"path_remove_directory", busy, []uint64{5, names, 3}},
		{"path_rename", busy, []uint64{5, names, 3, 5, names + 30, 3}},
		{"path_rename", xdev, []uint64{5, names + 20, 5, 5, names + 3, 9}},
		{"path_rename", xdev, []uint64{5, names + 20, 5, 5, names + 30, 3}},
		{"path_rename", xdev, []uint64{5, names + 30, 3, 4, names + 30, 3}}, // whether or not it exists
		{"path_rename", xdev, []uint64{5, names + 12, 8, 5, names + 20, 5}},
		{"path_rename", rofs, []uint64{5, names + 12, 8, 5, names + 12, 8}},
		{"path_link", xdev, []uint64{5, 0, names + 20, 5, 3, names + 30, 3}},
		{"path_unlink_file", rofs, []uint64{5, names + 12, 8}},
		{"path_create_directory", rofs, []uint64{5, names + 30, 3}},
		{"path_link", notsup, []uint64{4, 0, names + 24, 1, 4, names + 30, 3}},
		{"path_symlink", notsup, []uint64{names, 3, 4, names + 30, 3}},
		{"path_symlink", exist, []uint64{names, 3, 4, names + 24, 1}},
	} {
		g.must(t, c.want, c.name, c.p...)
	}
	if e, _ := g.openPath(t, 4, "d/"+strings.Repeat("n", 256), 1, writing); e != nametoolong {
		t.Errorf("a name that is too long: %d", e)
	}
}

// TestOrderOfErrors makes calls in which two things are wrong, and checks which of them is found first. It is a choice
// of what TestChangesAsOnLinux compares with Linux, which has the order of what is looked at in fs/namei.c: the folders
// on the way of all paths, then in which trees these are, then the last names.
func TestOrderOfErrors(t *testing.T) {
	tooLong := strings.Repeat("n", 256)
	for _, c := range []struct {
		from, to string
		want     uint64
	}{
		{"none", "d/" + tooLong + "/x", nametoolong},
		{"none", "a/x", notdir},
		{"none", "none/x", noent},
		{"none", "../x", perm},
		{"none", "d/.", busy},
		{"none", "d/" + tooLong, noent},
		{tooLong, "none/x", noent},
		{tooLong, "d/..", busy},
		{"a/", "none/x", noent},
		{"a/", "d/.", busy},
		{"a/", "d/" + tooLong, nametoolong},
		{"a/", "new", notdir},
		{"a", "new/", notdir},
		{"d", "d/new/", inval},
		{"d/.", "none/x", noent},
	} {
		g := newWriter(t)
		inTmp(t, g, false)
		g.put(names, c.from+c.to)
		n := uint64(len(c.from))
		g.must(t, c.want, "path_rename", 4, names, n, 4, names+n, uint64(len(c.to)))
	}
}

// TestRemovedFolder makes something at the very place of a folder that was removed while a descriptor has it: that is
// no entry that could be made.
func TestRemovedFolder(t *testing.T) {
	g := newWriter(t)
	memory := inTmp(t, g, false)
	fd := g.mustOpen(t, 4, "d", 2, reading)
	g.put(names, "d")
	g.must(t, ok, "path_remove_directory", 4, names, 1)
	for p, want := range map[string]uint64{".": isdir, "./": isdir, "x": noent, "x/": noent} {
		if got, _ := g.openPath(t, fd, p, 1, writing); got != want {
			t.Errorf("%s: got %d, want %d", p, got, want)
		}
	}
	g.put(names, ".")
	g.must(t, exist, "path_create_directory", fd, names, 1)
	g.must(t, inval, "path_remove_directory", fd, names, 1)
	g.must(t, isdir, "path_unlink_file", fd, names, 1)
	if _, err := memory.Stat(t.Context(), "d"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is there again: %v", err)
	}
}

// TestLeftBehind has an operation end when nobody waits for it any more: what it has opened is closed.
func TestLeftBehind(t *testing.T) {
	memory := files.NewMemory(1 << 20)
	slow := &slowTree{Tree: memory, go_: make(chan struct{}), closed: make(chan struct{})}
	g := newWriter(t)
	g.state.Reset()
	g.state.Own = []preview1.Mount{{Path: "/tmp", Tree: slow}}
	ctx, cancel := context.WithCancel(t.Context())
	g.ctx = g.state.Begin(ctx)
	time.AfterFunc(time.Millisecond, cancel)
	g.put(names, "a")
	if _, err := g.call(t, "path_open", 4, 0, names, 1, 1, writing, 0, 0, at); err == nil ||
		g.state.Err() != context.Canceled {
		t.Errorf("got the error %v because of %v", err, g.state.Err())
	}
	g.state.Finish()
	g.state.Reset()
	close(slow.go_)
	<-slow.closed
}

// slowTree is a tree that opens when it is told, deaf to its context.
type slowTree struct {
	files.Tree
	go_, closed chan struct{}
}

func (s *slowTree) Open(_ context.Context, name string, how files.Flags) (files.File, error) {
	<-s.go_
	f, err := s.Tree.Open(context.Background(), name, how)
	return slowFile{f, s}, err
}

// slowFile tells when it is closed.
type slowFile struct {
	files.File
	s *slowTree
}

func (f slowFile) Close(ctx context.Context) error {
	close(f.s.closed)
	return f.File.Close(ctx)
}
