package wasi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/deadline"
	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/files/filestest"
)

// scratchModule returns testdata/scratch/scratch.wasm.
func scratchModule(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "scratch", "scratch.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// withTmp are options for processes that do something in a /tmp of their own.
func withTmp(do string, o runtimes.Options) runtimes.Options {
	o.Args = scratch(do, "", nil).Args
	o.Mounts = append(o.Mounts, runtimes.Mount{Path: "/tmp"})
	return o
}

// scratch returns a process that does something in its /tmp.
func scratch(do, body string, tmp files.Tree) *runtimes.Process {
	p := args(do, "/tmp")
	p.Stdin = strings.NewReader(body)
	if tmp != nil {
		p.Mounts = []runtimes.Mount{{Path: "/tmp", Tree: tmp}}
	}
	return p
}

// startKinds are all start kinds that can be asked for.
func startKinds() []string {
	return append([]string{runtimes.StartFresh, runtimes.StartReset}, parkedKinds()...)
}

// boxed is a tree that is not Inline.
type boxed struct{ files.Tree }

// TestScratch has programs in C and in Go write files, here and on the machine itself: both say the same.
func TestScratch(t *testing.T) {
	goModule, err := goGuest()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, mode string
		module     []byte
		native     func(t *testing.T) *exec.Cmd
	}{
		{"C", "all", scratchModule(t), func(t *testing.T) *exec.Cmd {
			cc, err := exec.LookPath("cc")
			if err != nil {
				t.Skip("no C compiler")
			}
			program := filepath.Join(t.TempDir(), "scratch")
			source := filepath.Join("testdata", "scratch", "scratch.c")
			if out, err := exec.Command(cc, "-o", program, source).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			return exec.Command(program, "all")
		}},
		{"Go", "scratch",
			goModule, func(*testing.T) *exec.Cmd { return exec.Command("go", "run", "./testdata/guest", "scratch") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if goruntime.GOOS != "linux" {
				t.Skip("the oracle is Linux")
			}
			native := c.native(t)
			native.Args = append(native.Args, t.TempDir())
			native.Stdin = strings.NewReader("body")
			want, err := native.CombinedOutput()
			if err != nil {
				t.Fatalf("natively: %v\n%s", err, want)
			}
			for _, kind := range startKinds() {
				g := compileParked(t, c.module, withTmp(c.mode, runtimes.Options{Start: kind}))
				for i, tree := range []files.Tree{
					files.NewMemory(1 << 20), boxed{files.NewMemory(1 << 20)}, files.NewMemory(1 << 20),
				} {
					var log bytes.Buffer
					p := scratch(c.mode, "body", tree)
					p.Stderr = &log
					got, err := run(t, g, p)
					if err != nil || got != string(want) {
						t.Errorf("%s, tree %d: the error %v, %s and\n%s\nnatively\n%s", kind, i, err, log.String(), got, want)
					}
				}
			}
		})
	}
}

// TestScratchRefused has a program write where it cannot: where nothing is mounted, in a folder that is empty, and in
// trees that can only be read.
func TestScratchRefused(t *testing.T) {
	g := compile(t, scratchModule(t), withTmp("one", runtimes.Options{Start: runtimes.StartReset}))
	static := files.Static(files.Map{"a": []byte("file")})
	for name, tree := range map[string]files.Tree{"none": nil, "static": static, "in between": boxed{static}} {
		got, err := run(t, g, scratch("all", "", tree))
		if err != nil || !strings.Contains(got, "open: EROFS\n") || !strings.Contains(got, "mkdir: EROFS\n") {
			t.Errorf("%s: the error %v and\n%s", name, err, got)
		}
	}
	p := scratch("over", "", files.NewMemory(1<<20))
	p.Args = append(p.Args, "/request/a")
	if got, err := run(t, g, p); err != nil || got != "rename over: EXDEV\n" {
		t.Errorf("out of another tree: %v, %q", err, got)
	}
	full := files.NewMemory(1 << 20)
	if got, err := run(t, g, scratch("fill", "", full)); err != nil || got != "fill: ENOSPC\n" || full.Room() > 1<<16 {
		t.Errorf("%v, %q, and there is room for %d", err, got, full.Room())
	}
	p = scratch("over", "", full)
	p.Args = append(p.Args, "/request/id")
	p.Files = files.NewMemory(1 << 20)
	if got, err := run(t, g, p); err != nil || got != "rename over: EXDEV\n" {
		t.Errorf("from one tree to another: %v, %q", err, got)
	}
}

// TestMountsOfProcesses refuses trees that have no place.
func TestMountsOfProcesses(t *testing.T) {
	tree := files.NewMemory(1 << 20)
	g := compile(t, scratchModule(t),
		withTmp("one", runtimes.Options{Mounts: []runtimes.Mount{{Path: "/fixed", Tree: tree}}}))
	for want, mounts := range map[string][]runtimes.Mount{
		`"/other", which is no mount`:   {{Path: "/other", Tree: tree}},
		`"/fixed", where its program`:   {{Path: "/fixed", Tree: tree}},
		`has two trees at "/tmp"`:       {{Path: "/tmp", Tree: tree}, {Path: "/tmp", Tree: tree}},
		`"/tmp/", which is no mount of`: {{Path: "/tmp/", Tree: tree}},
	} {
		p := scratch("all", "", nil)
		p.Mounts = mounts
		if _, err := run(t, g, p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: the error is %v", mounts, err)
		}
	}
}

// operations are those of a tree and of its files, as filestest.Block names them.
var operations = []string{"open", "stat", "readdir", "mkdir", "remove", "rename", "settime", "read", "write",
	"truncate", "sync", "fstat", "close"}

// TestFilesBlock ends processes at their deadline that wait for an operation that does not end, whether it knows of its
// context or not, and checks that they need no processor meanwhile.
func TestFilesBlock(t *testing.T) {
	for _, kind := range startKinds() {
		g := compileParked(t, scratchModule(t), withTmp("one", runtimes.Options{Start: kind}))
		process := func() *runtimes.Process { return scratch("one", "", files.NewMemory(1<<20)) }
		if _, err := settled(t, g, process); err != nil {
			t.Fatal(err)
		}
		for _, op := range operations {
			for _, deaf := range []bool{false, true} {
				about := fmt.Sprintf("%s, %s, deaf %t", kind, op, deaf)
				blocks(t, g, about, func() *filestest.Blocking {
					return filestest.Block(t, files.NewMemory(1<<20), op, deaf)
				})
			}
		}
		if got, err := run(t, g, scratch("one", "", files.NewMemory(1<<20))); err != nil || got != "d lists b\n" {
			t.Errorf("%s, afterwards: %q, %v", kind, got, err)
		}
	}
}

// blocks runs a process that comes to an operation that blocks, and gives it more time on a machine so busy that it
// does not come there.
func blocks(t *testing.T, g runtimes.Program, about string, newTree func() *filestest.Blocking) {
	t.Helper()
	for patience := 30 * time.Millisecond; ; patience *= 4 {
		tree := newTree()
		waits, late, err := waitsFor(t, g, tree, patience)
		if len(tree.Entered()) == 0 && patience < 10*time.Second {
			continue
		}
		checkBlocked(t, about, tree, waits, late, err)
		return
	}
}

// waitsFor runs a process for some time, and returns how often it waits, and how late it ends after that.
func waitsFor(t *testing.T, g runtimes.Program, tree *filestest.Blocking, patience time.Duration,
) (waits int, late time.Duration, err error) {
	ctx := deadline.New(t.Context(), time.Now().Add(patience))
	defer ctx.Cancel()
	p, ends := scratch("one", "", tree), time.Time{}
	p.Wait = func(ctx context.Context, done <-chan struct{}) error {
		waits++
		err := deadline.Await(ctx, done)
		ends = time.Now()
		return err
	}
	err = g.Run(ctx, p)
	return waits, time.Since(ends), err
}

// checkBlocked checks how a process has ended that has come to an operation that blocks.
func checkBlocked(t *testing.T, about string, tree *filestest.Blocking, waits int, late time.Duration, err error) {
	t.Helper()
	if !errors.Is(err, context.DeadlineExceeded) || waits == 0 || len(tree.Entered()) == 0 {
		t.Errorf("%s: the error %v after %d waits and %d operations that block", about, err, waits, len(tree.Entered()))
	}
	if late > 5*time.Second { // which is for machines that are busy
		t.Errorf("%s: %v passed when there was nothing to wait for any more", about, late)
	}
}

// TestFilesWaitRefused ends processes whose Wait fails while they wait for a file, in either kind of tree.
func TestFilesWaitRefused(t *testing.T) {
	tired := errors.New("tired")
	g := compile(t, scratchModule(t), withTmp("one", runtimes.Options{Start: runtimes.StartReset}))
	for name, tree := range map[string]files.Tree{
		"apart":  filestest.Block(t, files.NewMemory(1<<20), "write", false),
		"inline": waiting{files.NewMemory(1 << 20), nil},
	} {
		p := scratch("one", "", tree)
		n := 0
		p.Wait = func(ctx context.Context, done <-chan struct{}) error {
			if n++; n > 3 {
				return tired
			}
			return deadline.Await(ctx, done)
		}
		if _, err := run(t, g, p); !errors.Is(err, tired) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

// waiting is an Inline tree that waits before it opens and describes, until a channel is closed; nil: one that is.
type waiting struct {
	*files.Memory
	until chan struct{}
}

func (w waiting) wait(ctx context.Context) error {
	until := w.until
	if until == nil {
		until = make(chan struct{})
		close(until)
	}
	return files.Wait(ctx, until)
}

func (w waiting) Open(ctx context.Context, name string, how files.Flags) (files.File, error) {
	if err := w.wait(ctx); err != nil {
		return nil, err
	}
	return w.Memory.Open(ctx, name, how)
}

func (w waiting) Stat(ctx context.Context, name string) (files.Info, error) {
	if err := w.wait(ctx); err != nil {
		return files.Info{}, err
	}
	return w.Memory.Stat(ctx, name)
}

// TestFilesWaitInline has an Inline tree wait: by Process.Wait, until the deadline, and for a time of its own.
func TestFilesWaitInline(t *testing.T) {
	g := compile(t, scratchModule(t), withTmp("one", runtimes.Options{Start: runtimes.StartReset}))
	waits := 0
	p := scratch("one", "", waiting{files.NewMemory(1 << 20), nil})
	p.Wait = func(ctx context.Context, done <-chan struct{}) error { waits++; return deadline.Await(ctx, done) }
	if got, err := run(t, g, p); err != nil || got != "d lists b\n" || waits < 4 {
		t.Errorf("%q, %v after %d waits", got, err, waits)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	endless := waiting{files.NewMemory(1 << 20), make(chan struct{})}
	if err := g.Run(ctx, scratch("one", "", endless)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("until its deadline: %v", err)
	}
}

// TestFilesPanic has operations panic and end their goroutine.
func TestFilesPanic(t *testing.T) {
	g := compile(t, scratchModule(t), withTmp("one", runtimes.Options{Start: runtimes.StartReset}))
	for name, f := range map[string]func(){"panic": func() { panic("disk on fire") }, "goexit": goruntime.Goexit} {
		if _, err := run(t, g, scratch("one", "", strange{files.NewMemory(1 << 20), f})); err == nil {
			t.Errorf("%s: the process has ended well", name)
		}
		if got, err := run(t, g, scratch("one", "", files.NewMemory(1<<20))); err != nil || got != "d lists b\n" {
			t.Errorf("after %s: %q, %v", name, got, err)
		}
	}
}

// strange is a tree that goes wrong when something is opened.
type strange struct {
	files.Tree
	open func()
}

func (s strange) Open(context.Context, string, files.Flags) (files.File, error) {
	s.open()
	return nil, io.ErrUnexpectedEOF
}

// TestNothingLeftInFiles runs one process after another that leaves files, some of them open, and ends in some way.
// None finds anything of another, and no file stays open.
func TestNothingLeftInFiles(t *testing.T) {
	const room = 1 << 20
	for _, kind := range startKinds() {
		g := compileParked(t, scratchModule(t), withTmp("leave", runtimes.Options{Start: kind}))
		for i := range 40 {
			body := []string{"return", "exit", "trap"}[i%3] + fmt.Sprint(" secret", i)
			memory := files.NewMemory(room)
			var tree files.Tree = memory
			if i%2 == 1 {
				tree = boxed{memory}
			}
			got, err := run(t, g, scratch("leave", body, tree))
			fd := 5 // behind stdio, /request and /tmp comes /
			if want := fmt.Sprintf(". lists\nleft: ok\nopen %d, %d bytes\n", fd+1, len(body)); got != want ||
				(err == nil) != strings.HasPrefix(body, "return") {
				t.Fatalf("%s, %s: got %q and the error %v, want %q", kind, body, got, err, want)
			}
			for _, name := range []string{"left", "open", "folder"} {
				if err := memory.Remove(t.Context(), name); err != nil {
					t.Errorf("%s, %s: %v", kind, body, err)
				}
			}
			if memory.Room() != room {
				t.Errorf("%s, %s: a file is still open", kind, body)
			}
		}
	}
}

// TestNotParkedOverFiles checks that a program that looks into a tree of its own before it reads stdin is not parked
// there: what it has seen may be a secret of one request.
func TestNotParkedOverFiles(t *testing.T) {
	for name, c := range map[string]struct {
		code   string
		parked bool
	}{
		"looks into /tmp":                     {slow() + opensAt(4, 515, 3), false},
		"looks into it from the topmost":      {slow() + opensAt(5, 520, 7), false},
		"looks into it when it has read":      {slow() + invoke(fnRead, 0, 0, 0, 8) + opensAt(4, 515, 3), true},
		"looks for what is in no tree at all": {slow() + opensAt(5, 515, 3), true},
	} {
		module := guest(c.code)
		module.data = "\x00" + i32(512) + "\x0b" + text("id\nxyz\n\x00tmp/xyz")
		g := compileParked(t, module.bytes(), withTmp("", runtimes.Options{}))
		s := g.Start()
		if parked := s.Kind == runtimes.StartPrefork || s.Kind == runtimes.StartCheckpoint; parked != c.parked {
			t.Errorf("one that %s: %s, %s", name, s.Kind, s.Reason)
		}
	}
}
