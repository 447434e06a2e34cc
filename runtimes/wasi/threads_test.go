package wasi_test

import (
	"context"
	_ "embed"
	"errors"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes"
)

// threaded is a module as linkers make it for threads: it imports a shared memory and thread-spawn, and puts its data
// there in a start function that only the first thread runs, by an atomic exchange. Its reply begins with what its
// data are; its code goes on from there, with what it has read at 1024, and leaves what to reply behind the data at
// 2052.
func threaded(code string) []byte {
	types := "\x04\x60\x00\x00" + "\x60\x01\x7f\x01\x7f" + "\x60\x04\x7f\x7f\x7f\x7f\x01\x7f" + "\x60\x01\x7f\x00"
	imports := "\x04" + text("env") + text("memory") + "\x02\x03\x01\x02" +
		text("wasi") + text("thread-spawn") + "\x00\x01" +
		text("wasi_snapshot_preview1") + text("fd_read") + "\x00\x02" +
		text("wasi_snapshot_preview1") + text("fd_write") + "\x00\x02"
	exchange := i32(2044) + i32(0) + i32(1) + "\xfe\x48\x02\x00"
	start := "\x00" + exchange + "\x04\x40\x05" + i32(2048) + i32(0) + i32(4) + "\xfc\x08\x00\x00" +
		i32(2044) + i32(2) + "\xfe\x17\x02\x00" + i32(2044) + i32(-1) + "\xfe\x00\x02\x00\x1a\x0b\xfc\x09\x00\x0b"
	entry := "\x01\x02\x7f" + transfer("\x10\x01", 0, 1024, 4) + code + transfer("\x10\x02", 1, 2048, 8) + "\x0b"
	return []byte("\x00asm\x01\x00\x00\x00" + section(1, types) + section(2, imports) + section(3, "\x02\x00\x00") +
		section(7, "\x02"+text("_start")+"\x00\x04"+text("memory")+"\x02\x00") + section(8, "\x03") + section(12, "\x01") +
		section(10, "\x02"+text(start)+text(entry)) + section(11, "\x01\x01"+text("data")))
}

// put is code that puts the low byte of what another piece leaves at an address.
func put(at int, code string) string { return i32(at) + code + "\x3a\x00\x00" }

// wait32 is memory.atomic.wait32 at 1024 for a value, and a time-out in nanoseconds.
func wait32(value, timeout int) string {
	return i32(1024) + i32(value) + "\x42" + sleb(timeout) + "\xfe\x01\x02\x00"
}

// TestThreads runs programs that were built for threads, several times in each way to start them.
func TestThreads(t *testing.T) {
	for _, c := range []struct{ name, code, want string }{
		{"no thread can be started", put(2052, "\x41\x07\x10\x00"), "data\xfa\x00\x00\x00"},
		{"nobody is woken", put(2052, i32(1024)+i32(-1)+"\xfe\x00\x02\x00"), "data\x00\x00\x00\x00"},
		{"the value is another", put(2052, wait32(1, -1)), "data\x01\x00\x00\x00"},
		{"a time is waited for", put(2052, wait32('a', 1_000_000)), "data\x02\x00\x00\x00"},
		{"no time is waited for", put(2052, wait32('a', 0)), "data\x02\x00\x00\x00"},
		{"a sum", "\x41\x80\x08\x41\x05\xfe\x1e\x02\x00\x1a" + put(2052, "\x41\x80\x08\xfe\x10\x02\x00"),
			"dataf\x00\x00\x00"},
		{"the address with the offset", put(2052, i32(1020)+"\xfe\x10\x02\x04\xfe\x03\x00"), "dataa\x00\x00\x00"},
		{"an address that goes around", put(2052, i32(-4)+"\xfe\x10\x02\x84\x08"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := compile(t, threaded(c.code), runtimes.Options{})
			for range 3 {
				got, err := run(t, g, &runtimes.Process{Stdin: strings.NewReader("a\x00\x00\x00")})
				if c.want == "" {
					if got != "" || err == nil || !strings.Contains(err.Error(), "out of bounds") {
						t.Errorf("got %q and the error %v", got, err)
					}
				} else if err != nil || got != c.want {
					t.Errorf("got %q and the error %v, want %q", got, err, c.want)
				}
			}
		})
	}
}

// TestUnaligned checks that an atomic access traps where it is not aligned, though a plain one would not.
func TestUnaligned(t *testing.T) {
	for _, code := range []string{
		i32(1022) + "\xfe\x10\x02\x00",
		i32(1024) + "\xfe\x10\x02\x01",
		i32(1025) + "\xfe\x13\x01\x00",
		i32(1028) + "\xfe\x11\x03\x00",
	} {
		_, err := run(t, compile(t, threaded(code+"\x1a"), runtimes.Options{}), &runtimes.Process{})
		var trap *runtimes.TrapError
		if !errors.As(err, &trap) || !strings.Contains(trap.Reason, "out of bounds") {
			t.Errorf("%x: got the error %v", code, err)
		}
	}
}

// TestWaitForEver checks that a process that waits to be notified sleeps as others do, and ends at its deadline.
func TestWaitForEver(t *testing.T) {
	g := compile(t, threaded(put(2052, wait32('a', -1))), runtimes.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	waited := false
	wait := func(ctx context.Context, done <-chan struct{}) error {
		waited = waited || done == nil // which is never closed
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}
	err := g.Run(ctx, &runtimes.Process{Stdin: strings.NewReader("a\x00\x00\x00"), Wait: wait})
	if !waited || !errors.Is(err, context.Canceled) {
		t.Errorf("waited: %v; got the error %v", waited, err)
	}
}

//go:embed testdata/threads.wasm
var threadsModule []byte

// TestLinkedThreads runs a program that a compiler and a linker have made for threads.
func TestLinkedThreads(t *testing.T) {
	const want = "counter is now 42: spawn -6, wait 2\n"
	g := compile(t, threadsModule, runtimes.Options{})
	for range 3 {
		if got, err := run(t, g, &runtimes.Process{}); err != nil || got != want {
			t.Errorf("got %q and the error %v, want %q", got, err, want)
		}
	}
}
