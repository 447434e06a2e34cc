package preview1_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/wasi/preview1"
)

// numbers are WASI's for Linux's error numbers.
var numbers = map[syscall.Errno]uint64{
	0: ok, syscall.ENOENT: noent, syscall.ENOTDIR: notdir, syscall.EISDIR: isdir, syscall.EINVAL: inval,
	syscall.ENAMETOOLONG: nametoolong, syscall.EEXIST: exist,
}

// kernel is a folder of the machine, in one that has nothing else.
type kernel string

// newKernel makes the files of folder on the machine.
func newKernel(t testing.TB) kernel {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "top")
	if err := os.CopyFS(dir, folder()); err != nil {
		t.Fatal(err)
	}
	return kernel(dir)
}

// open opens a path below the folder with flags of Linux, and returns WASI's error number.
func (k kernel) open(t testing.TB, p string, flags int) uint64 {
	dir, err := syscall.Open(string(k), syscall.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(dir)
	fd, err := syscall.Openat(dir, p, flags|syscall.O_CLOEXEC, 0)
	if err != nil {
		e, known := numbers[err.(syscall.Errno)]
		if !known {
			t.Fatalf("opening %q: %v", p, err)
		}
		return e
	}
	syscall.Close(fd)
	return ok
}

// escapes reports whether a path goes above where it begins, or begins elsewhere.
func escapes(p string) bool {
	depth := 0
	for _, name := range strings.Split(p, "/") {
		switch name {
		case "", ".":
		case "..":
			if depth--; depth < 0 {
				return true
			}
		default:
			depth++
		}
	}
	return strings.HasPrefix(p, "/")
}

// FuzzPaths opens paths here and with Linux, and compares the error numbers. A path that leaves the folder is refused
// here; if something else is wrong with it too, that may be said instead. Describing and opening have to agree.
func FuzzPaths(f *testing.F) {
	k := newKernel(f)
	g := newGuest(f, &preview1.State{Files: tree(os.DirFS(string(k)))})
	for _, p := range []string{
		"id", "id/", "id/.", "id/..", "id/../id", "none/../id", "none", "none/", "headers/../id", "headers/Accept/",
		".", "./", "..", "/", "headers//Accept", "sub/deep/../../id", "sub/deep/file/..", "sub/../../x",
		"sub/none/../../..", "\xff", "a\x00b", strings.Repeat("n", 256), strings.Repeat("n", 255),
		strings.Repeat("./", 2048), strings.Repeat("sub/../", 600) + "id", "id/" + strings.Repeat("n", 300),
		"none/" + strings.Repeat("n", 300),
	} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p string) {
		if len(p) > 5000 || strings.ContainsRune(p, 0) || strings.ToValidUTF8(p, "?") != p {
			t.Skip() // Linux has no opinion
		}
		for flags, linux := range map[uint64]int{0: syscall.O_RDONLY, 2: syscall.O_RDONLY | syscall.O_DIRECTORY} {
			got, fd := g.openPath(t, 3, p, flags, reading)
			if got == ok {
				g.must(t, ok, "fd_close", fd)
			}
			want := k.open(t, p, linux)
			if got != want && !(escapes(p) && got == perm) || escapes(p) && got == ok {
				t.Errorf("%q with flags %d: got %d, Linux gives %d", p, flags, got, want)
			}
			if flags == 0 {
				g.must(t, got, "path_filestat_get", 3, 1, names, uint64(len(p)), buf)
			}
		}
	})
}

// TestPathsAsOnLinux opens all paths of up to four names, some of which lead nowhere, as FuzzPaths does.
func TestPathsAsOnLinux(t *testing.T) {
	k := newKernel(t)
	g := newGuest(t, &preview1.State{Files: tree(os.DirFS(string(k)))})
	all := []string{"id", "headers", "sub", "deep", "none", "..", ".", ""}
	paths := []string{""}
	for range 4 {
		var longer []string
		for _, p := range paths {
			for _, name := range all {
				longer = append(longer, strings.TrimPrefix(p+"/"+name, "/"))
			}
		}
		paths = longer
		for _, p := range paths {
			got, fd := g.openPath(t, 3, p, 0, reading)
			if got == ok {
				g.must(t, ok, "fd_close", fd)
			}
			if want := k.open(t, p, syscall.O_RDONLY); got != want && !(escapes(p) && got == perm) || escapes(p) && got == ok {
				t.Errorf("%q: got %d, Linux gives %d", p, got, want)
			}
		}
	}
}
