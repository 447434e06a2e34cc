package wasi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/exhausted"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"golang.org/x/sys/unix"
)

// limited is the variable that says that a test runs in a process of its own, whose limits it may change.
const limited = "POLYVOKE_TEST_LIMITED"

// inChild runs a test in a process of its own, and returns true there.
func inChild(t *testing.T) bool {
	t.Helper()
	if os.Getenv(limited) != "" {
		return true
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1", "-test.v")
	cmd.Env = append(os.Environ(), limited+"=1")
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("PASS")) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// setLimit sets a limit of the process.
func setLimit(t *testing.T, which int, n uint64) {
	t.Helper()
	var l unix.Rlimit
	if err := unix.Getrlimit(which, &l); err != nil {
		t.Fatal(err)
	}
	l.Cur = min(n, l.Max)
	if err := unix.Setrlimit(which, &l); err != nil {
		t.Fatal(err)
	}
}

// addressSpace returns how many bytes of it the process has.
func addressSpace(t *testing.T) (size uint64) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(status), &size); err != nil {
		t.Fatal(err)
	}
	return size * uint64(os.Getpagesize())
}

// body is a request that comes when wake is closed. It tells when it is waited for.
type body struct {
	io.Reader
	asleep chan<- struct{}
	wake   <-chan struct{}
	once   sync.Once
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	b.once.Do(func() {
		b.asleep <- struct{}{}
		<-b.wake
	})
	return b.Reader.Read(p)
}

// waits is a process that waits for its request.
func waits(asleep chan<- struct{}, wake <-chan struct{}) *runtimes.Process {
	p := echo()
	p.Stdin = &body{Reader: p.Stdin, asleep: asleep, wake: wake}
	return p
}

// TestNoMemory has more processes at a time than there is address space for: those for which there is none say so,
// the others go on, and when some have ended there is room again.
func TestNoMemory(t *testing.T) {
	if !inChild(t) {
		return
	}
	all := Possible(runtimes.StartFresh, runtimes.StartReset, runtimes.StartPrefork, runtimes.StartCheckpoint)
	for _, kind := range all {
		r := newTestRuntime(t, Config{})
		compile := func() (runtimes.Program, error) {
			return r.Compile(t.Context(), runtimestest.Wasm(),
				runtimes.Options{Start: kind, Args: echo().Args, Memory: 256 << 20})
		}
		g, err := compile()
		if err != nil {
			t.Fatal(err)
		}
		setLimit(t, unix.RLIMIT_AS, addressSpace(t)+1200<<20)
		const n = 20
		asleep, wake, failed := make(chan struct{}, n), make(chan struct{}), make(chan error, n)
		var calls sync.WaitGroup
		for range n {
			calls.Go(func() {
				if err := g.Run(context.Background(), waits(asleep, wake)); err != nil {
					failed <- err
				}
			})
		}
		refused := 0
		for range n {
			select {
			case <-asleep:
			case err := <-failed:
				refused++
				wantExhausted(t, kind, err)
			case <-time.After(time.Minute):
				t.Fatal("a call neither runs nor is refused")
			}
		}
		if refused == 0 || refused == n {
			t.Errorf("%s: %d of %d calls found no memory", kind, refused, n)
		}
		if kind != runtimes.StartFresh { // which is not tried when it is compiled
			_, err := compile()
			wantExhausted(t, kind+", compiling", err)
		}
		close(wake)
		calls.Wait()
		again, err := compile()
		if err != nil {
			t.Errorf("%s: with memory again: %v", kind, err)
		} else if err := again.Run(context.Background(), waits(asleep, wake)); err != nil {
			t.Errorf("%s: with memory again: %v", kind, err)
		}
		setLimit(t, unix.RLIMIT_AS, unix.RLIM_INFINITY)
	}
}

// wantExhausted fails unless an error names address space.
func wantExhausted(t *testing.T, what string, err error) {
	t.Helper()
	var e *exhausted.Error
	if !errors.As(err, &e) || !strings.Contains(e.Error(), "address space") {
		t.Errorf("%s: %v, want an error that names address space", what, err)
	}
}

// TestNoDescriptors compiles and runs modules when no descriptor is left.
func TestNoDescriptors(t *testing.T) {
	if !inChild(t) {
		return
	}
	r := newTestRuntime(t, Config{})
	g := newTestProgram(t, r, runtimes.StartCheckpoint)
	setLimit(t, unix.RLIMIT_NOFILE, 64)
	var held []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		held = append(held, f)
	}
	echoes(t, g)
	var e *exhausted.Error
	_, err := r.Compile(t.Context(), runtimestest.Wasm(), runtimes.Options{Start: runtimes.StartReset})
	if !errors.As(err, &e) || !strings.Contains(e.Error(), "descriptors") {
		t.Errorf("%v, want an error that names descriptors", err)
	}
	for _, f := range held {
		f.Close()
	}
	echoes(t, newTestProgram(t, r, runtimes.StartReset))
}
