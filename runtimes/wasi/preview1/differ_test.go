package preview1_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/wasi/preview1"
)

// Places in the memory of the guest.
const (
	at      = 0x100   // results
	at2     = 0x180   // more results
	buf     = 0x1000  // buffers
	vec     = 0x800   // lists of buffers
	names   = 0x2000  // paths
	subs    = 0x3000  // subscriptions
	events  = 0x4000  // events
	end     = 0x20000 // the end of the memory
	far     = 0xfffffff0
	garbage = 0xdeadbeef << 32 // the upper half of a parameter of 32 bits
)

// step is one call on both sides.
type step struct {
	name string
	p    []uint64
}

// otherwise are the calls that succeed here and fail there, or the other way round: the name, our error number, the
// engine's. What they should give is said by the specification, by wasmtime or by Linux, and by other tests.
var otherwise = map[string]bool{
	"fd_advise 8 0": true, "fd_allocate 8 0": true, "fd_allocate 28 0": true, "fd_allocate 58 0": true,
	"fd_readdir 0 44": true, "fd_fdstat_set_flags 0 52": true, "fd_fdstat_set_flags 0 31": true,
	"fd_read 8 0": true, "fd_read 31 0": true, "fd_write 8 0": true, "fd_write 31 0": true,
	"fd_pread 31 0": true, "fd_pread 70 0": true, "fd_pread 0 28": true,
	"fd_pwrite 8 0": true, "fd_pwrite 31 0": true, "fd_pwrite 70 0": true,
	"fd_sync 0 8": true, "fd_datasync 0 8": true,
	"fd_prestat_get 8 0":       true,
	"fd_prestat_dir_name 0 37": true, "fd_prestat_dir_name 37 0": true, "fd_prestat_dir_name 54 0": true,
	"path_open 0 69": true, "fd_close 0 8": true, // the same file, closed again
	"path_open 54 0": true, "path_filestat_get 54 0": true, "path_filestat_get 44 0": true, "fd_close 8 0": true,
}

// same is a call with the same result on both sides.
func same(name string, p ...uint64) step { return step{name: name, p: p} }

// paths returns paths one after the other, and the place and length of each.
func paths() (string, map[string][2]uint64) {
	var b strings.Builder
	at := map[string][2]uint64{}
	for _, p := range []string{
		"id", "id/", ".", "./", "headers", "headers/", "headers/Accept", "headers/../id", "none", "..", "../x",
		"/id", "/", "headers/../../x", "headers//Accept", "./id", "id/x", "a\x00b", "\xff", "sub/deep", "deep", "file",
		"Accept", "empty", "/request/id",
	} {
		at[p] = [2]uint64{uint64(names + b.Len()), uint64(len(p))}
		b.WriteString(p)
	}
	return b.String(), at
}

// steps is the table: at least a row for each function.
func steps() []step {
	_, at0 := paths()
	pt := func(name string) (uint64, uint64) {
		p, ok := at0[name]
		if !ok {
			panic("no path " + name)
		}
		return p[0], p[1]
	}
	open := func(fd uint64, name string, oflags, rights, fdflags uint64) step {
		ptr, n := pt(name)
		return same("path_open", fd, 1, ptr, n, oflags, rights, rights, fdflags, at)
	}
	var l []step
	add := func(s ...step) { l = append(l, s...) }

	// Arguments and environment.
	for _, what := range []string{"args", "environ"} {
		add(same(what+"_sizes_get", at, at2), same(what+"_sizes_get", end-4, at2), same(what+"_sizes_get", end-3, at2),
			same(what+"_sizes_get", at, far), same(what+"_get", at, buf), same(what+"_get", garbage|at, garbage|buf),
			same(what+"_get", far, buf), same(what+"_get", at, far), same(what+"_get", end-7, buf), same(what+"_get", at, end-3))
	}

	// Clocks and entropy, as far as they are the same twice.
	for clock := range uint64(5) {
		add(same("clock_res_get", clock, at), same("clock_res_get", clock, far))
		if clock > 1 {
			add(same("clock_time_get", clock, 0, at))
		}
		add(same("clock_time_get", clock, 0, end-7), same("clock_time_get", clock|garbage, 1, far))
	}
	add(same("random_get", far, 1), same("random_get", end, 0), same("random_get", end+1, 0), same("random_get", at, 0),
		same("random_get", end-1, 2), same("random_get", at, far))

	add(same("sched_yield"), same("proc_raise", 9), same("proc_raise", 0))

	// What descriptors are.
	for _, fd := range []uint64{0, 1, 2, 3, 5, 63, 100, 0x7fffffff, 0xffffffff, garbage, garbage | 3} {
		add(same("fd_fdstat_get", fd, at), same("fd_fdstat_get", fd, far), same("fd_fdstat_get", fd, end-24),
			same("fd_fdstat_get", fd, end-23), same("fd_filestat_get", fd, at), same("fd_filestat_get", fd, end-64),
			same("fd_filestat_get", fd, end-63), same("fd_prestat_get", fd, at), same("fd_prestat_get", fd, far),
			same("fd_prestat_dir_name", fd, at, 8), same("fd_prestat_dir_name", fd, at, 0),
			same("fd_prestat_dir_name", fd, at, 4), same("fd_prestat_dir_name", fd, at, 9),
			same("fd_prestat_dir_name", fd, far, 8), same("fd_prestat_dir_name", fd, at, far))
		add(operations(fd)...)
	}

	// Paths.
	for _, fd := range []uint64{3, 0, 1, 5, 99, 0xffffffff} {
		for name, p := range at0 {
			add(open(fd, name, 0, 2, 0), same("fd_close", 5),
				same("path_filestat_get", fd, 0, p[0], p[1], at), same("path_filestat_get", fd, 1, p[0], p[1], at),
				same("path_filestat_get", fd, 1, p[0], p[1], end-63),
				same("path_readlink", fd, p[0], p[1], buf, 100, at), same("path_readlink", fd, p[0], p[1], buf, 0, at),
				same("path_create_directory", fd, p[0], p[1]), same("path_remove_directory", fd, p[0], p[1]),
				same("path_unlink_file", fd, p[0], p[1]), same("path_symlink", p[0], p[1], fd, p[0], p[1]),
				same("path_link", fd, 0, p[0], p[1], 3, p[0], p[1]), same("path_link", 3, 0, p[0], p[1], fd, p[0], p[1]),
				same("path_rename", fd, p[0], p[1], 3, p[0], p[1]), same("path_rename", 3, p[0], p[1], fd, p[0], p[1]),
				same("path_filestat_set_times", fd, 1, p[0], p[1], 0, 0, 5),
				same("path_filestat_set_times", fd, 1, p[0], p[1], 0, 0, 3))
		}
		add(same("path_open", fd, 0, names, 0, 0, 2, 0, 0, at), same("path_open", fd, 0, far, 100, 0, 2, 0, 0, at),
			same("path_open", fd, 0, far, 0, 0, 2, 0, 0, at), same("path_filestat_get", fd, 0, names, 0, at),
			same("path_filestat_get", fd, 0, far, 9, at), same("path_readlink", fd, names, 0, buf, 9, at),
			same("path_create_directory", fd, far, 9), same("path_unlink_file", fd, end-1, 2),
			same("path_symlink", far, 9, fd, names, 2), same("path_symlink", names, 0, fd, names, 2),
			same("path_symlink", names, 2, fd, names, 0), same("path_symlink", names, 2, fd, far, 9))
	}
	ptr, n := pt("id")
	none, nn := pt("none")
	for _, oflags := range []uint64{0, 1, 2, 4, 8, 3, 5, 9, 10, 15} {
		for _, fdflags := range []uint64{0, 1, 2, 4, 8, 16, 31} {
			add(same("path_open", 3, 1, ptr, n, oflags, 2, 2, fdflags, at), same("fd_close", 5),
				same("path_open", 3, 1, none, nn, oflags, 2, 2, fdflags, at), same("fd_close", 5))
		}
	}
	add(same("path_open", 3, 0, ptr, n, 0, 0, 0, 0, far), same("fd_close", 5),
		same("path_open", 3, 0, ptr, n, 0, 64, 0, 0, at), same("path_open", 3, 0, ptr, n, 0, 66, 0, 0, at),
		same("path_open", 3, 0, ptr, n, 2, 66, 0, 0, at), same("path_open", 3, 0, ptr, n, 0, 64<<32, 0, 0, at),
		same("fd_close", 5), same("path_filestat_get", 3, 0, 0x8000, 5000, at))

	// An open file, an open folder, and files in it: 5, 6, 7, none, none, none, 8, 9, 10.
	add(open(3, "id", 0, 2, 0), open(3, "headers", 2, 2, 0), open(6, "Accept", 0, 2, 0), open(6, "..", 0, 2, 0),
		open(6, "id", 0, 2, 0), open(5, "id", 0, 2, 0), open(3, "sub/deep", 0, 2, 0), open(8, "file", 0, 2, 0),
		open(3, "empty", 0, 2, 0))
	for _, fd := range []uint64{5, 6, 7, 8, 9, 10} {
		add(operations(fd)...)
		add(same("fd_fdstat_get", fd, at), same("fd_filestat_get", fd, at), same("fd_prestat_get", fd, at),
			same("fd_prestat_dir_name", fd, at, 8))
		if fd == 10 {
			continue // the engine's files cannot be sought beyond their end
		}
		add(same("fd_seek", fd, 3, 0, at), same("fd_tell", fd, at), same("fd_read", fd, vec, 2, at), same("fd_tell", fd, at),
			same("fd_seek", fd, ^uint64(1), 1, at), same("fd_seek", fd, ^uint64(0), 2, at), same("fd_read", fd, vec, 2, at),
			same("fd_seek", fd, ^uint64(0), 0, at), same("fd_seek", fd, 0, 7, at), same("fd_seek", fd, 0, 0, far),
			same("fd_tell", fd, far))
	}
	add(same("fd_seek", 5, 0, 0, at), same("fd_read", 5, vec+16, 1, at), same("fd_read", 5, vec+24, 1, at),
		same("fd_read", 5, vec, 3, at))

	// Listings: the whole, bit by bit, and with cookies that are made up.
	for _, fd := range []uint64{3, 6, 8} {
		for _, n := range []uint64{1000, 24, 25, 26, 40, 49, 50, 51, 52, 75, 80, 85, 100, 120} {
			add(same("fd_readdir", fd, buf, n, 0, at))
		}
		add(same("fd_readdir", fd, buf, 1000, 0, at))
		for cookie := range uint64(9) {
			add(same("fd_readdir", fd, buf, 1000, cookie, at), same("fd_readdir", fd, buf, 30, cookie, at))
		}
		add(same("fd_readdir", fd, buf, 1000, ^uint64(0), at), same("fd_readdir", fd, far, 1000, 0, at),
			same("fd_readdir", fd, buf, 1000, 0, far), same("fd_readdir", fd, end-30, 1000, 0, at))
	}

	// Renumbering and closing.
	add(same("fd_renumber", 99, 128), same("fd_renumber", 5, 7), same("fd_tell", 5, at), same("fd_tell", 7, at),
		same("fd_renumber", 7, 6), same("fd_tell", 6, at), same("fd_readdir", 6, buf, 100, 0, at), same("fd_close", 20),
		same("fd_close", 6), same("fd_close", 6), open(3, "id", 0, 2, 0), same("fd_close", 5))
	for fd := range uint64(10) {
		add(same("fd_close", fd), same("fd_close", fd))
		add(operations(fd)...)
	}
	// With everything closed, nothing can be opened; what was stdin is like any other.
	add(open(3, "id", 0, 2, 0), same("fd_renumber", 0, 1), same("fd_prestat_get", 3, at))
	return l
}

// operations are the calls that take a descriptor, with more and with less sense. Those of the first buffers
// at vec move the position.
func operations(fd uint64) []step {
	return []step{
		same("fd_read", fd, vec, 1, at), same("fd_read", fd, vec, 0, at), same("fd_read", fd, far, 1, at),
		same("fd_read", fd, vec, 1, far), same("fd_read", fd, vec+16, 1, at), same("fd_read", fd, vec+24, 1, at),
		same("fd_read", fd, vec+32, 1, at), same("fd_read", fd, vec, 1<<28, at), same("fd_pread", fd, vec, 2, 1, at),
		same("fd_pread", fd, vec, 0, 1, at), same("fd_pread", fd, vec, 1, ^uint64(0), at),
		same("fd_pread", fd, vec, 1, 100, at), same("fd_pread", fd, vec, 1, 1, far), same("fd_pread", fd, vec+24, 1, 1, at),
		same("fd_write", fd, vec, 2, at), same("fd_write", fd, vec, 0, at), same("fd_write", fd, vec+16, 1, at),
		same("fd_write", fd, vec+24, 1, at), same("fd_write", fd, vec+32, 1, at), same("fd_write", fd, far, 1, at),
		same("fd_write", fd, vec, 1, far), same("fd_write", fd, vec, 1<<28, at), same("fd_pwrite", fd, vec, 1, 0, at),
		same("fd_pwrite", fd, vec+16, 1, 0, at), same("fd_pwrite", fd, vec+24, 1, 0, at),
		same("fd_pwrite", fd, vec, 0, 0, at), same("fd_seek", fd, 0, 1, at), same("fd_seek", fd, 0, 0, at),
		same("fd_seek", fd, 2, 9, at), same("fd_tell", fd, at), same("fd_tell", fd, far), same("fd_sync", fd),
		same("fd_datasync", fd), same("fd_advise", fd, 0, 0, 0), same("fd_advise", fd, 0, 0, 5),
		same("fd_advise", fd, 0, 0, 6), same("fd_advise", fd, 0, 0, 256), same("fd_allocate", fd, 0, 0),
		same("fd_allocate", fd, 0, 5), same("fd_allocate", fd, 1, 100), same("fd_allocate", fd, 1<<63, 0),
		same("fd_filestat_set_size", fd, 0), same("fd_filestat_set_size", fd, 1<<40), same("fd_fdstat_set_rights", fd, 0, 0),
		same("fd_fdstat_set_flags", fd, 0), same("fd_fdstat_set_flags", fd, 1), same("fd_fdstat_set_flags", fd, 2),
		same("fd_fdstat_set_flags", fd, 4), same("fd_fdstat_set_flags", fd, 8), same("fd_fdstat_set_flags", fd, 16),
		same("fd_fdstat_set_flags", fd, 5), same("fd_filestat_set_times", fd, 0, 0, 3),
		same("fd_filestat_set_times", fd, 0, 0, 12),
	}
}

// TestDiffer makes each call of the table here and on the engine's own functions, and compares whether it succeeds,
// the whole memory and what was written.
func TestDiffer(t *testing.T) {
	p := process{args: []string{"fn", "", "two words"}, env: []string{"A", "1", "EMPTY", "", "B", "=="},
		stdin: strings.Repeat("stdin ", 20), files: folder()}
	ref, refOut := newOracle(t, p)
	var out bytes.Buffer
	g := newGuest(t, &preview1.State{
		Args: p.args, Env: []string{"A=old", "EMPTY=", "A=1", "B==="}, Files: tree(p.files),
		Stdin: strings.NewReader(p.stdin), Stdout: &out, Stderr: &out,
		Wait: func(context.Context, <-chan struct{}) error { return nil },
	})
	data, _ := paths()
	seen := map[string]bool{}
	for i, s := range steps() {
		seen[s.name] = true
		for _, m := range [][]byte{ref.memory(), g.memory()} {
			clear(m)
			copy(m[names:], data)
			copy(m[vec:], little(buf, 3, buf+100, 4, buf, 0, far, 0, far, 2))
			copy(m[buf:], "abcdefgh")
			copy(m[buf+100:], "ABCDEFGH")
			copy(m[0x8000:], strings.Repeat("n", 5000))
		}
		compare(t, fmt.Sprintf("step %d, %s(%#x)", i, s.name, s.p), s, ref, g)
		if !bytes.Equal(refOut.Bytes(), out.Bytes()) {
			t.Fatalf("step %d, %s(%#x): written %q, the engine %q", i, s.name, s.p, out.String(), refOut.String())
		}
		out.Reset()
		refOut.Reset()
	}
	for _, f := range preview1.Functions() {
		if !seen[f.Name] && f.Name != "proc_exit" && f.Name != "poll_oneoff" && !strings.HasPrefix(f.Name, "sock_") {
			t.Errorf("%s has no row", f.Name)
		}
	}
}

// compare makes one call on both sides. Which of the two error numbers is right is not asked here.
func compare(t *testing.T, about string, s step, ref, g caller) {
	t.Helper()
	want, refErr := ref.call(t, s.name, s.p...)
	got, err := g.call(t, s.name, s.p...)
	switch {
	case err != nil:
		t.Errorf("%s: got the error %v", about, err)
	case refErr != nil || (want == 0) != (got == 0):
		if !otherwise[fmt.Sprint(s.name, " ", got, " ", want)] {
			t.Errorf("%s: got %d, the engine gives %d and the error %v", about, got, want, refErr)
		}
	case got == 0:
		a, b := ref.memory(), g.memory()
		mask(s, a, b)
		if i := firstDifference(a, b); i >= 0 {
			t.Errorf("%s: memory at %#x is % x, the engine's % x", about, i, b[i:min(i+16, len(b))], a[i:min(i+16, len(a))])
		}
	}
}

// mask makes the same what the engine leaves out: devices and inodes, flags and rights, and a part of an entry.
func mask(s step, memories ...[]byte) {
	for _, m := range memories {
		switch s.name {
		case "fd_filestat_get":
			clear(m[uint32(s.p[1]):][:16])
		case "path_filestat_get":
			clear(m[uint32(s.p[4]):][:16])
		case "fd_fdstat_get":
			clear(m[uint32(s.p[1])+1:][:23])
		case "fd_readdir":
			b := m[uint32(s.p[1]):][:min(uint32(s.p[2]), u32(m[uint32(s.p[4]):]))]
			for len(b) >= 24 && len(b) >= 24+int(u32(b[16:])) {
				clear(b[8:16])
				b = b[24+u32(b[16:]):]
			}
			clear(b) // of the last entry there may be a part
		}
	}
}

// u32 reads a number.
func u32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }

// firstDifference returns where two memories differ, or -1.
func firstDifference(a, b []byte) int {
	if bytes.Equal(a, b) {
		return -1
	}
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return len(a)
}
