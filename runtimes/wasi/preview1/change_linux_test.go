package preview1_test

import (
	"fmt"
	"io/fs"
	"os"
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
	unix.ENAMETOOLONG: nametoolong, unix.EEXIST: exist, unix.ENOTEMPTY: notempty, unix.EBUSY: busy,
}

// changing makes the same changes in a tree here and in a folder of Linux.
type changing struct {
	g   *guest
	dir int
	top string
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
	t.Cleanup(func() { unix.Close(dir) })
	return &changing{g, dir, top}
}

// do makes a change on both sides, and returns what came of it here and there.
func (c *changing) do(t testing.TB, op int, p, q string) (got, want uint64) {
	c.g.put(names, p+q)
	at1, n1, at2, n2 := uint64(names), uint64(len(p)), uint64(names+len(p)), uint64(len(q))
	var err error
	name := ""
	params := []uint64{4, at1, n1}
	switch op {
	case 0:
		name, err = "path_create_directory", unix.Mkdirat(c.dir, p, 0o700)
	case 1:
		name, err = "path_remove_directory", unix.Unlinkat(c.dir, p, unix.AT_REMOVEDIR)
	case 2:
		name, err = "path_unlink_file", unix.Unlinkat(c.dir, p, 0)
	case 3:
		name, params, err = "path_rename", append(params, 4, at2, n2), unix.Renameat(c.dir, p, c.dir, q)
	default:
		return c.open(t, op-4, p)
	}
	got, e := c.g.call(t, name, params...)
	if e != nil {
		t.Fatal(e)
	}
	want, known := numbersOf[err]
	if !known {
		t.Fatalf("%s of %q and %q: Linux gives %v", name, p, q, err)
	}
	return got, want
}

// open opens a path on both sides, with some of the flags create, exclusive, truncate, folder and write, and writes
// to it if it may.
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
	got, fd := c.g.openPath(t, 4, p, oflags, rights)
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

// asGood reports whether two things are wrong with a path, and which is found first does not matter: a file has a slash
// at its end, or one path of two leads nowhere.
func asGood(got, want uint64) bool {
	return (got == notdir || got == exist) && (want == exist || want == isdir) ||
		got == noent && (want == notdir || want == busy) || got == notdir && want == noent
}

// FuzzChanges makes changes by paths here and on Linux. The error numbers and what is there in the end are the same.
// A path that leaves the folder is refused here; if something else is wrong with it too, that may be said instead.
func FuzzChanges(f *testing.F) {
	g := newWriter(f)
	parts := []string{"a", "d", "d/a", "d/d", "d/d/a", ".", "..", "a/", "d/", "new/", "", "d/.", "d/..", "d/../a", "a/.",
		"none/a", "./a", "d//a", "d/d/..", strings.Repeat("n", 255), strings.Repeat("n", 256),
		"d/" + strings.Repeat("n", 256) + "/x", "../x", "/a"}
	f.Add("\x00\x01\x00\x05\x00\x00\x15\x02\x00\x03\x00\x02\x03\x02\x00\x01\x01\x00")
	f.Add(strings.Repeat("\x00\x01\x00\x00\x03\x00\x05\x04\x00\x15\x00\x00\x03\x01\x03\x03\x00\x08\x02\x04\x00\x01\x01\x00", 3))
	for op := range 20 {
		program := "\x00\x01\x00\x15\x00\x00\x00\x03\x00" // a folder d, a file a, a folder d/d
		for i := range parts {
			program += string([]byte{byte(op), byte(i), byte(i * 7)})
		}
		f.Add(program)
	}
	f.Fuzz(func(t *testing.T, program string) {
		c := newChanging(t, g)
		for steps := 0; len(program) >= 3 && steps < 80; steps++ {
			op, p, q := int(program[0])%(4+32), parts[int(program[1])%len(parts)], parts[int(program[2])%len(parts)]
			program = program[3:]
			if op != 3 {
				q = ""
			}
			if escapes(p) || escapes(q) { // which Linux would do
				c.g.put(names, p+q)
				got, _ := c.g.call(t, "path_rename", 4, names, uint64(len(p)), 4, uint64(names+len(p)), uint64(len(q)))
				if got == ok {
					t.Fatalf("%q has become %q", p, q)
				}
				continue
			}
			if got, want := c.do(t, op, p, q); got != want && !asGood(got, want) {
				here, there := c.all(t)
				t.Fatalf("step %d, operation %d on %q and %q: got %d, Linux gives %d\nwith %s\nand  %s", steps, op, p, q, got, want,
					here, there)
			} else if here, there := c.all(t); here != there {
				t.Fatalf("after step %d, operation %d on %q and %q (%d), there is\n%s\non Linux\n%s", steps, op, p, q, got, here,
					there)
			}
		}
	})
}
