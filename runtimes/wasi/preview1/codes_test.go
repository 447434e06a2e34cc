package preview1_test

import (
	"math"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/polyvoke/polyvoke/runtimes/wasi/preview1"
)

// The error numbers of WASI that calls are checked for.
const (
	ok          = 0
	badf        = 8
	busy        = 10
	exist       = 20
	fault       = 21
	ilseq       = 25
	fbig        = 22
	inval       = 28
	isdir       = 31
	loop        = 32
	nametoolong = 37
	noent       = 44
	nospc       = 51
	notdir      = 54
	notempty    = 55
	notsup      = 58
	perm        = 63
	rofs        = 69
	spipe       = 70
	xdev        = 75
)

// rights of path_open.
const (
	reading = 1 << 1
	writing = 1 << 6
)

// openPath opens a path below a descriptor, and returns the error number, and the new descriptor if there is one.
func (g *guest) openPath(t testing.TB, fd uint64, p string, oflags, rights uint64) (e, opened uint64) {
	t.Helper()
	g.put(names, p)
	e, err := g.call(t, "path_open", fd, 1, names, uint64(len(p)), oflags, rights, rights, 0, at)
	if err != nil {
		t.Fatalf("opening %q: %v", p, err)
	}
	return e, uint64(u32(g.memory()[at:]))
}

// mustOpen opens a path that has to be there.
func (g *guest) mustOpen(t testing.TB, fd uint64, p string, oflags, rights uint64) uint64 {
	t.Helper()
	e, opened := g.openPath(t, fd, p, oflags, rights)
	if e != ok {
		t.Fatalf("opening %q: error %d", p, e)
	}
	return opened
}

// TestDescriptorCodes makes the calls on descriptors of each kind, and checks the error numbers. Unless README.md
// says why not, these are those of wasmtime.
func TestDescriptorCodes(t *testing.T) {
	files := folder()
	for _, c := range []struct {
		name string
		p    []uint64 // after the descriptor
		// the error numbers of stdin, stdout, a preopen, a file, a folder, /dev/null, and what is closed
		want [7]uint64
	}{
		{"fd_advise", []uint64{0, 0, 0}, [...]uint64{badf, badf, badf, ok, badf, ok, badf}},
		{"fd_advise", []uint64{1 << 63, 9, 5}, [...]uint64{badf, badf, badf, ok, badf, ok, badf}},
		{"fd_advise", []uint64{0, 0, 6}, [...]uint64{badf, badf, badf, inval, badf, inval, badf}},
		{"fd_allocate", []uint64{0, 10}, [...]uint64{badf, badf, badf, notsup, badf, notsup, badf}},
		{"fd_allocate", []uint64{0, 0}, [...]uint64{badf, badf, badf, inval, badf, inval, badf}},
		{"fd_allocate", []uint64{math.MaxUint64, 2}, [...]uint64{badf, badf, badf, inval, badf, inval, badf}},
		{"fd_allocate", []uint64{math.MaxInt64, 1}, [...]uint64{badf, badf, badf, inval, badf, inval, badf}},
		{"fd_datasync", nil, [...]uint64{ok, ok, ok, ok, ok, ok, badf}},
		{"fd_sync", nil, [...]uint64{ok, ok, ok, ok, ok, ok, badf}},
		{"fd_fdstat_get", []uint64{at}, [...]uint64{ok, ok, ok, ok, ok, ok, badf}},
		{"fd_fdstat_get", []uint64{end - 23}, [...]uint64{fault, fault, fault, fault, fault, fault, badf}},
		{"fd_fdstat_set_flags", []uint64{4}, [...]uint64{ok, ok, ok, ok, ok, ok, badf}},
		{"fd_fdstat_set_flags", []uint64{5}, [...]uint64{ok, ok, ok, ok, ok, ok, badf}},
		{"fd_fdstat_set_flags", []uint64{2}, [...]uint64{inval, inval, inval, inval, inval, inval, badf}},
		{"fd_fdstat_set_flags", []uint64{32}, [...]uint64{inval, inval, inval, inval, inval, inval, badf}},
		{"fd_fdstat_set_flags", []uint64{0}, [...]uint64{ok, ok, ok, ok, ok, ok, badf}},
		{"fd_fdstat_set_rights", []uint64{0, 0}, [...]uint64{notsup, notsup, notsup, notsup, notsup, notsup, badf}},
		{"fd_filestat_get", []uint64{at}, [...]uint64{ok, ok, ok, ok, ok, ok, badf}},
		{"fd_filestat_get", []uint64{end - 63}, [...]uint64{fault, fault, fault, fault, fault, fault, badf}},
		{"fd_filestat_set_size", []uint64{5}, [...]uint64{badf, badf, isdir, inval, isdir, inval, badf}},
		{"fd_filestat_set_times", []uint64{0, 0, 5}, [...]uint64{badf, badf, rofs, rofs, rofs, rofs, badf}},
		{"fd_filestat_set_times", []uint64{0, 0, 3}, [...]uint64{badf, badf, inval, inval, inval, inval, badf}},
		{"fd_filestat_set_times", []uint64{0, 0, 16}, [...]uint64{badf, badf, inval, inval, inval, inval, badf}},
		{"fd_read", []uint64{vec, 0, at}, [...]uint64{ok, badf, isdir, ok, isdir, ok, badf}},
		{"fd_read", []uint64{vec, 1, at}, [...]uint64{ok, badf, isdir, ok, isdir, ok, badf}},
		{"fd_read", []uint64{vec, 1 << 29, at}, [...]uint64{fault, badf, isdir, fault, isdir, fault, badf}},
		{"fd_pread", []uint64{vec, 0, 0, at}, [...]uint64{spipe, spipe, isdir, ok, isdir, ok, badf}},
		{"fd_pread", []uint64{vec, 1, 0, at}, [...]uint64{spipe, spipe, isdir, ok, isdir, ok, badf}},
		{"fd_pread", []uint64{vec, 1, math.MaxInt64, at}, [...]uint64{spipe, spipe, isdir, ok, isdir, ok, badf}},
		{"fd_pread", []uint64{vec, 1, 1 << 63, at}, [...]uint64{spipe, spipe, isdir, inval, isdir, inval, badf}},
		{"fd_write", []uint64{vec, 0, at}, [...]uint64{badf, ok, isdir, badf, isdir, ok, badf}},
		{"fd_write", []uint64{vec, 1, at}, [...]uint64{badf, ok, isdir, badf, isdir, ok, badf}},
		{"fd_pwrite", []uint64{vec, 0, 0, at}, [...]uint64{spipe, spipe, isdir, badf, isdir, ok, badf}},
		{"fd_pwrite", []uint64{vec, 1, 0, at}, [...]uint64{spipe, spipe, isdir, badf, isdir, ok, badf}},
		{"fd_pwrite", []uint64{vec, 1, 1 << 63, at}, [...]uint64{spipe, spipe, isdir, badf, isdir, inval, badf}},
		{"fd_seek", []uint64{0, 0, at}, [...]uint64{spipe, spipe, isdir, ok, isdir, ok, badf}},
		{"fd_seek", []uint64{math.MaxInt64, 0, at}, [...]uint64{spipe, spipe, isdir, ok, isdir, ok, badf}},
		{"fd_seek", []uint64{1, 1, at}, [...]uint64{spipe, spipe, isdir, inval, isdir, ok, badf}}, // beyond what there can be
		{"fd_seek", []uint64{math.MaxUint64, 0, at}, [...]uint64{spipe, spipe, isdir, inval, isdir, ok, badf}},
		// 11 before the end
		{"fd_seek", []uint64{math.MaxUint64 - 10, 2, at}, [...]uint64{spipe, spipe, isdir, inval, isdir, ok, badf}},
		{"fd_seek", []uint64{math.MaxUint64 - 9, 2, at}, [...]uint64{spipe, spipe, isdir, ok, isdir, ok, badf}},
		{"fd_seek", []uint64{0, 3, at}, [...]uint64{spipe, spipe, isdir, inval, isdir, inval, badf}},
		{"fd_seek", []uint64{0, 0, end - 7}, [...]uint64{spipe, spipe, isdir, fault, isdir, fault, badf}},
		{"fd_tell", []uint64{at}, [...]uint64{spipe, spipe, isdir, ok, isdir, ok, badf}},
		{"fd_prestat_get", []uint64{at}, [...]uint64{badf, badf, ok, badf, badf, badf, badf}},
		{"fd_prestat_dir_name", []uint64{buf, 7}, [...]uint64{notdir, notdir, nametoolong, notdir, notdir, notdir, badf}},
		{"fd_prestat_dir_name", []uint64{buf, 9}, [...]uint64{notdir, notdir, ok, notdir, notdir, notdir, badf}},
		{"fd_prestat_dir_name", []uint64{end - 7, 8}, [...]uint64{notdir, notdir, fault, notdir, notdir, notdir, badf}},
		{"fd_readdir", []uint64{buf, 100, 0, at}, [...]uint64{badf, badf, ok, badf, ok, badf, badf}},
		{"fd_readdir", []uint64{buf, 100, math.MaxUint64, at}, [...]uint64{badf, badf, ok, badf, ok, badf, badf}},
		{"fd_readdir", []uint64{buf, 0, 0, at}, [...]uint64{badf, badf, ok, badf, ok, badf, badf}},
		{"fd_readdir", []uint64{end - 10, 100, 0, at}, [...]uint64{badf, badf, fault, badf, fault, badf, badf}},
		{"path_filestat_get", []uint64{1, names, 0, buf}, [...]uint64{notdir, notdir, noent, notdir, noent, notdir, badf}},
		{"path_filestat_get", []uint64{2, names, 1, buf}, [...]uint64{inval, inval, inval, inval, inval, inval, inval}},
		{"fd_renumber", []uint64{60}, [...]uint64{badf, badf, badf, badf, badf, badf, badf}},
	} {
		g := newGuest(t, &preview1.State{Files: tree(files), Stdin: strings.NewReader("stdin")})
		kinds := [...]uint64{0, 1, 3, g.mustOpen(t, 3, "id", 0, reading), g.mustOpen(t, 3, "headers", 0, reading),
			g.mustOpen(t, 4, "dev/null", 0, reading|writing), 50}
		for i, fd := range kinds {
			g.put(vec, little(buf, 3))
			if c.name == "fd_seek" && c.p[0] == 1 { // from as far as there is
				g.call(t, "fd_seek", fd, math.MaxInt64, 0, at)
			}
			if got, err := g.call(t, c.name, append([]uint64{fd}, c.p...)...); got != c.want[i] || err != nil {
				t.Errorf("%s%v of %d: got %d and the error %v, want %d", c.name, c.p, fd, got, err, c.want[i])
			}
		}
	}
}

// TestOpenCodes opens paths in various ways. What does not ask for a change is granted, also with flags that would be
// needed for one.
func TestOpenCodes(t *testing.T) {
	g := newGuest(t, &preview1.State{Files: tree(folder())})
	const create, directory, exclusive, truncate = 1, 2, 4, 8
	for _, c := range []struct {
		path                   string
		plain, create, excl    uint64
		folder, truncate, both uint64 // both: to read and to write
	}{
		{"id", ok, ok, exist, notdir, rofs, rofs},
		{"headers/../id", ok, ok, exist, notdir, rofs, rofs},
		{"headers", ok, isdir, exist, ok, isdir, isdir},
		{"headers/", ok, isdir, isdir, ok, isdir, isdir},
		{".", ok, isdir, exist, ok, isdir, isdir},
		{"none", noent, rofs, rofs, noent, noent, noent},
		{"none/x", noent, noent, noent, noent, noent, noent},
		{"id/x", notdir, notdir, notdir, notdir, notdir, notdir},
		{"id/", notdir, isdir, isdir, notdir, notdir, notdir},
		{"new/", noent, isdir, isdir, noent, noent, noent},
		{"none/x/", noent, noent, noent, noent, noent, noent},
		{"headers/.", ok, isdir, exist, ok, isdir, isdir},
		{"id/..", notdir, notdir, notdir, notdir, notdir, notdir},
		{"id/.", notdir, notdir, notdir, notdir, notdir, notdir},
		{"none/../id", noent, noent, noent, noent, noent, noent},
		{"..", perm, perm, perm, perm, perm, perm},
		{"../request/id", perm, perm, perm, perm, perm, perm},
		{"headers/../../x", perm, perm, perm, perm, perm, perm},
		{"/id", perm, perm, perm, perm, perm, perm},
		{"", noent, noent, noent, noent, noent, noent},
		{"id\x00", inval, inval, inval, inval, inval, inval},
		{"\xff", ilseq, ilseq, ilseq, ilseq, ilseq, ilseq},
		{strings.Repeat("n", 255), noent, rofs, rofs, noent, noent, noent},
		{strings.Repeat("n", 256), nametoolong, nametoolong, nametoolong, nametoolong, nametoolong, nametoolong},
		{"headers/" + strings.Repeat("n", 256) + "/x", nametoolong, nametoolong, nametoolong, nametoolong, nametoolong,
			nametoolong},
		{strings.Repeat("./", 2046) + "id", ok, ok, exist, notdir, rofs, rofs}, // 4094 bytes
		{strings.Repeat("./", 2047) + "id", nametoolong, nametoolong, nametoolong, nametoolong, nametoolong, nametoolong},
	} {
		for _, how := range []struct{ flags, rights, want uint64 }{
			{0, reading, c.plain},
			{0, 0, c.plain}, {create, reading, c.create}, {create | exclusive, reading, c.excl}, {directory, reading, c.folder},
			{truncate, reading, c.truncate},
			{0, reading | writing, c.both}, {directory | create, reading, inval}, {16, reading, inval},
		} {
			e, fd := g.openPath(t, 3, c.path, how.flags, how.rights)
			if e != how.want {
				t.Errorf("%.20q with flags %d and rights %d: got %d, want %d", c.path, how.flags, how.rights, e, how.want)
			}
			if e == ok {
				g.must(t, ok, "fd_close", fd)
			}
		}
	}
}

// TestChangeCodes makes the calls that would change something.
func TestChangeCodes(t *testing.T) {
	g := newGuest(t, &preview1.State{Files: tree(folder())})
	for _, c := range []struct {
		path                                   string
		mkdir, link, rmdir, unlink, from, onto uint64 // from and onto: rename
		times                                  uint64
	}{
		{"id", exist, exist, notdir, rofs, rofs, rofs, rofs},
		{"id/", exist, exist, notdir, notdir, notdir, notdir, notdir},
		{"headers", exist, exist, rofs, isdir, rofs, rofs, rofs},
		{"headers/", exist, exist, rofs, isdir, rofs, notdir, rofs},
		{"headers/.", exist, exist, inval, isdir, busy, busy, rofs},
		{"sub/deep/..", exist, exist, notempty, isdir, busy, busy, rofs},
		{"new", rofs, rofs, noent, noent, noent, rofs, noent},
		{"new/", rofs, noent, noent, noent, noent, notdir, noent},
		{"headers/new", rofs, rofs, noent, noent, noent, rofs, noent},
		{"none/new", noent, noent, noent, noent, noent, noent, noent},
		{"none/../new", noent, noent, noent, noent, noent, noent, noent},
		{"id/new", notdir, notdir, notdir, notdir, notdir, notdir, notdir},
		{"../new", perm, perm, perm, perm, perm, perm, perm},
		{"", noent, noent, noent, noent, noent, noent, noent},
	} {
		g.put(names, c.path)
		g.put(names+100, "idnew")
		p, n := uint64(names), uint64(len(c.path))
		g.must(t, c.mkdir, "path_create_directory", 3, p, n)
		g.must(t, c.link, "path_symlink", names+100, 2, 3, p, n)
		g.must(t, c.link, "path_link", 3, 0, names+100, 2, 3, p, n)
		g.must(t, c.times, "path_link", 3, 1, p, n, 3, names+102, 3)
		g.must(t, c.rmdir, "path_remove_directory", 3, p, n)
		g.must(t, c.unlink, "path_unlink_file", 3, p, n)
		g.must(t, c.from, "path_rename", 3, p, n, 3, names+102, 3)
		g.must(t, c.onto, "path_rename", 3, names+100, 2, 3, p, n)
		g.must(t, c.times, "path_filestat_set_times", 3, 1, p, n, 0, 0, 5)
		g.must(t, inval, "path_filestat_set_times", 3, 1, p, n, 0, 0, 3)
	}
	g.put(names, "id\x00/x")
	g.must(t, noent, "path_symlink", names, 0, 3, names+5, 1)
	g.must(t, inval, "path_symlink", names, 3, 3, names+4, 1)
	g.must(t, perm, "path_symlink", names+3, 2, 3, names+4, 1)
}

// TestLinks reads links, and does not follow them where they are not to be.
func TestLinks(t *testing.T) {
	files := fstest.MapFS{"id": {Data: []byte("42")}, "link": {Data: []byte("id"), Mode: 1 << 27}} // fs.ModeSymlink
	g := newGuest(t, &preview1.State{Files: tree(files)})
	g.put(names, "linkid")
	g.must(t, ok, "path_readlink", 3, names, 4, buf, 100, at)
	if got := string(g.memory()[buf:][:u32(g.memory()[at:])]); got != "id" {
		t.Errorf("the link leads to %q", got)
	}
	g.must(t, ok, "path_readlink", 3, names, 4, buf, 1, at)
	if got := u32(g.memory()[at:]); got != 1 {
		t.Errorf("%d bytes of the link in a buffer of one", got)
	}
	g.must(t, fault, "path_readlink", 3, names, 4, end-1, 2, at)
	g.must(t, inval, "path_readlink", 3, names+4, 2, buf, 100, at)
	for follow, want := range map[uint64]byte{0: 7, 1: 4} {
		g.must(t, ok, "path_filestat_get", 3, follow, names, 4, buf)
		if got := g.memory()[buf+16]; got != want {
			t.Errorf("followed %d times, the type is %d, want %d", follow, got, want)
		}
	}
	g.must(t, 32, "path_open", 3, 0, names, 4, 0, reading, 0, 0, at)
	g.must(t, ok, "path_open", 3, 1, names, 4, 0, reading, 0, 0, at)
}
