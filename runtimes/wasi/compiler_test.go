package wasi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// absent is a compiler that cannot be started: what comes out of a runtime with it was there before.
var absent = []string{"/nowhere/polyvoke"}

// self returns the command that makes this binary a compiler.
func self(t testing.TB) []string {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{exe, compileModule}
}

// shell returns a compiler that is a script. Its arguments are from $0 on those of a child.
func shell(script string) []string { return []string{"/bin/sh", "-c", script} }

// compileWith compiles a module on a new runtime and runs the result, which must end well.
func compileWith(t testing.TB, c wasi.Config, module []byte) error {
	t.Helper()
	r, err := wasi.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(t.Context())
	g, err := r.Compile(t.Context(), module, runtimes.Options{})
	if err != nil {
		return err
	}
	_, err = run(t, g, args("hush"))
	return errors.Join(err, g.Close(t.Context()))
}

// reason returns why a module was refused, or "" if that is not what the error says.
func reason(err error) string {
	var m *runtimes.ModuleError
	if errors.As(err, &m) {
		return m.Reason
	}
	return ""
}

// started reports whether an error says that the absent compiler was asked for.
func started(err error) bool {
	return err != nil && reason(err) == "" && strings.Contains(err.Error(), "start the compiler")
}

// entries returns what a folder of the cache has.
func entries(t testing.TB, dir, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// checkGone checks that no child and no folder of one is left.
func checkGone(t testing.TB, dir string) {
	t.Helper()
	if left := entries(t, dir, "compiling-*"); len(left) > 0 {
		t.Errorf("%s are left", left)
	}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, s := range stats {
		b, err := os.ReadFile(s) // pid (name) state parent ...
		_, rest, _ := strings.Cut(string(b), ") ")
		fields := strings.Fields(rest)
		if err == nil && len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) {
			t.Errorf("there still is the process %.80s", b)
		}
	}
}

// TestCompiler compiles in a child, and then has no need of one.
func TestCompiler(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	c := wasi.Config{CacheDir: dir, Compiler: self(t)}
	for range 2 {
		if err := compileWith(t, c, runtimestest.Wasm()); err != nil {
			t.Fatal(err)
		}
		c.Compiler = absent
	}
	checkGone(t, dir)
	invalid := assembly{code: "\x6a"}.bytes()
	c.Compiler = self(t)
	if err := compileWith(t, c, invalid); !strings.Contains(reason(err), "not valid") {
		t.Errorf("a module that is not valid: got the error %v", err)
	}
	c.Compiler = absent
	if err := compileWith(t, c, invalid); !started(err) {
		t.Errorf("a module that is not valid is in quarantine: %v", err)
	}
}

// TestBombs compiles bombs, each with a module beside it that is well.
func TestBombs(t *testing.T) {
	dir := t.TempDir()
	for i, c := range []struct {
		name    string
		module  []byte
		timeout time.Duration
		memory  uint64
		want    string
	}{
		{"2500 loops, 100 locals", manyLoops(2500, 100), 27 * time.Second, 0, "of processor time"},
		{"60 br_tables of 900 targets", manyTables(60, 900), 2 * time.Second, 0, "of processor time"},
		{"300 ifs, 1000 locals", manyIfs(300, 1000), time.Minute, 128 << 20,
			"more than 128 MiB of memory, which is the limit"},
		{"800 ifs, 1000 locals", manyIfs(800, 1000), 5 * time.Minute, 0, "serve --compile-memory 2048MiB"},
		{"3000 loops, 300 locals", manyLoops(3000, 300), 2 * time.Minute, 64 << 20, "more than 64 MiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := wasi.Config{CacheDir: dir, Compiler: self(t), CompileTimeout: c.timeout, CompileMemory: c.memory}
			var beside sync.WaitGroup
			beside.Go(func() {
				good := assembly{imports: []string{"proc_exit"}, code: i32(i) + "\x1a" + i32(0) + "\x10\x00"}.bytes()
				if err := compileWith(t, wasi.Config{CacheDir: dir, Compiler: self(t)}, good); err != nil {
					t.Errorf("a module beside it: %v", err)
				}
			})
			err := compileWith(t, config, c.module)
			beside.Wait()
			if !strings.Contains(reason(err), c.want) {
				t.Fatalf("got the error %v, want a refusal because of %q", err, c.want)
			}
			checkGone(t, dir)
			config.Compiler = absent
			if again := compileWith(t, config, c.module); reason(again) != reason(err) {
				t.Errorf("again: got the error %v, want %v", again, err)
			}
			config.CompileTimeout *= 2
			if err := compileWith(t, config, c.module); !started(err) {
				t.Errorf("with twice the time: got the error %v", err)
			}
		})
	}
}

// TestDearBombs refuses at once what would take far longer than it may.
func TestDearBombs(t *testing.T) {
	dir := t.TempDir()
	for name, module := range map[string][]byte{
		"10,000 loops, 1000 locals": manyLoops(10_000, 1000),
		"50,000 loops, 4 locals":    manyLoops(50_000, 4),
	} {
		err := compileWith(t, wasi.Config{CacheDir: dir, Compiler: absent}, module)
		if !strings.Contains(reason(err), "of processor time") {
			t.Errorf("%s: got the error %v", name, err)
		}
	}
}

// TestBombsBeside compiles a wave of bombs, and good modules beside them: all of these are compiled before the bombs
// are through.
func TestBombsBeside(t *testing.T) {
	r, err := wasi.New(t.Context(), wasi.Config{CacheDir: t.TempDir(), Compiler: self(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var bombs sync.WaitGroup
	var through atomic.Int64
	for i := range 20 {
		bombs.Go(func() {
			_, err := r.Compile(ctx, manyLoops(3000+i, 300), runtimes.Options{})
			if ctx.Err() == nil && reason(err) == "" {
				t.Errorf("a bomb: %v", err)
			}
			through.Add(1)
		})
	}
	for i := range 5 {
		start := time.Now()
		p, err := r.Compile(t.Context(), assembly{code: i32(i) + "\x1a"}.bytes(), runtimes.Options{})
		if err != nil {
			t.Fatal(err)
		}
		p.Close(t.Context())
		t.Logf("good module %d took %v; %d bombs are through", i, time.Since(start), through.Load())
	}
	if through.Load() == 20 {
		t.Error("the good modules came last")
	}
	cancel()
	bombs.Wait()
}

// TestSlowDown has children that turn out not to be quick: they are compiled all the same, one at a time.
func TestSlowDown(t *testing.T) {
	dir := t.TempDir()
	slow := append(shell(`echo compiling >&2; echo taking long >&2; exec "$0" "$@" 2>/dev/null`), self(t)...)
	var all sync.WaitGroup
	r, err := wasi.New(t.Context(), wasi.Config{CacheDir: dir, Compiler: slow})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(t.Context())
	for i := range 6 {
		all.Go(func() {
			if _, err := r.Compile(t.Context(), assembly{code: i32(i) + "\x1a"}.bytes(), runtimes.Options{}); err != nil {
				t.Errorf("module %d: %v", i, err)
			}
		})
	}
	all.Wait()
	checkGone(t, dir)
}

// TestDeepBlocks compiles what is refused before it is compiled, or by the compiler's limits.
func TestDeepBlocks(t *testing.T) {
	dir := t.TempDir()
	err := compileWith(t, wasi.Config{CacheDir: dir, Compiler: self(t), CompileTimeout: 50 * time.Millisecond},
		deepBlocks(10_000))
	if reason(err) == "" {
		t.Errorf("got the error %v", err)
	}
	checkGone(t, dir)
}

// TestCompilerEnds has compilers that end in all the ways there are.
func TestCompilerEnds(t *testing.T) {
	for _, c := range []struct {
		name     string
		compiler []string
		want     string
		lethal   bool
	}{
		{"absent", absent, "start the compiler", false},
		{"fails to start", shell("echo no library >&2; exit 127"), "no library", false},
		{"killed before it starts", shell("kill -KILL $$"), "start the compiler", false},
		{"nothing to show", shell("echo compiling >&2"), "same binary", false},
		{"out of disk", shell("echo compiling >&2; echo disk full >&2; exit 71"), "disk full", false},
		{"stopped", shell("echo compiling >&2; exit 75"), "compiler", false},
		{"terminated", shell("echo compiling >&2; kill -TERM $$"), "terminated", false},
		{"interrupted", shell("echo compiling >&2; kill -INT $$"), "interrupt", false},
		{"killed", shell("echo compiling >&2; kill -KILL $$"), "the machine may be out of memory", false},
		{"out of time", shell("echo compiling >&2; exit 73"), "of processor time", true},
		{"taking long",
			shell("echo compiling >&2; echo taking long >&2; echo really long >&2; exit 65"), "really long", true},
		{"crashed", shell("printf 'compiling\nfatal error: oops\n\ngoroutine 1 [running]:\n' >&2; exit 2"),
			"(exit status 2: fatal error: oops)", true},
		{"out of memory",
			shell("printf 'compiling\nfatal error: runtime: out of memory\n' >&2; exit 2"), "more than 1024 MiB", true},
		{"out of threads",
			shell("printf 'compiling\nruntime: failed to create new OS thread (have 5 already; errno=11)\n" +
				"fatal error: newosproc\n' >&2; exit 2"), "pids.max", false},
		{"out of memory for threads",
			shell("printf 'compiling\nruntime: failed to create new OS thread (have 5 already; errno=12)\n' >&2; exit 2"),
			"more than 1024 MiB", true},
		{"out of memory for code", shell("echo compiling >&2; exit 72"), "more than 1024 MiB", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			err := compileWith(t, wasi.Config{CacheDir: dir, Compiler: c.compiler}, runtimestest.Wasm())
			if err == nil || !strings.Contains(err.Error(), c.want) || (reason(err) != "") != c.lethal {
				t.Errorf("got the error %v, want one that says %q", err, c.want)
			}
			if n := len(entries(t, dir, "quarantine/*")); (n == 1) != (c.lethal && c.name != "taking long") {
				t.Errorf("there are %d modules in quarantine", n)
			}
			checkGone(t, dir)
		})
	}
}

// TestCompilerCancelled ends the context of a compilation.
func TestCompilerCancelled(t *testing.T) {
	dir := t.TempDir()
	r, err := wasi.New(t.Context(), wasi.Config{CacheDir: dir, Compiler: self(t), CompileTimeout: 10 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(t.Context())
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var all sync.WaitGroup
	for range 2 { // one compiles, one waits for it
		all.Go(func() {
			_, err := r.Compile(ctx, manyLoops(10_000, 1000), runtimes.Options{})
			if !errors.Is(err, context.DeadlineExceeded) || reason(err) != "" {
				t.Errorf("got the error %v", err)
			}
		})
	}
	all.Wait()
	checkGone(t, dir)
	if n := len(entries(t, dir, "quarantine/*")); n > 0 {
		t.Errorf("there are %d modules in quarantine", n)
	}
}

// TestCompilerClosed closes a runtime that compiles.
func TestCompilerClosed(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := exec.Command("mkfifo", fifo).Run(); err != nil {
		t.Fatal(err)
	}
	r, err := wasi.New(t.Context(),
		wasi.Config{CacheDir: dir, Compiler: shell("echo compiling >&2; echo >'" + fifo + "'; exec sleep 60")})
	if err != nil {
		t.Fatal(err)
	}
	compiled := make(chan error, 1)
	go func() {
		_, err := r.Compile(t.Context(), runtimestest.Wasm(), runtimes.Options{})
		compiled <- err
	}()
	if _, err := os.ReadFile(fifo); err != nil { // returns when the child runs
		t.Error(err)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
	checkGone(t, dir)
	if err := <-compiled; err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("got the error %v", err)
	}
}

// TestCompilerHeals damages what the cache has. It is compiled again, and not in this process.
func TestCompilerHeals(t *testing.T) {
	dir := t.TempDir()
	module := assembly{code: i32(7) + "\x1a"}.bytes()
	c := wasi.Config{CacheDir: dir, Compiler: self(t)}
	if err := compileWith(t, c, module); err != nil {
		t.Fatal(err)
	}
	code, record := entries(t, dir, "wazero-*/*"), entries(t, dir, "compiled/*")
	if len(code) != 1 || len(record) != 1 {
		t.Fatalf("the cache has %q and %q", code, record)
	}
	change := func(path string, f func(b []byte) []byte) func() error {
		return func() error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, f(b), 0o600)
		}
	}
	for name, damage := range map[string]func() error{
		"code gone":           func() error { return os.Remove(code[0]) },
		"code empty":          change(code[0], func([]byte) []byte { return nil }),
		"code cut":            change(code[0], func(b []byte) []byte { return b[:len(b)/2] }),
		"code of other size":  change(code[0], func(b []byte) []byte { return append(b, 0) }),
		"number of functions": change(code[0], func(b []byte) []byte { b[17] = 0xff; return b }),
		"code changed":        change(code[0], func(b []byte) []byte { b[len(b)/2]++; return b }),
		"record gone":         func() error { return os.Remove(record[0]) },
		"record empty":        change(record[0], func([]byte) []byte { return nil }),
		"code for another processor": func() error {
			return errors.Join(os.Rename(code[0], code[0]+"0"),
				change(record[0], func(b []byte) []byte { return []byte(strings.Replace(string(b), `","size`, `0","size`, 1)) })())
		},
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		c.Compiler = absent
		if err := compileWith(t, c, module); !started(err) {
			t.Errorf("%s: got the error %v", name, err)
		}
		c.Compiler = self(t)
		if err := compileWith(t, c, module); err != nil {
			t.Errorf("%s: got the error %v", name, err)
		}
		c.Compiler = absent
		if err := compileWith(t, c, module); err != nil {
			t.Errorf("%s: after it was healed: got the error %v", name, err)
		}
	}
}

// TestCacheDamaged flips bits and cuts files of the cache at random. Each time the log names the file, and the module
// runs, compiled again if need be; one that was refused is tried again.
func TestCacheDamaged(t *testing.T) {
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(5, 7))
	good, bomb := assembly{code: i32(7) + "\x1a"}.bytes(), manyLoops(10_000, 1000)
	var log bytes.Buffer
	c := wasi.Config{CacheDir: dir, Compiler: self(t), Log: slog.New(slog.NewTextHandler(&log, nil))}
	if err := errors.Join(compileWith(t, c, good)); err != nil {
		t.Fatal(err)
	}
	if err := compileWith(t, c, bomb); reason(err) == "" {
		t.Fatalf("the bomb: %v", err)
	}
	for round := range 30 {
		files := slices.Concat(entries(t, dir, "wazero-*/*"), entries(t, dir, "compiled/*"), entries(t, dir, "quarantine/*"))
		file := files[round%len(files)]
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if at := random.IntN(len(b)); random.IntN(2) == 0 {
			b[at] ^= 1 << random.IntN(8)
		} else {
			b = b[:at]
		}
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		log.Reset()
		if err := compileWith(t, c, good); err != nil {
			t.Errorf("%s is damaged: %v", file, err)
		}
		if err := compileWith(t, c, bomb); !strings.Contains(reason(err), "of processor time") {
			t.Errorf("%s is damaged: the bomb: %v", file, err)
		}
		if !strings.Contains(log.String(), file) {
			t.Errorf("%s is damaged, and the log says %s", file, &log)
		}
	}
}

// TestHammerCompiler compiles a few modules from many goroutines: each once.
func TestHammerCompiler(t *testing.T) {
	dir := t.TempDir()
	count := filepath.Join(t.TempDir(), "count")
	compiler := append(shell(`echo >>'`+count+`'; exec "$0" "$@"`), self(t)...)
	r, err := wasi.New(t.Context(), wasi.Config{CacheDir: dir, Compiler: compiler, CompileTimeout: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(t.Context())
	const goroutines, modules = 8, 4
	var all sync.WaitGroup
	for i := range goroutines {
		all.Go(func() {
			for j := range 5 * modules {
				want := uint32((i+j)%modules + 1)
				g, err := r.Compile(t.Context(),
					assembly{imports: []string{"proc_exit"}, code: i32(int(want)) + "\x10\x00"}.bytes(), runtimes.Options{})
				if err != nil {
					t.Error(err)
					return
				}
				var exit *runtimes.ExitError
				if _, err := run(t, g, args()); !errors.As(err, &exit) || exit.Code != want {
					t.Errorf("got the error %v, want exit status %d", err, want)
				}
				if err := g.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	b, err := os.ReadFile(count)
	if err != nil || len(b) != modules {
		t.Errorf("%d children, error %v", len(b), err)
	}
	checkGone(t, dir)
}

// TestCompileChild calls it with arguments that are none.
func TestCompileChild(t *testing.T) {
	for _, a := range [][]string{
		nil, {"a", "1"}, {"a", "-1", "1s", "1s"}, {"a", "1", "soon", "1s"}, {"a", "1", "1s", "soon"},
	} {
		var log strings.Builder
		if got := wasi.CompileChild(t.Context(), a, strings.NewReader(""), &log); got != 64 || log.Len() == 0 {
			t.Errorf("%q: exit code %d, %q", a, got, log.String())
		}
	}
}

// BenchmarkCompile compares compiling here, by a child, and loading what has been compiled in a new process.
func BenchmarkCompile(b *testing.B) {
	guest, err := goGuest()
	if err != nil {
		b.Fatal(err)
	}
	for name, module := range map[string][]byte{"c": runtimestest.Wasm(), "go": guest} {
		for _, how := range []string{"here", "child", "warm"} {
			b.Run(fmt.Sprintf("%s/%s", name, how), func(b *testing.B) {
				dir := b.TempDir()
				config := func(dir string) wasi.Config {
					c := wasi.Config{CacheDir: dir, Compiler: self(b)}
					if how == "here" {
						c.Compiler = nil
					}
					return c
				}
				if err := compileWith(b, config(dir), module); err != nil {
					b.Fatal(err)
				}
				for i := 0; b.Loop(); i++ {
					b.StopTimer()
					d := dir
					if how != "warm" {
						d = filepath.Join(dir, strconv.Itoa(i))
					}
					r, err := wasi.New(b.Context(), config(d))
					if err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
					if _, err := r.Compile(b.Context(), module, runtimes.Options{}); err != nil {
						b.Fatal(err)
					}
					b.StopTimer()
					r.Close(b.Context())
					b.StartTimer()
				}
			})
		}
	}
}

// TestHammerOneModule loads a module that was compiled before from many goroutines: each program works.
func TestHammerOneModule(t *testing.T) {
	r := newRuntime(t)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for range 200 {
				g, err := r.Compile(t.Context(), runtimestest.Wasm(), runtimes.Options{})
				if err == nil {
					err = errors.Join(g.Run(t.Context(), args("hush")), g.Close(t.Context()))
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}
