package wasi_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// byChance is code that does something in one of two processes.
func byChance(code string) string {
	return invoke(fnRandom, 256, 1) + i32(256) + "\x2d\x00\x00" + i32(1) + "\x71\x04\x40" + code + "\x0b"
}

// TestStartByChance runs programs of which no start tells what the next will do.
func TestStartByChance(t *testing.T) {
	argc := invoke(fnArgs, 260, 264)
	for _, c := range []struct{ name, code string }{
		{"arguments", slow() + byChance(argc)},
		{"files", slow() + byChance(opens()) + argc},
		{"descriptors", slow() + byChance(invoke(fnClose, 2)) + argc},
		{"output", slow() + byChance(strings.Repeat(transfer("\x10"+uleb(fnWrite), 2, 0, 60<<10), 2)) + argc},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 6 { // the first start is by chance too
				g := compileParked(t, guest(c.code+saysAt(260)).bytes(), runtimes.Options{Args: []string{"one"}})
				for i := range 30 {
					p := &runtimes.Process{Args: []string{"one", "two"}, Stdin: strings.NewReader("body")}
					if i%2 == 0 {
						p.Args = []string{"one"}
					}
					own := number(uint32(len(p.Args))) + "body"
					got, err := run(t, g, p)
					if err != nil || got != own && (c.name != "arguments" || got != number(0)+"body") {
						t.Fatalf("run %d (%s): got %q and the error %v, want %q", i, p.Usage.Start, got, err, own)
					}
				}
			}
		})
	}
}

// imageFiles returns how many memory files this process has open.
func imageFiles(t *testing.T) (n int) {
	t.Helper()
	links, _ := filepath.Glob("/proc/self/fd/*") // none where there is no such folder
	for _, l := range links {
		if name, err := os.Readlink(l); err == nil && strings.Contains(name, "polyvoke-image") {
			n++
		}
	}
	return n
}

// TestCallerEndsStart has Yield and Sleep do wrong what they can while a checkpoint is made. Nothing may be left of it.
func TestCallerEndsStart(t *testing.T) {
	wasi.NeedKind(t, runtimes.StartCheckpoint)
	module := guest(spins(20_000_000) + sleeps(1)).bytes()
	for _, c := range []struct {
		name  string
		yield func(context.Context) error
		sleep func(context.Context, time.Duration) error
	}{
		{"Yield panics", func(context.Context) error { panic("no") }, nil},
		{"Yield ends the goroutine", func(context.Context) error { runtime.Goexit(); return nil }, nil},
		{"Yield fails", func(context.Context) error { return os.ErrClosed }, nil},
		{"Sleep ends the goroutine", nil, func(context.Context, time.Duration) error { runtime.Goexit(); return nil }},
	} {
		before := imageFiles(t)
		r := newRuntimeOf(t, wasi.Config{StartTime: time.Minute})
		g, err := r.Compile(t.Context(), module, runtimes.Options{Start: runtimes.StartCheckpoint})
		if err != nil {
			t.Fatal(err)
		}
		err = inGoroutine(func() error {
			return g.Run(t.Context(), &runtimes.Process{Yield: c.yield, Sleep: c.sleep})
		})
		if err == nil {
			t.Errorf("%s: the run ended well", c.name)
		}
		if got, p := reply(t, g, "body"); got != "body" || p.Usage.Start != runtimes.StartCheckpoint {
			t.Errorf("%s: the next run: got %q, start kind %s", c.name, got, p.Usage.Start)
		}
		if err := r.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if n := imageFiles(t); n != before {
			t.Errorf("%s: %d memory files are left", c.name, n-before)
		}
	}
}

// TestCompileCancelled ends Compile while it tries how a process starts.
func TestCompileCancelled(t *testing.T) {
	module := guest("\x03\x40\x0c\x00\x0b").bytes()
	before := imageFiles(t)
	r := newRuntimeOf(t, wasi.Config{StartTime: time.Minute})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if g, err := r.Compile(ctx, module, runtimes.Options{}); g != nil || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v and the error %v", g, err)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if n := imageFiles(t); n != before {
		t.Errorf("%d memory files are left", n-before)
	}
}
