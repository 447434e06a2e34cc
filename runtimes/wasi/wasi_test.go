package wasi_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// TestRefused compiles what cannot run.
func TestRefused(t *testing.T) {
	r := newRuntime(t)
	probe := string(runtimestest.Wasm())
	for _, c := range []struct{ name, module, want string }{
		{"empty", "", "empty"},
		{"not wasm", "hello", "text"},
		{"truncated", probe[:1000], "section"},
		{"component", "\x00asm\x0d\x00\x01\x00", "component"},
		{"unknown import",
			strings.Replace(probe, "wasi_snapshot_preview1", "wasi_snapshot_preview9", 1), `"wasi_snapshot_preview9"`},
		{"no entry", strings.Replace(probe, "\x06_start", "\x06_other", 1), "_start"},
		{"wrong body", string(assembly{code: "\x6a"}.bytes()), "not valid"},
		{"bomb", "\x00asm\x01\x00\x00\x00\x02\x05\xff\xff\xff\xff\x0f", "4294967295 imports"},
		{"too much memory", string(assembly{pages: 10_000}.bytes()), "640000 KiB"},
		{"data beyond the memory",
			string(assembly{data: "\x00" + i32(1<<20) + "\x0b\x01x"}.bytes()), "outside of the memory"},
		{"all the memory there is", string(assembly{pages: 65_536}.bytes()), "4194304 KiB"},
	} {
		_, err := r.Compile(t.Context(), []byte(c.module), runtimes.Options{})
		var e *runtimes.ModuleError
		if !errors.As(err, &e) || !strings.Contains(e.Reason, c.want) {
			t.Errorf("%s: got the error %v, want one that says %q", c.name, err, c.want)
		}
	}
}

// TestOptions checks limits against those of the runtime.
func TestOptions(t *testing.T) {
	r, err := wasi.New(t.Context(), wasi.Config{MaxMemory: 4 << 20, CacheDir: cacheDir})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(t.Context())
	var e *runtimes.ModuleError
	if _, err := r.Compile(t.Context(), runtimestest.Wasm(), runtimes.Options{Memory: 5 << 20}); !errors.As(err, &e) ||
		!strings.Contains(e.Reason, "5 MiB") {
		t.Errorf("above the limit of the runtime: got the error %v", err)
	}
	g, err := r.Compile(t.Context(), runtimestest.Wasm(), runtimes.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, g, args("grow", "8")); !errors.Is(err, runtimes.ErrMemory) {
		t.Errorf("got the error %v", err)
	}
}

func TestConfig(t *testing.T) {
	open := t.TempDir()
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := map[string]wasi.Config{"MaxMemory": {MaxMemory: 1 << 32}, "CacheDir": {CacheDir: filepath.Join(file, "x")}}
	wrong["CacheDir is empty"] = wasi.Config{Compiler: absent}
	wrong["the command of Compiler"] = wasi.Config{Compiler: []string{}, CacheDir: file}
	wrong["CompileTimeout"] = wasi.Config{Compiler: absent, CacheDir: file, CompileTimeout: -1}
	wrong["IdleMemory"] = wasi.Config{IdleMemory: -1}
	wrong["StartTime"] = wasi.Config{StartTime: -1}
	wrong["MaxModule"] = wasi.Config{MaxModule: -1}
	wrong["Verify"] = wasi.Config{Verify: -1}
	wrong["CompileMemory"] = wasi.Config{Compiler: absent, CacheDir: file, CompileMemory: 1 << 20}
	if runtime.GOOS != "windows" {
		wrong["CacheDir: "+open] = wasi.Config{CacheDir: open}
	}
	for field, c := range wrong {
		if r, err := wasi.New(t.Context(), c); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%+v: got %v and the error %v", c, r, err)
		}
	}
}

// TestCache compiles into a folder, which is private, and from it.
func TestCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	for range 2 {
		r, err := wasi.New(t.Context(), wasi.Config{CacheDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		g, err := r.Compile(t.Context(), runtimestest.Wasm(), runtimes.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := run(t, g, args("hush")); got != "ok" || err != nil {
			t.Errorf("got %q and the error %v", got, err)
		}
		if err := r.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o700 && runtime.GOOS != "windows" {
		t.Errorf("the folder has the mode %o", mode)
	}
}

func TestTraps(t *testing.T) {
	for _, c := range []struct {
		name   string
		module assembly
		reason string
	}{
		{"unreachable", assembly{code: "\x00"}, "unreachable"},
		{"division by zero", assembly{code: i32(1) + i32(0) + "\x6d\x1a"}, "integer divide by zero"},
		{"load beyond the memory", assembly{code: i32(-1) + "\x28\x02\x00\x1a"}, "out of bounds memory access"},
		{"endless recursion", assembly{code: "\x10\x00"}, "stack overflow"},
		{"start function", assembly{start: true, code: "\x00"}, "unreachable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := compile(t, c.module.bytes(), runtimes.Options{})
			for range 2 {
				_, err := run(t, g, args())
				var e *runtimes.TrapError
				if !errors.As(err, &e) || !strings.Contains(e.Reason, c.reason) || strings.Contains(e.Reason+e.Stack, "goroutine") {
					t.Errorf("got the error %v, want a trap because of %q", err, c.reason)
				}
			}
		})
	}
}

func TestTrapStack(t *testing.T) {
	_, err := run(t, compile(t, assembly{code: "\x00"}.bytes(), runtimes.Options{}), args())
	var e *runtimes.TrapError
	if !errors.As(err, &e) || e.Reason != "unreachable" || e.Stack != ".$2()" { // functions 0 and 1 are the host's
		t.Errorf("got %+v", e)
	}
	named := append(assembly{code: "\x00"}.bytes(),
		section(0, text("name")+section(1, "\x01\x00"+text("main.go:crash")))...)
	_, err = run(t, compile(t, named, runtimes.Options{}), args())
	if !errors.As(err, &e) || !strings.Contains(e.Stack, "main.go:crash") {
		t.Errorf("got %+v, which does not name the function", e)
	}
}

// TestExitCodes exits with codes that only WASI has, among them the two that the engine uses itself.
func TestExitCodes(t *testing.T) {
	for _, code := range []uint32{256, 1 << 31, 0xefffffff, 0xffffffff} {
		g := compile(t, assembly{imports: []string{"proc_exit"}, code: i32(int(int32(code))) + "\x10\x00"}.bytes(),
			runtimes.Options{})
		_, err := run(t, g, args())
		var e *runtimes.ExitError
		if !errors.As(err, &e) || e.Code != code || errors.Is(err, context.Canceled) ||
			errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("exit with %#x: got the error %v", code, err)
		}
	}
}

// TestStartFunctionLoops checks that a deadline holds before the entry is called, too.
func TestStartFunctionLoops(t *testing.T) {
	g := compile(t, assembly{start: true, code: "\x03\x40\x0c\x00\x0b"}.bytes(), runtimes.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := g.Run(ctx, args()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got the error %v", err)
	}
}

// TestManyVectors writes a million times 8 MiB with one call, into a cap.
func TestManyVectors(t *testing.T) {
	const vectors = 1_000_000
	fill := "\x03\x40" + // loop: store the pair 0, 8 MiB at local 0, and step on
		"\x20\x00" + i32(0) + "\x36\x02\x00" + "\x20\x00" + i32(8<<20) + "\x36\x02\x04" +
		"\x20\x00" + i32(8) + "\x6a\x22\x00" + i32(8*vectors) + "\x49\x0d\x00" + "\x0b"
	write := i32(1) + i32(0) + i32(vectors) + i32(8*vectors) + "\x10\x00\x1a"
	g := compile(t, assembly{imports: []string{"fd_write"}, pages: 200, code: fill + write}.bytes(), runtimes.Options{})
	p := args()
	p.Stdout = &runtimes.CapWriter{W: io.Discard, N: 100 << 20}
	if _, err := run(t, g, p); !errors.Is(err, runtimes.ErrOutput) {
		t.Errorf("got the error %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	p.Stdout = slowWriter{}
	if err := g.Run(ctx, p); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("into a writer without a cap: got the error %v", err)
	}
}

// slowWriter looks at what it discards.
type slowWriter struct{}

func (slowWriter) Write(b []byte) (int, error) { return bytes.Count(b, []byte{1})*0 + len(b), nil }

// TestNoSockets calls the functions for sockets, which exist and always fail.
func TestNoSockets(t *testing.T) {
	accept := i32(3) + i32(0) + i32(0) + "\x10\x01" + "\x45" // is the error number 0?
	down := i32(1) + i32(0) + "\x10\x02" + "\x45"
	g := compile(t,
		assembly{imports: []string{"proc_exit", "sock_accept", "sock_shutdown"},
			code: accept + down + "\x6a\x10\x00"}.bytes(), runtimes.Options{})
	if _, err := run(t, g, args()); err != nil {
		t.Errorf("%v calls for sockets worked", err)
	}
}

// TestSleep checks that waiting is left to the caller.
func TestSleep(t *testing.T) {
	g := compile(t, runtimestest.Wasm(), runtimes.Options{})
	p := args("sleep", "3600000")
	waits := 0
	p.Wait = func(_ context.Context, done <-chan struct{}) error {
		select {
		case <-done:
			t.Error("an hour has passed")
		default:
			waits++ // and is believed to have passed
		}
		return nil
	}
	if out, err := run(t, g, p); out != "awake" || err != nil || waits != 1 {
		t.Errorf("got %q and the error %v after %d waits", out, err, waits)
	}
	tired := errors.New("tired")
	p.Wait = func(context.Context, <-chan struct{}) error { return tired }
	if out, err := run(t, g, p); !errors.Is(err, tired) || out != "" {
		t.Errorf("got %q and the error %v", out, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	p.Wait = func(context.Context, <-chan struct{}) error { cancel(); return nil }
	if err := g.Run(ctx, p); !errors.Is(err, context.Canceled) {
		t.Errorf("after its context has ended: got the error %v", err)
	}
}

// TestYield checks that a process gives way after each slice, whether it asks for it or not, and that
// it ends if it may not go on.
func TestYield(t *testing.T) {
	enough := errors.New("enough")
	for name, code := range map[string]assembly{
		"sched_yield": {imports: []string{"sched_yield"}, code: "\x03\x40\x10\x00\x1a\x0c\x00\x0b"},
		"loop":        {code: "\x03\x40\x0c\x00\x0b"},
	} {
		g := compile(t, code.bytes(), runtimes.Options{})
		calls := 0
		p := args()
		p.Yield = func(context.Context) error {
			if calls++; calls == 3 {
				return enough
			}
			return nil
		}
		if _, err := run(t, g, p); err != enough || calls != 3 {
			t.Errorf("%s: %d calls, error %v", name, calls, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		if err := g.Run(ctx, args()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s without anybody to say it to: error %v", name, err)
		}
		cancel()
	}
}

// TestFuel checks that the same work takes the same fuel, and more work more.
func TestFuel(t *testing.T) {
	g := compile(t, runtimestest.Wasm(), runtimes.Options{})
	fuel := func(n string) uint64 {
		p := args("drip", n)
		if _, err := run(t, g, p); err != nil {
			t.Fatal(err)
		}
		return p.Usage.Fuel
	}
	one, again, more := fuel("1000"), fuel("1000"), fuel("2000")
	if one == 0 || one != again || more < one+1000 {
		t.Errorf("fuel %d and %d for the same, %d for twice as much", one, again, more)
	}
}

// TestExceptionsBoundTheStack recurses, and then opens one try_table in another: the engine copies the stack for
// each. With a large limit of the stack that ends as early as with 2 MiB.
func TestExceptionsBoundTheStack(t *testing.T) {
	load := "\x28\x02\x00"
	count := i32(0) + i32(0) + load + i32(1) + "\x6a\x36\x02\x00"
	down := "\x00" + count + i32(0) + load + i32(16_000) + "\x49\x04\x40\x10\x00\x05\x10\x01\x0b\x0b"
	try := "\x00\x02\x69\x1f\x40\x01\x03\x00\x10\x01\x0b\x00\x0b\x1a\x0b"
	references := section(4, "\x01\x69\x00\x01") // in a table: they are left to the engine
	b := "\x00asm\x01\x00\x00\x00" + section(1, "\x01\x60\x00\x00") + section(3, "\x02\x00\x00") + references + section(5, "\x01\x00\x01") +
		section(7, "\x02"+text("_start")+"\x00\x00"+text("memory")+"\x02\x00") +
		section(10, "\x02"+uleb(len(down))+down+uleb(len(try))+try)
	var fuel []uint64
	for _, stack := range []uint64{2 << 20, 0, 32 << 20} {
		p := args()
		var trap *runtimes.TrapError
		if _, err := run(t, compile(t, []byte(b), runtimes.Options{Stack: stack}), p); !errors.As(err, &trap) ||
			trap.Reason != "stack overflow" {
			t.Errorf("%d: got the error %v", stack, err)
		}
		fuel = append(fuel, p.Usage.Fuel)
	}
	if fuel[0] == 0 || fuel[1] != fuel[0] || fuel[2] != fuel[0] {
		t.Errorf("fuel %d", fuel)
	}
}

// TestNoArguments checks that argv can be empty, which os/exec cannot do.
func TestNoArguments(t *testing.T) {
	g := compile(t, runtimestest.Wasm(), runtimes.Options{})
	p := &runtimes.Process{Env: []string{"PROBE=args"}}
	if got, err := run(t, g, p); got != "" || err != nil {
		t.Errorf("got %q and the error %v", got, err)
	}
}

func TestWrongEnv(t *testing.T) {
	g := compile(t, runtimestest.Wasm(), runtimes.Options{})
	for _, e := range []string{"", "NAME", "=value"} {
		p := args("hush")
		p.Env = []string{e}
		if got, err := run(t, g, p); err == nil || got != "" {
			t.Errorf("%q: got %q and no error", e, got)
		}
	}
}

// callback is a Reader and a Writer.
type callback func() (int, error)

func (f callback) Read([]byte) (int, error)  { return f() }
func (f callback) Write([]byte) (int, error) { return f() }

// TestHostMisbehaves gives a run Readers and Writers that panic, or end their goroutine, or do
// nothing. The run ends, and the next is right.
func TestHostMisbehaves(t *testing.T) {
	g := compile(t, runtimestest.Wasm(), runtimes.Options{})
	for name, f := range map[string]callback{
		"panic":        func() (int, error) { panic("out of paper") },
		"nil":          func() (int, error) { var p *int; return *p, nil },
		"Goexit":       func() (int, error) { runtime.Goexit(); return 0, nil },
		"no progress":  func() (int, error) { return 0, nil },
		"short or not": func() (int, error) { return 0, io.ErrShortWrite },
	} {
		for _, p := range []*runtimes.Process{
			{Args: []string{"fn", "drip", "10"}, Stdout: f},
			{Args: []string{"fn", "echo"}, Stdin: f, Stdout: io.Discard},
		} {
			var err error
			done := make(chan struct{})
			go func() { // Goexit may end it
				defer close(done)
				err = errors.New("the goroutine ended")
				_, err = run(t, g, p)
			}()
			<-done
			if err == nil {
				t.Errorf("%s: %q ended well", name, p.Args)
			}
			next := args("echo")
			next.Stdin = strings.NewReader("next")
			if got, err := run(t, g, next); got != "next" || err != nil {
				t.Errorf("after %s: got %q and the error %v", name, got, err)
			}
		}
	}
}
