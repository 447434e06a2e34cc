package preview1_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/wasi/preview1"
	"golang.org/x/sys/unix"
)

// numbersOf are WASI's for Linux's error numbers of calls that change something.
var numbersOf = map[error]uint64{
	nil: ok, unix.ENOENT: noent, unix.ENOTDIR: notdir, unix.EISDIR: isdir, unix.EINVAL: inval,
	unix.ENAMETOOLONG: nametoolong, unix.EEXIST: exist, unix.ENOTEMPTY: notempty, unix.EBUSY: busy, unix.ELOOP: loop,
}

// changing makes the same changes in a tree here and in a folder of Linux.
type changing struct {
	g    *guest
	dir  int
	top  string
	have string // what there is on both sides
	info unix.Stat_t
}

// newChanging returns a guest whose /tmp, descriptor 4, is empty, and an empty folder of Linux.
func newChanging(t testing.TB, g *guest) *changing {
	t.Helper()
	g.state.Reset()
	g.state.Own = []preview1.Mount{{Path: "/tmp", Tree: files.NewMemory(1 << 20)}}
	g.ctx = g.state.Begin(t.Context())
	top := t.TempDir()
	dir, err := unix.Open(top, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return &changing{g: g, dir: dir, top: top}
}

// close removes the folder of Linux.
func (c *changing) close(t testing.TB) {
	t.Helper()
	if err := errors.Join(unix.Close(c.dir), os.RemoveAll(c.top)); err != nil {
		t.Error(err)
	}
}

// changingPaths returns paths for changes. What they mean is in the tree of begin, or nowhere.
func changingPaths() []string {
	long, tooLong := strings.Repeat("n", 255), strings.Repeat("n", 256)
	return []string{"a", "d", "d/a", "d/d", "d/d/a", ".", "..", "a/", "d/", "new/", "", "d/.", "d/..", "d/../a", "a/.",
		"none/a", "./a", "d//a", "d/d/..", long, tooLong, "d/" + tooLong + "/x", "../x", "/a",
		"new", "a/x", "a/..", "d/d/", "d/./", "d/../", "none/.", "none/..", "none/x/", long + "/", tooLong + "/",
		tooLong + "/.", "d/" + tooLong, "a/" + tooLong, "none/" + tooLong, "none/" + tooLong + "/x", "d/d/d", "d/d/new/",
		strings.Repeat("./", 2047) + "a", strings.Repeat("./", 2048)}
}

// The operations of do. From opOpen to opLink there is one for each set of flags of open.
const (
	opMkdir = iota
	opRmdir
	opUnlink
	opRename
	opOpen
)
const (
	opLink = opOpen + 64 + iota
	opSymlink
	opStat
	opLstat
	opTimes
	opAll
)

// twoPaths reports whether an operation has two paths.
func twoPaths(op int) bool { return op == opRename || op == opLink }

// isStat reports whether an operation describes a file.
func isStat(op int) bool { return op == opStat || op == opLstat }

// do makes a change on both sides, and returns what came of it here and there: error numbers, or the types of files.
func (c *changing) do(t testing.TB, op int, p, q string) (got, want uint64) {
	if op >= opOpen && op < opLink {
		return c.open(t, op-opOpen, p)
	}
	name, got := c.here(t, op, p, q)
	err := c.there(op, p, q)
	want, known := numbersOf[err]
	if !known {
		t.Fatalf("%s of %q and %q: Linux gives %v", name, p, q, err)
	}
	switch {
	case err == nil && (op == opLink || op == opSymlink):
		want = notsup // there are no links in a tree that can be written
	case isStat(op) && got == ok && want == ok:
		kinds := map[uint32]uint64{unix.S_IFDIR: 3, unix.S_IFREG: 4, unix.S_IFLNK: 7}
		return uint64(c.g.memory()[buf+16]), kinds[c.info.Mode&unix.S_IFMT]
	case got == busy && want == ok && op == opTimes && path.Clean(p) == ".":
		want = busy // so is whatever lies where a tree begins
	}
	return got, want
}

// here makes a change in the tree of the guest.
func (c *changing) here(t testing.TB, op int, p, q string) (name string, got uint64) {
	c.g.put(names, "x"+p+q)
	at1, n1, at2, n2 := uint64(names+1), uint64(len(p)), uint64(names+1+len(p)), uint64(len(q))
	params := []uint64{4, at1, n1}
	switch op {
	case opMkdir:
		name = "path_create_directory"
	case opRmdir:
		name = "path_remove_directory"
	case opUnlink:
		name = "path_unlink_file"
	case opRename:
		name, params = "path_rename", append(params, 4, at2, n2)
	case opLink:
		name, params = "path_link", []uint64{4, 0, at1, n1, 4, at2, n2}
	case opSymlink:
		name, params = "path_symlink", []uint64{names, 1, 4, at1, n1}
	case opStat:
		name, params = "path_filestat_get", []uint64{4, 1, at1, n1, buf}
	case opLstat:
		name, params = "path_filestat_get", []uint64{4, 0, at1, n1, buf}
	case opTimes:
		name, params = "path_filestat_set_times", []uint64{4, 1, at1, n1, 0, 0, 8}
	default: // opens
		got, _ = c.g.openPath(t, 4, p, 1, writing)
		return "path_open", got
	}
	got, err := c.g.call(t, name, params...)
	if err != nil {
		t.Fatal(err)
	}
	return name, got
}

// there makes a change on Linux. A link does not stay.
func (c *changing) there(op int, p, q string) (err error) {
	switch op {
	case opMkdir:
		return unix.Mkdirat(c.dir, p, 0o700)
	case opRmdir:
		return unix.Unlinkat(c.dir, p, unix.AT_REMOVEDIR)
	case opUnlink:
		return unix.Unlinkat(c.dir, p, 0)
	case opRename:
		return unix.Renameat(c.dir, p, c.dir, q)
	case opLink:
		if err = unix.Linkat(c.dir, p, c.dir, q, 0); err == nil {
			err = unix.Unlinkat(c.dir, q, 0)
		} else if err == unix.EPERM { // a folder cannot have a second name
			err = nil
		}
	case opSymlink:
		if err = unix.Symlinkat("x", c.dir, p); err == nil {
			err = unix.Unlinkat(c.dir, p, 0)
		}
	case opStat:
		return unix.Fstatat(c.dir, p, &c.info, 0)
	case opLstat:
		return unix.Fstatat(c.dir, p, &c.info, unix.AT_SYMLINK_NOFOLLOW)
	case opTimes:
		now := unix.Timespec{Nsec: unix.UTIME_NOW}
		return unix.UtimesNanoAt(c.dir, p, []unix.Timespec{now, now}, 0)
	}
	return err
}

// open opens a path on both sides, with some of the flags create, exclusive, truncate, folder, write and not to follow
// links, and writes to it if it may.
func (c *changing) open(t testing.TB, how int, p string) (got, want uint64) {
	oflags, rights, linux := uint64(0), uint64(reading), 0
	for i, f := range []struct {
		wasi  uint64
		linux int
	}{{1, unix.O_CREAT}, {4, unix.O_EXCL}, {8, unix.O_TRUNC}, {2, unix.O_DIRECTORY}} {
		if how>>i&1 == 1 {
			oflags, linux = oflags|f.wasi, linux|f.linux
		}
	}
	if oflags&1 == 0 { // it means nothing
		oflags, linux = oflags&^4, linux&^unix.O_EXCL
	}
	if oflags&2 != 0 { // what that means is not the same everywhere
		oflags, linux = 2, unix.O_DIRECTORY
	}
	if how&16 != 0 || oflags&8 != 0 {
		rights, linux = rights|writing, linux|unix.O_RDWR
	}
	follow := uint64(1)
	if how&32 != 0 {
		follow, linux = 0, linux|unix.O_NOFOLLOW
	}
	c.g.put(names, p)
	got, e := c.g.call(t, "path_open", 4, follow, names, uint64(len(p)), oflags, rights, rights, 0, at)
	if e != nil {
		t.Fatal(e)
	}
	fd := uint64(u32(c.g.memory()[at:]))
	real, err := unix.Openat(c.dir, p, linux|unix.O_CLOEXEC, 0o600)
	want, known := numbersOf[err]
	if !known {
		t.Fatalf("opening %q with %#x: %v", p, linux, err)
	}
	text := fmt.Sprint(how)
	if got == ok {
		if rights&writing != 0 {
			c.g.put(buf, text)
			c.g.put(vec, little(buf, uint32(len(text))))
			c.g.must(t, ok, "fd_write", fd, vec, 1, at)
		}
		c.g.must(t, ok, "fd_close", fd)
	}
	if err == nil {
		if rights&writing != 0 {
			if _, err := unix.Write(real, []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		unix.Close(real)
	}
	return got, want
}

// all returns what there is on either side.
func (c *changing) all(t testing.TB) (here, there string) {
	list := func(fsys fs.FS) string {
		var all []string
		err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				var b []byte
				b, err = fs.ReadFile(fsys, p)
				p += fmt.Sprintf("=%q", b)
			}
			all = append(all, p)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(all)
		return strings.Join(all, " ")
	}
	return list(files.Std(t.Context(), c.g.state.Own[0].Tree)), list(os.DirFS(c.top))
}

// begin makes a file a, and the folders d and d/d with a file in each.
func (c *changing) begin(t testing.TB) {
	t.Helper()
	const create = opOpen + 17 // and write
	for _, s := range []struct {
		op   int
		path string
	}{{opMkdir, "d"}, {opMkdir, "d/d"}, {create, "a"}, {create, "d/a"}} {
		if err := c.check(t, s.op, s.path, ""); err != nil {
			t.Fatal(err)
		}
	}
}

// check makes a change on both sides, and compares the error numbers and what is there then. A path that leaves the
// folder is refused here, whatever else is wrong with the call, and Linux is not asked: it would do it.
func (c *changing) check(t testing.TB, op int, p, q string) error {
	if escapes(p) || escapes(q) {
		if name, got := c.here(t, op, p, q); got == ok {
			return fmt.Errorf("%s of %q and %q left the folder", name, p, q)
		}
		return nil
	}
	before := c.have
	got, want := c.do(t, op, p, q)
	here, there := c.all(t)
	c.have = here
	if got == want && here == there {
		return nil
	}
	return fmt.Errorf("operation %d on %q and %q: got %d, Linux gives %d\nbefore: %s\nhere:   %s\nLinux:  %s",
		op, p, q, got, want, before, here, there)
}

// TestChangesAsOnLinux makes every change with every path, or two of them, here and on Linux.
func TestChangesAsOnLinux(t *testing.T) {
	g, paths := newWriter(t), changingPaths()
	c := newChanging(t, g)
	c.begin(t)
	fresh := c.have
	for op := range opAll {
		others := []string{""}
		if twoPaths(op) {
			others = paths
		}
		for _, p := range paths {
			for _, q := range others {
				err := c.check(t, op, p, q)
				if err != nil {
					t.Error(err)
				}
				if err != nil || c.have != fresh {
					c.close(t)
					c = newChanging(t, g)
					c.begin(t)
				}
			}
		}
	}
	c.close(t)
}

// TestLinksAsOnLinux does the same in a folder with links, which can only be read here: what Linux does is EROFS, and
// so is what a tree that can be written would find wrong itself.
func TestLinksAsOnLinux(t *testing.T) {
	g := newWriter(t)
	paths := []string{"a", "d", "d/a", "none", "none/x", "link", "link/", "link/x", "folder", "folder/", "folder/a",
		"folder/.", "folder/..", "folder/../a", "folder/none", "nowhere", "nowhere/", "nowhere/x", "loop", "loop/", "loop/x",
		"loop/.", "d/up", "d/up/", "folder/up"}
	for op := range opAll {
		others := []string{""}
		if twoPaths(op) {
			others = paths
		}
		c := newLinks(t, g)
		before := listing(t, c.top)
		for _, p := range paths {
			for _, q := range others {
				got, want := c.do(t, op, p, q)
				changed := listing(t, c.top) != before
				if !wantReadOnly(op, want, changed, got) {
					t.Errorf("operation %d on %q and %q: got %d, Linux gives %d", op, p, q, got, want)
				}
				if changed {
					c.close(t)
					c = newLinks(t, g)
				}
			}
		}
		c.close(t)
	}
}

// newLinks returns a guest whose /tmp, descriptor 4, is a folder of Linux with links, to be read.
func newLinks(t *testing.T, g *guest) *changing {
	t.Helper()
	c := newChanging(t, g)
	c.begin(t)
	for name, to := range map[string]string{
		"link": "a", "folder": "d", "nowhere": "none", "loop": "loop", "d/up": "../a",
	} {
		if err := unix.Symlinkat(to, c.dir, name); err != nil {
			t.Fatal(err)
		}
	}
	g.state.Own[0].Tree = tree(os.DirFS(c.top))
	return c
}

// listing returns what is in a folder of Linux, links as such.
func listing(t *testing.T, top string) string {
	t.Helper()
	var all []string
	err := fs.WalkDir(os.DirFS(top), ".", func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type() == 0 {
			var b []byte
			b, err = os.ReadFile(path.Join(top, p))
			p += fmt.Sprintf("=%q", b)
		}
		all = append(all, p)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

// wantReadOnly reports whether an error number is right in a tree that can only be read, if Linux gives another one in
// one that can be written. "." and ".." are wrong in themselves; what is in a folder is not looked at.
func wantReadOnly(op int, linux uint64, changed bool, got uint64) bool {
	switch {
	case isStat(op):
		return got == linux
	case op >= opOpen && op < opLink && linux == ok:
		return got == ok && !changed || got == rofs
	case linux == ok || linux == notsup:
		return got == rofs
	case op == opRename && slices.Contains([]uint64{isdir, notdir, inval, notempty}, linux), op == opRmdir && linux == notempty:
		return got == linux || got == rofs
	}
	return got == linux
}

// FuzzChanges makes changes by paths here and on Linux. The error numbers and what is there are the same after each.
func FuzzChanges(f *testing.F) {
	g := newWriter(f)
	parts := changingPaths()
	f.Add("\x00\x01\x00\x05\x00\x00\x15\x02\x00\x03\x00\x02\x03\x02\x00\x01\x01\x00")
	f.Add(strings.Repeat("\x00\x01\x00\x00\x03\x00\x05\x04\x00\x15\x00\x00\x03\x01\x03\x03\x00\x08\x02\x04\x00\x01\x01\x00", 3))
	for op := range opAll {
		program := "\x00\x01\x00\x15\x00\x00\x00\x03\x00" // a folder d, a file a, a folder d/d
		for i := range parts {
			program += string([]byte{byte(op), byte(i), byte(i * 7)})
		}
		f.Add(program)
	}
	f.Fuzz(func(t *testing.T, program string) {
		c := newChanging(t, g)
		defer c.close(t)
		for steps := 0; len(program) >= 3 && steps < 80; steps++ {
			op, p, q := int(program[0])%opAll, parts[int(program[1])%len(parts)], parts[int(program[2])%len(parts)]
			program = program[3:]
			if !twoPaths(op) {
				q = ""
			}
			if err := c.check(t, op, p, q); err != nil {
				t.Fatalf("step %d: %v", steps, err)
			}
		}
	})
}
