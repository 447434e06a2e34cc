package wasi_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// goGuest builds testdata/guest for wasip1, once.
var goGuest = sync.OnceValues(func() ([]byte, error) {
	out := filepath.Join(cacheDir, "guest.wasm")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, "./testdata/guest")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
	if b, err := cmd.CombinedOutput(); err != nil {
		return nil, errors.New(err.Error() + "\n" + string(b))
	}
	return os.ReadFile(out)
})

// compile compiles a module on a new runtime.
func compile(t testing.TB, module []byte, o runtimes.Options) runtimes.Program {
	t.Helper()
	g, err := newRuntime(t).Compile(t.Context(), module, o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// compileGo compiles the Go guest.
func compileGo(t *testing.T, o runtimes.Options) runtimes.Program {
	t.Helper()
	b, err := goGuest()
	if err != nil {
		t.Fatal(err)
	}
	return compile(t, b, o)
}

// run runs a process, within a minute, and returns its stdout.
func run(t testing.TB, g runtimes.Program, p *runtimes.Process) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out bytes.Buffer
	if p.Stdout == nil {
		p.Stdout = &out
	}
	err := g.Run(ctx, p)
	return out.String(), err
}

// args returns a process with arguments.
func args(a ...string) *runtimes.Process {
	return &runtimes.Process{Args: append([]string{"fn"}, a...)}
}

func TestGo(t *testing.T) {
	g := compileGo(t, runtimes.Options{})
	for range 3 { // Go's runtime would stumble over memory that is not fresh
		p := args("upper")
		p.Stdin = strings.NewReader("hello")
		if got, err := run(t, g, p); err != nil || got != "HELLO" {
			t.Fatalf("got %q and the error %v", got, err)
		}
	}
	p := args("lines")
	p.Stdin = strings.NewReader(strings.Repeat("line\n", 200_000))
	if got, err := run(t, g, p); err != nil || got != "200000\n" {
		t.Errorf("got %q and the error %v", got, err)
	}
	if p.Usage.Memory < 2<<20 {
		t.Errorf("the usage names %d bytes of memory", p.Usage.Memory)
	}
}

func TestGoRandomDiffers(t *testing.T) {
	g := compileGo(t, runtimes.Options{})
	seen := map[string]bool{}
	for range 5 {
		got, err := run(t, g, args("random"))
		if err != nil || seen[got] {
			t.Errorf("got %q (again: %t) and the error %v", got, seen[got], err)
		}
		seen[got] = true
	}
}

func TestGoPanic(t *testing.T) {
	var log bytes.Buffer
	p := args("panic")
	p.Stderr = &log
	_, err := run(t, compileGo(t, runtimes.Options{}), p)
	var exit *runtimes.ExitError
	if !errors.As(err, &exit) || exit.Code != 2 || !strings.Contains(log.String(), "assignment to entry in nil map") {
		t.Errorf("got the error %v and the log %q", err, log.String())
	}
}

func TestGoMemoryLimit(t *testing.T) {
	_, err := run(t, compileGo(t, runtimes.Options{Memory: 32 << 20}), args("hoard"))
	var exit *runtimes.ExitError
	if !errors.Is(err, runtimes.ErrMemory) || !errors.As(err, &exit) {
		t.Errorf("got the error %v", err)
	}
}

func TestGoDeadline(t *testing.T) {
	g := compileGo(t, runtimes.Options{})
	for _, mode := range []string{"sleep", "loop"} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		start := time.Now()
		if err := g.Run(ctx, args(mode)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got the error %v", mode, err)
		}
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("%s took %v", mode, took)
		}
		cancel()
	}
}

// request is a folder as the invoker makes it.
func request() fstest.MapFS {
	return fstest.MapFS{
		"id":             {Data: []byte("42")},
		"subject":        {Data: []byte("fn.hello")},
		"headers/Trace":  {Data: []byte("abc")},
		"headers/Accept": {Data: []byte("*")},
	}
}

func TestFilesGo(t *testing.T) {
	g := compileGo(t, runtimes.Options{})
	p := args("files")
	p.Files = files.FS(request())
	want := "headers/Accept=*\nheaders/Trace=abc\nid=42\nsubject=fn.hello\n"
	if got, err := run(t, g, p); err != nil || got != want {
		t.Errorf("got %q and the error %v, want %q", got, err, want)
	}
	if got, err := run(t, g, args("files")); err != nil || got != "" {
		t.Errorf("without Files: got %q and the error %v", got, err)
	}
}

func TestFilesC(t *testing.T) {
	g := compile(t, runtimestest.Wasm(), runtimes.Options{})
	for _, c := range []struct {
		mode, path, want string
		code             uint32
	}{
		{"cat", "/request/id", "42", 0},
		{"cat", "/request/headers/Trace", "abc", 0},
		{"cat", "/request/./headers/../id", "42", 0},
		{"ls", "/request", "headers\nid\nsubject\n", 0},
		{"ls", "/request/headers", "Accept\nTrace\n", 0},
		{"ls", "/request/id", "", 66},
		{"ls", "/", "dev\nrequest\n", 0},
		{"ls", "/dev/fd", "0\n1\n2\n", 0},
		{"ls", "/request/none", "", 66},
		{"cat", "/dev/null", "", 0},
		{"cat", "/dev/stdin", "from stdin", 0},
		{"cat", "/request/none", "", 66},
		{"cat", "/request/../etc/passwd", "", 66},
		{"cat", "/request/headers/../../etc/passwd", "", 66},
		{"cat", "/etc/passwd", "", 66},
		{"cat", "../../etc/passwd", "", 66},
		{"cat", "id", "", 66},
		{"cat", "/proc/self/environ", "", 66},
		{"cat", "/request", "", 74},
		{"spoil", "/request/id", "", 0},
		{"spoil", "/request/none", "", 0},
		{"spoil", "/etc/hostname", "", 0},
		{"hold", "/request/id", "63\n", 0},
	} {
		p := args(c.mode, c.path, "1000")
		p.Stdin, p.Files = strings.NewReader("from stdin"), files.FS(request())
		got, err := run(t, g, p)
		var exit *runtimes.ExitError
		if errors.As(err, &exit); got != c.want || (c.code == 0) != (err == nil) || exit != nil && exit.Code != c.code {
			t.Errorf("%s %s: got %q and the error %v, want %q and the exit status %d", c.mode, c.path, got, err, c.want, c.code)
		}
	}
}

// TestFilesAbsent checks the folder without Files: it is there, and empty.
func TestFilesAbsent(t *testing.T) {
	g := compile(t, runtimestest.Wasm(), runtimes.Options{})
	if got, err := run(t, g, args("ls", "/request")); err != nil || got != "" {
		t.Errorf("got %q and the error %v", got, err)
	}
	var exit *runtimes.ExitError
	if _, err := run(t, g, args("cat", "/request/id")); !errors.As(err, &exit) || exit.Code != 66 {
		t.Errorf("got the error %v", err)
	}
}
