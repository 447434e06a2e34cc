package preview1_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/wasi/preview1"
)

// dirent is an entry of a folder, as fd_readdir writes it.
type dirent struct {
	name  string
	kind  byte
	inode uint64
	next  uint64
}

// readdir lists a folder with a buffer of that many bytes, as often as it takes.
func (g *guest) readdir(t testing.TB, fd, room uint64) []dirent {
	t.Helper()
	var all []dirent
	for cookie, calls := uint64(0), 0; ; calls++ {
		g.must(t, ok, "fd_readdir", fd, buf, room, cookie, at)
		used := u32(g.memory()[at:])
		if uint64(used) > room || calls > 100_000 {
			t.Fatalf("%d bytes of %d after %d calls", used, room, calls)
		}
		entries := entriesIn(g.memory()[buf:][:used])
		all = append(all, entries...)
		if uint64(used) < room {
			return all
		}
		if len(entries) == 0 {
			t.Fatalf("%d bytes are not enough for one entry", room)
		}
		cookie = entries[len(entries)-1].next
	}
}

// entriesIn returns the entries that are whole.
func entriesIn(b []byte) (all []dirent) {
	for len(b) >= 24 {
		n := 24 + int(u32(b[16:]))
		if len(b) < n {
			break
		}
		all = append(all, dirent{string(b[24:n]), b[20], binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b)})
		b = b[n:]
	}
	return all
}

// namesOf returns the names of entries, with the type of each.
func namesOf(all []dirent) string {
	var s []string
	for _, e := range all {
		s = append(s, fmt.Sprint(e.name, ":", e.kind))
	}
	return strings.Join(s, " ")
}

// inode returns the device and the inode of what is at a path below a descriptor.
func (g *guest) inode(t testing.TB, fd uint64, p string) [2]uint64 {
	t.Helper()
	g.put(names, p)
	g.must(t, ok, "path_filestat_get", fd, 1, names, uint64(len(p)), events)
	return g.inodeIn()
}

// inodeIn returns the device and the inode of a filestat.
func (g *guest) inodeIn() [2]uint64 {
	return [2]uint64{binary.LittleEndian.Uint64(g.memory()[events:]), binary.LittleEndian.Uint64(g.memory()[events+8:])}
}

// mounted is a process with files of all sorts.
func mounted() *preview1.State {
	return &preview1.State{Files: tree(folder()), Mounts: []preview1.Mount{
		{Path: "/script",
			Tree: tree(fstest.MapFS{"main.js": {Data: []byte("1 + 1")}, "id": {}, "lib/a.js": {Data: []byte("2")}})},
		{Path: "/usr/share/runtime", Tree: tree(fstest.MapFS{"id": {}, "lib/a.js": {}})},
		{Path: "/usr/share", Tree: tree(fstest.MapFS{"doc": {}, "runtime": {}})},
	}}
}

// TestTree lists all that there is, from the topmost folder.
func TestTree(t *testing.T) {
	g := newGuest(t, mounted())
	for p, want := range map[string]string{
		".":                      ".:3 ..:3 dev:3 request:3 script:3 usr:3",
		"dev":                    ".:3 ..:3 fd:3 null:2 random:2 stderr:1 stdin:1 stdout:1 urandom:2 zero:2",
		"dev/fd":                 ".:3 ..:3 0:1 1:1 2:1",
		"request":                ".:3 ..:3 empty:4 headers:3 id:4 sub:3",
		"request/headers":        ".:3 ..:3 Accept:4 Long-Name:4",
		"script":                 ".:3 ..:3 id:4 lib:3 main.js:4",
		"usr":                    ".:3 ..:3 share:3",
		"usr/share":              ".:3 ..:3 doc:4 runtime:3",
		"usr/share/runtime":      ".:3 ..:3 id:4 lib:3",
		"usr/share/runtime/lib/": ".:3 ..:3 a.js:4",
	} {
		fd := g.mustOpen(t, 7, p, 2, reading)
		if got := namesOf(g.readdir(t, fd, 1000)); got != want {
			t.Errorf("%s has %s, want %s", p, got, want)
		}
		g.must(t, ok, "fd_close", fd)
	}
	for p, want := range map[string]uint64{
		"etc/passwd": noent, "usr/lib": noent, "usr/share/doc/x": notdir, "dev/null/x": notdir, "dev/none": noent,
		"dev/null/": notdir, "dev/fd/7": noent, "usr/../dev/fd/../null": ok, "request/../script/main.js": ok,
		"script/../../x": perm, "dev/null/../id": notdir,
	} {
		if got, _ := g.openPath(t, 7, p, 0, reading); got != want {
			t.Errorf("%s: got %d, want %d", p, got, want)
		}
	}
}

// TestNowhere looks for what is nowhere, as programs from elsewhere do: each path is ENOENT, and looking for it is no
// look at the request.
func TestNowhere(t *testing.T) {
	g := newGuest(t, &preview1.State{})
	for _, p := range []string{
		"etc/localtime", ".editorconfig", "home/user/.config/tool.toml", "usr/lib/ssl/openssl.cnf", "tmp",
		"proc/self/exe",
	} {
		if got, _ := g.openPath(t, 4, p, 0, reading); got != noent {
			t.Errorf("/%s: got %d, want ENOENT", p, got)
		}
		g.must(t, noent, "path_filestat_get", 4, 1, names, uint64(len(p)), buf)
		g.must(t, noent, "path_readlink", 4, names, uint64(len(p)), buf, 100, at)
	}
	if g.state.Seen() != (preview1.Seen{}) || g.state.Changed() {
		t.Errorf("seen %+v, changed %t", g.state.Seen(), g.state.Changed())
	}
}

// TestNames looks for names that no request has, and for those that it can have: only these are a look at the request.
func TestNames(t *testing.T) {
	s := &preview1.State{Files: tree(folder()), Names: []string{"id", "headers"}}
	g := newGuest(t, s)
	for _, p := range []string{".editorconfig", "sub", "sub/deep/file", "empty", "none/x"} {
		if got, _ := g.openPath(t, 3, p, 0, reading); got != noent {
			t.Errorf("%s: got %d", p, got)
		}
		g.must(t, noent, "path_filestat_get", 3, 1, names, uint64(len(p)), buf)
	}
	if s.Seen().Files {
		t.Error("a name that no request has is no news about one")
	}
	if got := namesOf(g.readdir(t, 3, 1000)); got != ".:3 ..:3 headers:3 id:4" || !s.Seen().Files {
		t.Errorf("listed %s, seen %+v", got, s.Seen())
	}
	for _, p := range []string{"id", "headers", "headers/none", "headers/Accept", "none/../id"} {
		s.Reset()
		s.Files = nil // as while a process starts before its request
		g.ctx = s.Begin(t.Context())
		g.openPath(t, 3, p, 0, reading)
		if s.Seen().Files != (p != "none/../id") {
			t.Errorf("%s: seen %+v", p, s.Seen())
		}
	}
}

// TestInodes checks that every file has a number of its own, by whatever way it is found, and the same one in each run.
func TestInodes(t *testing.T) {
	g := newGuest(t, mounted())
	seen := map[[2]uint64]string{}
	var visit func(fd uint64, folder string)
	visit = func(fd uint64, folder string) {
		g.must(t, ok, "fd_filestat_get", fd, events)
		own := g.inodeIn()
		for _, e := range g.readdir(t, fd, 1000) {
			if e.name == "." && e.inode != own[1] {
				t.Errorf("%s is %d by itself and %d by name", folder, own, e.inode)
			}
			if e.name == "." || e.name == ".." {
				continue
			}
			p := folder + "/" + e.name
			i := g.inode(t, 7, p[1:])
			if i[1] != e.inode || i[1] == 0 {
				t.Errorf("%s is %v, and %d in its folder", p, i, e.inode)
			}
			if seen[i] != "" && !strings.HasPrefix(seen[i], "/dev/fd/") {
				t.Errorf("%s and %s are %v", p, seen[i], i)
			}
			seen[i] = p
			if e.kind == 3 {
				sub := g.mustOpen(t, fd, e.name, 2, reading)
				visit(sub, p)
				g.must(t, ok, "fd_close", sub)
			}
		}
	}
	visit(7, "")
	if len(seen) != 30 {
		t.Errorf("%d files: %v", len(seen), seen)
	}
	for fd, p := range map[uint64]string{
		0: "dev/stdin", 1: "dev/fd/1", 2: "dev/stderr", 3: "request", 4: "script", 7: ".",
	} {
		g.must(t, ok, "fd_filestat_get", fd, events)
		if got, want := g.inodeIn(), g.inode(t, 7, p); got != want {
			t.Errorf("descriptor %d is %v, %s is %v", fd, got, p, want)
		}
	}
	other := newGuest(t, &preview1.State{Files: tree(fstest.MapFS{"id": {Data: []byte("another")}})})
	if a, b := g.inode(t, 3, "id"), other.inode(t, 4, "request/id"); a != b {
		t.Errorf("/request/id is %v in one process and %v in another", a, b)
	}
}

// TestReaddirResumes lists a folder with buffers of all sizes, from all places.
func TestReaddirResumes(t *testing.T) {
	g := newGuest(t, &preview1.State{Files: tree(folder())})
	want := g.readdir(t, 3, 1000)
	for room := uint64(24 + 7); room < 300; room++ {
		if got := g.readdir(t, 3, room); !slices.Equal(got, want) {
			t.Errorf("with %d bytes: %v, want %v", room, got, want)
		}
	}
	fd := g.mustOpen(t, 3, ".", 2, reading)
	for i := len(want); i >= 0; i-- { // nobody has been there before
		g.must(t, ok, "fd_readdir", fd, buf, 1000, uint64(i), at)
		if got := entriesIn(g.memory()[buf:][:u32(g.memory()[at:])]); !slices.Equal(got, want[i:]) {
			t.Errorf("from entry %d: %v, want %v", i, got, want[i:])
		}
	}
	whole := len(namesOf(want)) // more than any name
	for room := range uint64(24 + 1) {
		g.put(buf, strings.Repeat("#", 30))
		g.must(t, ok, "fd_readdir", fd, buf, room, 0, at)
		if used := u32(g.memory()[at:]); uint64(used) != room || g.memory()[buf+room] != '#' {
			t.Errorf("with %d bytes: %d of them used, then %q (%d)", room, used, g.memory()[buf+room], whole)
		}
	}
}

// large is a folder of many files, which counts how often it is listed.
type large struct {
	fs.FS
	files  int
	listed *int
}

// ReadDir implements fs.ReadDirFS.
func (l large) ReadDir(string) ([]fs.DirEntry, error) {
	*l.listed++
	all := make([]fs.DirEntry, l.files)
	for i := range all {
		all[i] = fs.FileInfoToDirEntry(info(fmt.Sprintf("header-%08d", i)))
	}
	return all, nil
}

// info describes a file by its name.
type info string

func (i info) Name() string       { return string(i) }
func (i info) Size() int64        { return 1 }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) Mode() fs.FileMode  { return 0o444 }
func (i info) IsDir() bool        { return false }
func (i info) Sys() any           { return nil }

// TestReaddirLarge lists a large folder in small pieces: it is read once, and each piece takes as long as the piece
// is large.
func TestReaddirLarge(t *testing.T) {
	listed, ticks := 0, 0
	s := &preview1.State{Files: tree(large{fstest.MapFS{}, 50_000, &listed}), Yield: func() { ticks++ }}
	g := newGuest(t, s)
	if got := g.readdir(t, 3, 100); len(got) != 50_002 {
		t.Errorf("%d entries", len(got))
	}
	if listed != 1 {
		t.Errorf("listed %d times", listed)
	}
	// An entry costs what 2 KiB of bytes cost, so that the host's work is seen by the deadline and by other
	// processes, and not twice as often.
	if ticks < 50_000/64 || ticks > 50_000/8 {
		t.Errorf("%d turns for 50,000 entries", ticks)
	}
}

// FuzzReaddir lists a folder of made-up names, with any buffer from any place: nothing is written outside of the
// buffer, and what is there is what a listing of the whole says.
func FuzzReaddir(f *testing.F) {
	f.Add("a b c", uint64(100), uint64(1))
	f.Add("long-name "+strings.Repeat("n", 255), uint64(25), uint64(3))
	f.Add("", uint64(0), uint64(1<<63))
	s := &preview1.State{}
	g := newGuest(f, s)
	f.Fuzz(func(t *testing.T, list string, room, cookie uint64) {
		files := fstest.MapFS{}
		for _, name := range strings.Fields(list) {
			if fs.ValidPath(name) && name != "." && !strings.Contains(name, "/") && len(name) < 500 && len(files) < 40 {
				files[name] = &fstest.MapFile{}
			}
		}
		s.Reset()
		s.Files = tree(files)
		g.ctx = s.Begin(t.Context())
		all := g.readdir(t, 3, 40_000)
		if len(all) != len(files)+2 {
			t.Fatalf("%d entries of %d files", len(all), len(files))
		}
		room %= 2000
		clear(g.memory()[buf:][:4000])
		g.must(t, ok, "fd_readdir", 3, buf, room, cookie, at)
		used := uint64(u32(g.memory()[at:]))
		if used > room || len(bytes.Trim(g.memory()[buf+used:][:2000], "\x00")) > 0 {
			t.Fatalf("%d bytes used of %d, or more", used, room)
		}
		got := entriesIn(g.memory()[buf:][:used])
		rest := all[min(cookie, uint64(len(all))):]
		if len(got) > len(rest) || !slices.Equal(got, rest[:len(got)]) || used < room && len(got) != len(rest) {
			t.Fatalf("from %d with %d bytes: %v of %v", cookie, room, got, rest)
		}
	})
}

// TestDevices reads and writes what is in /dev.
func TestDevices(t *testing.T) {
	var out, errs bytes.Buffer
	s := &preview1.State{Stdin: strings.NewReader("stdin of the request"), Stdout: &out, Stderr: &errs,
		Entropy: iotest.OneByteReader(strings.NewReader("0123456789"))}
	g := newGuest(t, s)
	read := func(fd, n uint64) string {
		t.Helper()
		g.put(buf, strings.Repeat("#", 30))
		g.put(vec, little(buf, uint32(n)))
		g.must(t, ok, "fd_read", fd, vec, 1, at)
		return string(g.memory()[buf:][:u32(g.memory()[at:])])
	}
	write := func(p, text string) {
		t.Helper()
		fd := g.mustOpen(t, 4, p, 1|8, reading|writing) // O_CREAT|O_TRUNC, as `-o FILE` has it
		g.put(buf, text)
		g.put(vec, little(buf, uint32(len(text))))
		g.must(t, ok, "fd_write", fd, vec, 1, at)
		if n := u32(g.memory()[at:]); int(n) != len(text) {
			t.Errorf("%d bytes written to %s", n, p)
		}
		g.must(t, ok, "fd_sync", fd)
		g.must(t, ok, "fd_close", fd)
	}
	write("dev/stdout", "one ")
	write("dev/fd/1", "two")
	write("dev/stderr", "three")
	write("dev/null", "four")
	if out.String() != "one two" || errs.String() != "three" {
		t.Errorf("stdout %q, stderr %q", out.String(), errs.String())
	}

	in := g.mustOpen(t, 4, "dev/stdin", 0, reading)
	other := g.mustOpen(t, 4, "dev/fd/0", 0, reading)
	if got := read(in, 6) + read(0, 3) + read(other, 4); got != "stdin of the " { // one position
		t.Errorf("read %q", got)
	}
	g.must(t, ok, "fd_close", in)
	g.must(t, ok, "fd_close", 0)
	if got := read(other, 30); got != "request" {
		t.Errorf("read %q after stdin was closed by other names", got)
	}
	g.must(t, spipe, "fd_seek", other, 0, 0, at)

	if null := g.mustOpen(t, 4, "dev/null", 0, reading); read(null, 5) != "" {
		t.Error("there is something in /dev/null")
	}
	if zero := g.mustOpen(t, 4, "dev/zero", 0, reading); read(zero, 5) != "\x00\x00\x00\x00\x00" {
		t.Error("there is something else in /dev/zero")
	}
	if s.Seen().Entropy {
		t.Error("entropy was drawn before it was")
	}
	random := g.mustOpen(t, 4, "dev/urandom", 0, reading)
	if got := read(random, 5); got != "01234" || !s.Seen().Entropy {
		t.Errorf("random bytes %q, seen %+v", got, s.Seen())
	}
	g.must(t, ok, "fd_pread", random, vec, 1, 100, at)
	if got := string(g.memory()[buf:][:5]); got != "56789" {
		t.Errorf("random bytes %q", got)
	}
	for p, want := range map[string]uint64{"dev/null": notdir, "dev/stdin": notdir} {
		if got, _ := g.openPath(t, 4, p, 2, reading); got != want {
			t.Errorf("%s as a folder: %d", p, got)
		}
		if got, _ := g.openPath(t, 4, p, 1|4, reading); got != exist {
			t.Errorf("%s anew: %d", p, got)
		}
		g.must(t, exist, "path_create_directory", 4, names, uint64(len(p)))
		g.must(t, rofs, "path_unlink_file", 4, names, uint64(len(p)))
	}
}

// TestTooMuch writes all of the memory as often as the memory can say, which is more bytes than there can be at once.
func TestTooMuch(t *testing.T) {
	g := newGuest(t, &preview1.State{})
	null := g.mustOpen(t, 4, "dev/null", 0, writing)
	for i := 0; i < end; i += 8 {
		g.put(i, little(0, end))
	}
	g.must(t, ok, "fd_write", null, 0, end/8, at)
	if got := u32(g.memory()[at:]); got != math.MaxInt32 {
		t.Errorf("%d bytes", got)
	}
}

// TestNonblocking reads a stdin that has nothing yet, and does not wait for it.
func TestNonblocking(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	s := &preview1.State{Stdin: r}
	g := newGuest(t, s)
	g.put(vec, little(buf, 10))
	g.must(t, ok, "fd_fdstat_set_flags", 0, 4)
	const again = 6
	for range 3 {
		g.must(t, again, "fd_read", 0, vec, 1, at)
	}
	go w.Write([]byte("hello"))
	g.put(subs, ready(2, 1, 0))
	g.must(t, ok, "poll_oneoff", subs, events, 1, at)
	g.must(t, ok, "fd_read", 0, vec, 1, at)
	if got := string(g.memory()[buf:][:5]); got != "hello" {
		t.Errorf("read %q", got)
	}
	g.must(t, again, "fd_read", 0, vec, 1, at)
	go w.Close()
	g.must(t, ok, "poll_oneoff", subs, events, 1, at)
	g.must(t, ok, "fd_read", 0, vec, 1, at)
	if n := u32(g.memory()[at:]); n != 0 {
		t.Errorf("%d bytes after the end", n)
	}
}
