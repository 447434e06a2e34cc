package wasi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
	"github.com/polyvoke/polyvoke/runtimes/wasi/idle"
	"github.com/polyvoke/polyvoke/samples"
)

// parkedKinds are the start kinds whose processes wait where they read stdin.
func parkedKinds() []string {
	return wasi.Possible(runtimes.StartPrefork, runtimes.StartCheckpoint)
}

// compileParked compiles a module on a runtime that gives a start all the time that it needs.
func compileParked(t testing.TB, module []byte, o runtimes.Options) runtimes.Program {
	t.Helper()
	g, err := newRuntimeOf(t, wasi.Config{StartTime: time.Minute, Verify: 10}).Compile(t.Context(), module, o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// hammered is a guest for TestHammerParking.
type hammered struct {
	name   string
	module func() ([]byte, error)
	args   []string
	runs   int // of each of four goroutines
	right  func(body, got string) bool
}

// hammereds are in C, Go and Rust.
func hammereds() []hammered {
	return []hammered{
		{"C", func() ([]byte, error) { return runtimestest.Wasm(), nil }, []string{"fn", "echo"}, 1500,
			func(body, got string) bool { return got == body }},
		{"Go", goGuest, []string{"fn", "upper"}, 60, func(body, got string) bool { return got == strings.ToUpper(body) }},
		{"Rust", wordcount, []string{"fn"}, 300, func(body, got string) bool {
			return strings.Contains(got, fmt.Sprintf(`"words":%d,"bytes":%d,`, len(strings.Fields(body)), len(body)))
		}},
	}
}

// wordcount returns the sample in Rust.
func wordcount() ([]byte, error) {
	for _, s := range samples.All() {
		if s.Name == "wordcount" {
			return s.Wasm, nil
		}
	}
	return nil, errors.New("there is no sample called wordcount")
}

// TestHammerParking lets sandboxes go on from where they are parked in calls of other goroutines than those that
// parked them, with the collector at work, which the engine does not promise to work.
func TestHammerParking(t *testing.T) {
	for _, h := range hammereds() {
		module, err := h.module()
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range parkedKinds() {
			t.Run(h.name+"/"+kind, func(t *testing.T) {
				h.hammer(t, compileParked(t, module, runtimes.Options{Start: kind, Args: h.args}), kind)
			})
		}
	}
}

// hammer runs a program in four goroutines.
func (h hammered) hammer(t *testing.T, g runtimes.Program, kind string) {
	var parked, bad atomic.Int64
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := range h.runs {
				if i%50 == 49 {
					runtime.GC()
				}
				done := make(chan struct{})
				go func() { // each run is another goroutine's
					defer close(done)
					start, err := h.one(g, worker*h.runs+i)
					if start == kind {
						parked.Add(1)
					}
					if err != nil && bad.Add(1) < 10 {
						t.Error(err)
					}
				}()
				<-done
			}
		})
	}
	all.Wait()
	if n := parked.Load(); kind == runtimes.StartCheckpoint && n != int64(4*h.runs) || n == 0 {
		t.Errorf("%d of %d runs went on from where they were parked", n, 4*h.runs)
	}
	if wasi.Distrusted(g) {
		t.Error("a sandbox was not put back")
	}
}

// one makes the i-th run. One in 16 has a deadline that it meets or not, one in 16 a Reader that blocks.
func (h hammered) one(g runtimes.Program, i int) (start string, err error) {
	body := strings.Repeat(fmt.Sprintf("run %d. ", i), i*7919%7500)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	if i%16 == 3 {
		ctx, cancel = context.WithTimeout(context.Background(), time.Duration(i%37)*20*time.Microsecond)
	}
	defer cancel()
	var out bytes.Buffer
	p := &runtimes.Process{Args: h.args, Stdin: strings.NewReader(body), Stdout: &out}
	if i%16 == 5 {
		p.Stdin = &slowReader{strings.NewReader(body)}
	}
	err = g.Run(ctx, p)
	switch {
	case i%16 == 3 && errors.Is(err, context.DeadlineExceeded):
		return p.Usage.Start, nil
	case err != nil:
		return p.Usage.Start, fmt.Errorf("run %d (%s): %w", i, p.Usage.Start, err)
	case !h.right(body, out.String()):
		return p.Usage.Start,
			fmt.Errorf("run %d (%s): %d bytes came to %d: %.100q", i, p.Usage.Start, len(body), out.Len(), out.String())
	}
	return p.Usage.Start, nil
}

// talker writes to stdout and stderr before it reads stdin.
func talker() []byte { return guest(slow() + says(1, 3) + says(2, 4) + says(1, 7)).bytes() }

// TestOutputBeforeRead checks that what a process writes before it reads stdin is in every reply.
func TestOutputBeforeRead(t *testing.T) {
	for _, kind := range kinds() {
		g := compileParked(t, talker(), runtimes.Options{Start: kind})
		for i := range 30 {
			var out, log, both bytes.Buffer
			p := &runtimes.Process{Stdin: strings.NewReader("body"), Stdout: io.MultiWriter(&out, &both),
				Stderr: io.MultiWriter(&log, &both)}
			_, err := run(t, g, p)
			if err != nil || out.String() != "id\nid\nxyz\nbody" || log.String() != "id\nx" ||
				both.String() != "id\nid\nxid\nxyz\nbody" {
				t.Fatalf("%s %d: stdout %q, stderr %q, both %q, error %v", kind, i, out.String(), log.String(), both.String(), err)
			}
			if err := g.Run(t.Context(), &runtimes.Process{Stdin: strings.NewReader("body")}); err != nil {
				t.Fatalf("%s: without Writers: %v", kind, err)
			}
		}
	}
}

// TestOutputBeforeReadRefused checks what a Writer can do wrong when it is given what was written before.
func TestOutputBeforeReadRefused(t *testing.T) {
	full := errors.New("the disk is full")
	for _, kind := range kinds() {
		g := compileParked(t, talker(), runtimes.Options{Start: kind})
		for _, c := range []struct {
			name string
			w    io.Writer
			want error // nil: any, or none at all if the goroutine ends
		}{
			{"fails", writer(func([]byte) (int, error) { return 0, full }), full},
			{"short", writer(func(b []byte) (int, error) { return len(b) - 1, nil }), io.ErrShortWrite},
			{"cap", &runtimes.CapWriter{W: io.Discard, N: 5}, runtimes.ErrOutput},
			{"panics", writer(func([]byte) (int, error) { panic("no") }), nil},
			{"ends its goroutine", writer(func([]byte) (int, error) { runtime.Goexit(); return 0, nil }), nil},
		} {
			err := inGoroutine(func() error {
				return g.Run(t.Context(), &runtimes.Process{Stdin: strings.NewReader("body"), Stdout: c.w})
			})
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%s: %s: got the error %v, want %v", kind, c.name, err, c.want)
			}
			for range 3 {
				if got, _ := reply(t, g, "after"); got != "id\nid\nxyz\nafter" {
					t.Errorf("%s: after %s: got %q", kind, c.name, got)
				}
			}
		}
	}
}

// writer is a Writer made of a function.
type writer func([]byte) (int, error)

// Write implements io.Writer.
func (w writer) Write(b []byte) (int, error) { return w(b) }

// inGoroutine calls f in another goroutine. Its error is not nil if f ends the goroutine.
func inGoroutine(f func() error) error {
	result := make(chan error, 1)
	go func() {
		err := errors.New("the goroutine has ended")
		defer func() { result <- err }()
		err = f()
	}()
	return <-result
}

// TestOtherArguments runs processes with other arguments and another environment than those that were started before.
func TestOtherArguments(t *testing.T) {
	b, err := goGuest()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range parkedKinds() {
		g := compileParked(t, b, runtimes.Options{Start: kind, Args: []string{"fn", "upper"}, Env: []string{"A=1"}})
		for range 3 {
			for _, c := range []struct {
				args, env []string
				want      string
				parked    bool
			}{
				{[]string{"fn", "upper"}, []string{"A=1"}, "A\nB", true},
				{[]string{"fn", "upper", "x"}, []string{"A=1"}, "A\nB", false},
				{[]string{"fn", "lines"}, []string{"A=1"}, "2\n", false},
				{[]string{"fn", "upper"}, []string{"A=2"}, "A\nB", false},
				{nil, nil, "A\nB", false},
			} {
				p := &runtimes.Process{Args: c.args, Env: c.env, Stdin: strings.NewReader("a\nb")}
				got, err := run(t, g, p)
				start := p.Usage.Start
				if err != nil || got != c.want {
					t.Errorf("%s: %q %q: got %q and the error %v", kind, c.args, c.env, got, err)
				}
				if !c.parked && start != runtimes.StartFresh && start != runtimes.StartReset ||
					c.parked && kind == runtimes.StartCheckpoint && start != kind {
					t.Errorf("%s: %q %q: start kind %s", kind, c.args, c.env, start)
				}
			}
		}
	}
}

// callsItself is code that sends stdin back, and then calls itself n times. Only the first one reads: there is a
// count at 640.
func callsItself(n int) string {
	const load, store = "\x28\x02\x00", "\x36\x02\x00"
	count := i32(640) + load
	c := count + "\x45\x04\x40" + echoes() + "\x0b"
	c += i32(640) + count + i32(1) + "\x6a" + store
	return c + count + i32(n) + "\x49\x04\x40\x10" + uleb(fnExit+1) + "\x0b"
}

// TestStack checks that a parked sandbox, whose calls make its native stack grow, goes on with as large a one; and
// that it gives that up when it sheds, and goes on from where it was.
func TestStack(t *testing.T) {
	wasi.NeedKind(t, runtimes.StartCheckpoint)
	g := compileParked(t, script(callsItself(3000)).bytes(), runtimes.Options{Start: runtimes.StartCheckpoint})
	call := func(i int) {
		t.Helper()
		p := &runtimes.Process{Stdin: strings.NewReader(strings.Repeat("a", i))}
		if got, err := run(t, g, p); err != nil || got != strings.Repeat("a", i) ||
			p.Usage.Start != runtimes.StartCheckpoint {
			t.Fatalf("call %d, %s: %q and the error %v", i, p.Usage.Start, got, err)
		}
	}
	for i := range 20 {
		for range 3 {
			call(i)
		}
		grown, all := wasi.ParkedStack(g)
		if grown < 64<<10 || all < grown || all > grown+24<<10 {
			t.Fatalf("%d: %d bytes of stack after calls, %d in all", i, grown, all)
		}
		wasi.Sweep(g, time.Now().Add(idle.ShedAfter+time.Second))
		if stack, all := wasi.ParkedStack(g); stack > 12<<10 || all > 16<<10 {
			t.Fatalf("%d: %d bytes of stack when they were shed, %d in all", i, stack, all)
		}
	}
	if wasi.Distrusted(g) {
		t.Error("a sandbox was not put back")
	}
}
