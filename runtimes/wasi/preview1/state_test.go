package preview1_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/wasi/preview1"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"
)

// counted is a file system that counts what is open.
type counted struct {
	fs.FS
	open atomic.Int64
}

func (c *counted) Open(name string) (fs.File, error) {
	f, err := c.FS.Open(name)
	if err != nil {
		return nil, err
	}
	c.open.Add(1)
	if d, ok := f.(fs.ReadDirFile); ok {
		return &countedFolder{d, c}, nil
	}
	return &countedFile{f, c}, nil
}

type countedFile struct {
	fs.File
	c *counted
}

func (f *countedFile) Close() error { f.c.open.Add(-1); return f.File.Close() }

type countedFolder struct {
	fs.ReadDirFile
	c *counted
}

func (f *countedFolder) Close() error { f.c.open.Add(-1); return f.ReadDirFile.Close() }

// TestReset changes one thing at a time and checks that Changed tells, and that Reset puts it back.
func TestReset(t *testing.T) {
	open := func(t *testing.T, g *guest) {
		g.put(names, "id")
		g.must(t, 0, "path_open", 3, 0, names, 2, 0, 2, 0, 0, at)
	}
	for _, c := range []struct {
		name    string
		do      func(t *testing.T, g *guest)
		changed bool
	}{
		{"nothing", func(*testing.T, *guest) {}, false},
		{"read stdin", func(t *testing.T, g *guest) { g.must(t, 0, "fd_read", 0, vec, 1, at) }, false},
		{"refused", func(t *testing.T, g *guest) {
			g.must(t, 8, "fd_renumber", 0, 9)
			g.must(t, 8, "fd_renumber", 9, 1)
			g.must(t, 8, "fd_close", 5)
			g.must(t, 28, "fd_fdstat_set_flags", 0, 2)
		}, false},
		{"close stdin",
			func(t *testing.T, g *guest) { g.must(t, 0, "fd_close", 0); g.must(t, 8, "fd_read", 0, vec, 1, at) }, true},
		{"close the folder", func(t *testing.T, g *guest) { g.must(t, 0, "fd_close", 3) }, true},
		{"list the folder", func(t *testing.T, g *guest) { g.must(t, 0, "fd_readdir", 3, buf, 30, 0, at) }, false},
		{"open a file", open, true},
		{"open and close", func(t *testing.T, g *guest) { open(t, g); g.must(t, 0, "fd_close", 5) }, false},
		{"set a flag of stdin", func(t *testing.T, g *guest) { g.must(t, 0, "fd_fdstat_set_flags", 0, 4) }, false},
		{"set a flag of a folder", func(t *testing.T, g *guest) { g.must(t, 0, "fd_fdstat_set_flags", 3, 4) }, true},
		{"open in place of stdin", func(t *testing.T, g *guest) { g.must(t, 0, "fd_close", 0); open(t, g) }, true},
		{"renumber", func(t *testing.T, g *guest) {
			open(t, g)
			open(t, g)
			g.must(t, 8, "fd_renumber", 5, 127)
			g.must(t, 8, "fd_renumber", 5, 128)
			g.must(t, 0, "fd_renumber", 5, 5)
			g.must(t, 0, "fd_renumber", 5, 6)
			g.must(t, 8, "fd_fdstat_get", 5, at)
			g.must(t, 0, "fd_renumber", 0, 6)
			g.must(t, 0, "fd_renumber", 6, 3)
			g.must(t, 0, "fd_read", 3, vec, 1, at)
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := &counted{FS: folder()}
			s := &preview1.State{Stdin: strings.NewReader("first"), Files: tree(files)}
			g := newGuest(t, s)
			g.put(vec, little(buf, 100))
			c.do(t, g)
			if s.Changed() != c.changed {
				t.Errorf("changed: %t", s.Changed())
			}
			s.Finish()
			s.Reset()
			if n := files.open.Load(); n != 0 {
				t.Errorf("%d files are open", n)
			}
			s.Stdin, s.Files = strings.NewReader("second"), tree(files)
			g.ctx = s.Begin(t.Context())
			checkInitial(t, g)
		})
	}
}

// checkInitial checks that the descriptors are those of a new run. Stdin is "second".
func checkInitial(t testing.TB, g *guest) {
	t.Helper()
	if g.state.Changed() || g.state.Err() != nil {
		t.Errorf("changed: %t, error: %v", g.state.Changed(), g.state.Err())
	}
	open := 5 + uint64(len(g.state.Mounts))
	for fd := range open {
		g.must(t, 0, "fd_fdstat_get", fd, at)
		if g.memory()[at+2] != 0 {
			t.Errorf("descriptor %d has flags", fd)
		}
	}
	for fd, want := range map[uint64]byte{0: 1, 1: 1, 2: 1, 3: 3, 4: 3} {
		g.must(t, 0, "fd_fdstat_get", fd, at)
		if got := g.memory()[at]; got != want {
			t.Errorf("descriptor %d is of type %d, want %d", fd, got, want)
		}
	}
	for fd := open; fd < 130; fd++ {
		g.must(t, 8, "fd_fdstat_get", fd, at)
	}
	g.put(vec, little(buf, 100))
	g.must(t, 0, "fd_read", 0, vec, 1, at)
	if got := string(g.memory()[buf : buf+6]); got != "second" {
		t.Errorf("read %q", got)
	}
}

// TestOpenFiles opens files up to the limit.
func TestOpenFiles(t *testing.T) {
	files := &counted{FS: folder()}
	g := newGuest(t, &preview1.State{Files: tree(files)})
	g.put(names, "id")
	for range 63 { // five are open from the start
		g.must(t, 0, "path_open", 3, 0, names, 2, 0, 2, 0, 0, at)
	}
	g.must(t, 33, "path_open", 3, 0, names, 2, 0, 2, 0, 0, at)
	g.must(t, 0, "fd_close", 10)
	g.must(t, 0, "path_open", 3, 0, names, 2, 0, 2, 0, 0, at)
	if got, n := g.memory()[at], files.open.Load(); got != 10 || n != 63 {
		t.Errorf("got descriptor %d with %d open files", got, n)
	}
}

// TestNoFiles looks at a folder that is not there.
func TestNoFiles(t *testing.T) {
	g := newGuest(t, &preview1.State{})
	g.put(names, "id.")
	g.must(t, 44, "path_open", 3, 0, names, 2, 0, 2, 0, 0, at)
	g.must(t, 44, "path_filestat_get", 3, 0, names, 2, at)
	g.must(t, 0, "path_filestat_get", 3, 0, names+2, 1, at)
	g.must(t, 0, "path_open", 3, 0, names+2, 1, 2, 2, 0, 0, at)
	for _, fd := range []uint64{3, 5} {
		g.must(t, 0, "fd_filestat_get", fd, at)
		g.must(t, 0, "fd_readdir", fd, buf, 1000, 0, at)
		if got := g.memory()[at]; got != 51 {
			t.Errorf("%d bytes of entries", got)
		}
	}
	g.must(t, 0, "fd_close", 5)
}

// TestNoSockets calls what there is for sockets.
func TestNoSockets(t *testing.T) {
	g := newGuest(t, &preview1.State{})
	for fd, want := range map[uint64]uint64{0: 57, 3: 57, 4: 57, 5: 8, math.MaxUint32: 8} {
		g.must(t, want, "sock_accept", fd, 0, at)
		g.must(t, want, "sock_recv", fd, vec, 1, 0, at, at)
		g.must(t, want, "sock_send", fd, vec, 1, 0, at)
		g.must(t, want, "sock_shutdown", fd, 3)
	}
}

// TestExit checks that an exit leaves the instance usable.
func TestExit(t *testing.T) {
	g := newGuest(t, &preview1.State{})
	for _, code := range []uint64{0, 3, math.MaxUint32} {
		_, err := g.call(t, "proc_exit", garbage|code)
		var exit *sys.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != uint32(code) || g.state.Err() != nil {
			t.Errorf("got the error %v because of %v", err, g.state.Err())
		}
	}
}

// TestClocks checks that the clocks run, and that they can be replaced.
func TestClocks(t *testing.T) {
	g := newGuest(t, &preview1.State{})
	for clock, least := range []uint64{1_700_000_000_000_000_000, 1} {
		last := least
		for range 3 {
			g.must(t, 0, "clock_time_get", uint64(clock), 0, at)
			now := uint64(0)
			for i := range 8 {
				now |= uint64(g.memory()[at+i]) << (8 * i)
			}
			if now < last {
				t.Errorf("clock %d: %d after %d", clock, now, last)
			}
			last = now
		}
	}
}

// TestEntropy checks that bytes differ, and where they can come from.
func TestEntropy(t *testing.T) {
	g := newGuest(t, &preview1.State{})
	g.must(t, 0, "random_get", 0, 100_000)
	first := bytes.Clone(g.memory()[:100_000])
	g.must(t, 0, "random_get", 0, 100_000)
	if bytes.Equal(first, g.memory()[:100_000]) || bytes.Equal(first[99_900:], make([]byte, 100)) {
		t.Error("the same again")
	}
	g = newGuest(t, &preview1.State{Entropy: strings.NewReader("chosen by fair dice roll")})
	g.must(t, 0, "random_get", at, 6)
	if got := string(g.memory()[at : at+6]); got != "chosen" {
		t.Errorf("got %q", got)
	}
	if _, err := g.call(t, "random_get", at, 100); err == nil || g.state.Err() != io.EOF {
		t.Errorf("got the error %v because of %v", err, g.state.Err())
	}
}

// TestBeforeRead checks that the first call that asks for stdin is told, and can be made again.
func TestBeforeRead(t *testing.T) {
	for _, c := range []struct {
		name string
		p    []uint64
		asks bool
	}{
		{"fd_read", []uint64{0, vec, 1, at}, true},
		{"fd_read", []uint64{garbage, vec, 0, at}, true}, // nothing to read into
		{"fd_read", []uint64{3, vec, 1, at}, false},
		{"poll_oneoff", []uint64{subs, events, 2, at}, true},
		{"poll_oneoff", []uint64{subs, events, 1, at}, false},
		{"poll_oneoff", []uint64{far, events, 1, at}, false},
	} {
		told := 0
		s := &preview1.State{Stdin: strings.NewReader("hello")}
		s.BeforeRead = func(ctx context.Context, mod api.Module, call api.GoModuleFunc, p []uint64) {
			told++
			again := append([]uint64{}, p...)
			if call(ctx, mod, again); again[0] != 0 {
				t.Errorf("%s%v: called for its sake: got %d", c.name, c.p, again[0])
			}
		}
		g := newGuest(t, s)
		g.put(vec, little(buf, 2))
		g.put(subs, clock(1, 1, 0, 0)+ready(2, 1, 0))
		for range 2 {
			if _, err := g.call(t, c.name, c.p...); err != nil {
				t.Errorf("%s%v: got the error %v", c.name, c.p, err)
			}
		}
		if (told == 1) != c.asks {
			t.Errorf("%s%v: told %d times", c.name, c.p, told)
		}
	}
}

// TestSeen checks that what a run looks at is noted, and nothing else.
func TestSeen(t *testing.T) {
	for _, c := range []struct {
		name string
		p    []uint64
		want preview1.Seen
	}{
		{"clock_time_get", []uint64{1, 0, at}, preview1.Seen{Clock: true}},
		{"clock_res_get", []uint64{1, at}, preview1.Seen{}},
		{"poll_oneoff", []uint64{subs, events, 1, at}, preview1.Seen{}},
		{"poll_oneoff", []uint64{subs + 48, events, 1, at}, preview1.Seen{Clock: true}},
		{"random_get", []uint64{at, 1}, preview1.Seen{Entropy: true}},
		{"args_get", []uint64{at, buf}, preview1.Seen{Args: true}},
		{"args_sizes_get", []uint64{at, at2}, preview1.Seen{Args: true}},
		{"environ_get", []uint64{at, buf}, preview1.Seen{Env: true}},
		{"environ_sizes_get", []uint64{at, at2}, preview1.Seen{Env: true}},
		{"fd_prestat_get", []uint64{3, at}, preview1.Seen{}},
		{"fd_fdstat_get", []uint64{3, buf}, preview1.Seen{}},
		{"fd_filestat_get", []uint64{0, buf}, preview1.Seen{}},
		{"fd_filestat_get", []uint64{3, buf}, preview1.Seen{}}, // it is the same whatever the request
		{"path_filestat_get", []uint64{4, 0, names + 2, 10, buf}, preview1.Seen{Files: true}},
		{"path_filestat_get", []uint64{4, 0, names + 2, 7, buf}, preview1.Seen{}},
		{"fd_readdir", []uint64{4, buf, 100, 0, at}, preview1.Seen{}},
		{"path_open", []uint64{4, 0, names + 13, 10, 0, 2, 0, 0, at}, preview1.Seen{}}, // /dev/random
		{"fd_readdir", []uint64{3, buf, 100, 0, at}, preview1.Seen{Files: true}},
		{"path_filestat_get", []uint64{3, 0, names, 2, buf}, preview1.Seen{Files: true}},
		{"path_open", []uint64{3, 0, names, 2, 0, 2, 0, 0, at}, preview1.Seen{Files: true}},
	} {
		g := newGuest(t, &preview1.State{Files: tree(folder())})
		g.put(names, "idrequest/id.dev/random")
		g.put(subs, clock(1, 1, 0, 0))
		g.put(subs+48, clock(1, 1, 1, 1))
		g.must(t, 0, c.name, c.p...)
		if got := g.state.Seen(); got != c.want {
			t.Errorf("%s%v: saw %+v, want %+v", c.name, c.p, got, c.want)
		}
		g.state.Begin(t.Context())
		if got := g.state.Seen(); got != (preview1.Seen{}) {
			t.Errorf("%s: the next run has seen %+v", c.name, got)
		}
	}
}

// TestResume checks that a run that goes on is not told of its first read again.
func TestResume(t *testing.T) {
	told := 0
	g := newGuest(t, &preview1.State{BeforeRead: func(context.Context, api.Module, api.GoModuleFunc, []uint64) { told++ }})
	g.must(t, 0, "fd_read", 0, vec, 1, at)
	g.state.Reset()
	g.state.Stdin = strings.NewReader("hello")
	g.put(vec, little(buf, 5))
	g.ctx = g.state.Resume(t.Context())
	g.must(t, 0, "fd_read", 0, vec, 1, at)
	if got := string(g.memory()[buf : buf+5]); got != "hello" || told != 1 {
		t.Errorf("got %q, told %d times", got, told)
	}
}

// TestResumeFlags checks that what a start has set of the flags of stdio stays set for each run that goes on from
// there, whatever these change, and for no other.
func TestResumeFlags(t *testing.T) {
	g := newGuest(t, &preview1.State{})
	check := func(want ...byte) {
		t.Helper()
		for fd, f := range want {
			g.must(t, 0, "fd_fdstat_get", uint64(fd), at)
			if got := g.memory()[at+2]; got != f {
				t.Errorf("descriptor %d has the flags %d, want %d", fd, got, f)
			}
		}
	}
	g.must(t, 0, "fd_fdstat_set_flags", 0, 4)
	g.must(t, 0, "fd_fdstat_set_flags", 2, 1)
	for range 2 {
		g.state.Reset()
		g.ctx = g.state.Resume(t.Context())
		check(4, 0, 1)
		g.must(t, 0, "fd_fdstat_set_flags", 0, 0)
		g.must(t, 0, "fd_fdstat_set_flags", 1, 4)
		g.must(t, 0, "fd_renumber", 1, 2)
	}
	g.state.Reset()
	g.ctx = g.state.Begin(t.Context())
	check(0, 0, 0)
}

// TestValue finds the State behind a context that was derived from its own, and other values where they are looked for.
func TestValue(t *testing.T) {
	type key string
	s := &preview1.State{Args: []string{"a"}, Values: context.WithValue(t.Context(), key("values"), "values")}
	g := newGuest(t, s)
	ctx := context.WithValue(t.Context(), key("run"), "run")
	derived, cancel := context.WithCancel(s.Begin(ctx))
	defer cancel()
	f := g.mod.ExportedFunction("args_sizes_get")
	if got, err := f.Call(derived, at, at2); err != nil || got[0] != 0 || g.memory()[at] != 1 {
		t.Errorf("got %v and the error %v", got, err)
	}
	if derived.Value(key("values")) != "values" || derived.Value(key("run")) != nil {
		t.Error("wrong values with Values")
	}
	s.Values = nil
	if derived.Value(key("values")) != nil || derived.Value(key("run")) != "run" {
		t.Error("wrong values without Values")
	}
}

// TestNoAllocations checks that a run costs nothing.
func TestNoAllocations(t *testing.T) {
	s := &preview1.State{}
	env, in := []string{"A=1", "B=2"}, strings.NewReader("")
	n := testing.AllocsPerRun(100, func() {
		s.Env, s.Stdin, s.Stdout = env, in, io.Discard
		s.Begin(t.Context())
		s.Reset()
	})
	if n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestDifferences makes the calls that the engine's functions answer in another way and that have no test of their own.
func TestDifferences(t *testing.T) {
	g := newGuest(t, &preview1.State{Files: tree(folder())})
	for fd, name := range []string{"fd_read", "fd_write"} {
		g.must(t, 21, name, uint64(fd), vec, 1<<29, at) // 4 GiB of list
		g.must(t, 21, name, uint64(fd), vec, math.MaxUint32, at)
	}
	for fd := range uint64(3) {
		g.must(t, 8, "fd_filestat_set_times", fd, 0, 0, 0)
	}
	g.must(t, 0, "fd_readdir", 3, buf, 1000, 0, at)
	g.must(t, 0, "fd_readdir", 3, buf, 1000, 5, at)
	g.must(t, 0, "fd_readdir", 3, buf, 1000, 1, at) // back again
	if got := string(g.memory()[buf+24 : buf+26]); got != ".." {
		t.Errorf("entry 1 is %q", got)
	}
}

// TestContextEnds checks that long lists of nothing, entropy and waiting see the context.
func TestContextEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		p    []uint64
	}{
		{"fd_write", []uint64{1, vec, 10_000, at}},
		{"fd_read", []uint64{0, vec, 10_000, at}},
		{"random_get", []uint64{0, 100_000}},
		{"sched_yield", nil},
		{"poll_oneoff", []uint64{vec, vec, 2000, at}}, // clocks, all of them at once
	} {
		s := &preview1.State{}
		g := newGuest(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		g.ctx = s.Begin(ctx)
		cancel()
		if _, err := g.call(t, c.name, c.p...); err == nil || s.Err() != context.Canceled {
			t.Errorf("%s: got the error %v because of %v", c.name, err, s.Err())
		}
	}
}
