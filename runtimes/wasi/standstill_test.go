package wasi_test

import (
	"context"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/deadline"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// waitsUntil is code that waits until the monotonic clock shows 5 seconds more than what is in memory, or for 5
// seconds if it is relative.
func waitsUntil(from int, relative bool) string {
	const store = "\x37\x03\x00"
	seconds := "\x42" + sleb(1_000_000_000)
	c := i32(2048+8) + "\x42\x00" + store + i32(2048+16) + i32(1) + "\x36\x02\x00"
	if relative {
		c += i32(2048+24) + seconds + store + i32(2048+40) + i32(0) + "\x36\x02\x00"
	} else {
		c += i32(2048+24) + i32(from) + "\x29\x03\x00" + seconds + "\x7c" + store + i32(2048+40) + i32(1) + "\x36\x02\x00"
	}
	return c + invoke(fnPoll, 2048, 4096, 1, 8192)
}

// TestClockStandsStill has a process wait for an hour before its request comes. Its monotonic clock has not moved, a
// time that it has set before has not come, and its wall clock is real.
func TestClockStandsStill(t *testing.T) {
	look := looks(1, 256) + looks(0, 264)
	for _, relative := range []bool{false, true} {
		code := slow() + look + invoke(fnRead, 0, 0, 0, 8) + looks(1, 272) + looks(0, 280) + waitsUntil(256, relative) +
			looks(1, 288) + transfer("\x10"+uleb(fnWrite), 1, 256, 40)
		for _, kind := range parkedKinds() {
			g := compileParked(t, script(code).bytes(), runtimes.Options{Start: kind})
			waits := 0
			p := &runtimes.Process{Stdin: strings.NewReader(""),
				Wait: func(context.Context, <-chan struct{}) error { return nil }}
			if _, err := settled(t, g, func() *runtimes.Process { return p }); err != nil {
				t.Fatal(err)
			}
			for tries := 0; wasi.Wait(g, time.Hour) == 0; tries++ {
				if _, err := run(t, g, p); err != nil || tries == 10_000 {
					t.Fatalf("%s: no process waits, error %v", kind, err)
				}
			}
			before := time.Now()
			got, err := run(t, g, &runtimes.Process{Stdin: strings.NewReader(""), Begin: before,
				Wait: func(ctx context.Context, done <-chan struct{}) error { waits++; return deadline.Await(ctx, done) }})
			if err != nil {
				t.Fatal(err)
			}
			var n [5]int64
			for i := range n {
				n[i] = int64(binary.LittleEndian.Uint64([]byte(got)[8*i:]))
			}
			if d := time.Duration(n[2] - n[0]); d < 0 || d > time.Minute || n[4] < n[2] {
				t.Errorf("%s: the monotonic clock has moved by %v while the process waited, and then by %v",
					kind, d, time.Duration(n[4]-n[2]))
			}
			if wall := time.Unix(0, n[3]); wall.Before(before.Add(-time.Second)) || wall.After(time.Now().Add(time.Second)) {
				t.Errorf("%s: the wall clock shows %v", kind, wall)
			}
			if took := time.Since(before); waits != 1 || took > time.Minute {
				t.Errorf("%s: what should come in a second came after %d waits and %v", kind, waits, took)
			}
		}
	}
}

// TestClockStandsStillGo has a Go program that arms a timer, a ticker and a deadline at its start wait for longer
// than these.
func TestClockStandsStillGo(t *testing.T) {
	for _, kind := range parkedKinds() {
		g := compileGo(t, runtimes.Options{Start: kind, Args: []string{"fn", "armed"}})
		for range 3 {
			p := args("armed")
			p.Stdin = strings.NewReader("x")
			if _, err := run(t, g, p); err != nil {
				t.Fatal(err)
			}
			wasi.Wait(g, time.Hour)
		}
		p := args("armed")
		p.Stdin = strings.NewReader("hello")
		if got, err := run(t, g, p); err != nil || got != "hello in time\n" {
			t.Errorf("%s: got %q and the error %v", p.Usage.Start, got, err)
		}
	}
}
