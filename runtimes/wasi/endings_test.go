package wasi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// settled runs a program until a run is of its kind: a prefork may still be being made.
func settled(t testing.TB, g runtimes.Program, p func() *runtimes.Process) (*runtimes.Process, error) {
	t.Helper()
	kind, _ := wasi.KindOf(g)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		q := p()
		if _, err := run(t, g, q); q.Usage.Start == kind ||
			kind == runtimes.StartReset && q.Usage.Start == runtimes.StartFresh {
			return q, err
		}
	}
	t.Fatalf("no run was of the kind %s", kind)
	return nil, nil
}

// TestFuelOfKinds checks that the same work takes the same fuel however a process came to be.
func TestFuelOfKinds(t *testing.T) {
	goes, err := goGuest()
	if err != nil {
		t.Fatal(err)
	}
	body := strings.Repeat("body ", 5000)
	for _, c := range []struct {
		name   string
		module []byte
		args   []string
		off    float64 // part that may be different
	}{
		{"C", runtimestest.Wasm(), []string{"fn", "twice"}, 0},
		{"slow", guest(slow()).bytes(), nil, 0},
		{"quick", guest("").bytes(), nil, 0},
		{"Go", goes, []string{"fn", "upper"}, 0.001},
	} {
		var want float64
		for _, kind := range kinds() {
			g := compileParked(t, c.module, runtimes.Options{Start: kind, Args: c.args})
			for range 4 {
				p, err := settled(t, g,
					func() *runtimes.Process { return &runtimes.Process{Args: c.args, Stdin: strings.NewReader(body)} })
				got := float64(p.Usage.Fuel)
				if want == 0 {
					want = got
				}
				if err != nil || math.Abs(got-want) > want*c.off {
					t.Errorf("%s: %s: fuel %.0f, in a new sandbox %.0f, error %v", c.name, kind, got, want, err)
				}
			}
		}
	}
}

// TestFuelLimitOfKinds checks that a limit is met at the same place however a process came to be.
func TestFuelLimitOfKinds(t *testing.T) {
	module := guest(slow() + says(1, 3)).bytes()
	free := compileParked(t, module, runtimes.Options{Start: runtimes.StartFresh})
	work := func() *runtimes.Process {
		return &runtimes.Process{Stdin: strings.NewReader(strings.Repeat("x", 200_000))}
	}
	all, err := settled(t, free, work)
	if err != nil {
		t.Fatal(err)
	}
	start := wasi.StartFuel(compileParked(t, module, runtimes.Options{}))
	if start == 0 || start >= all.Usage.Fuel {
		t.Fatalf("fuel %d up to the first read, of %d", start, all.Usage.Fuel)
	}
	used := all.Usage.Fuel
	for _, limit := range []uint64{start + 1, start + 20, (start + used) / 2, used - 1, used, used + 1} {
		want := ""
		for _, kind := range kinds() {
			g := compileParked(t, module, runtimes.Options{Start: kind, Fuel: limit})
			for range 3 {
				n := 0
				p, err := settled(t, g, func() *runtimes.Process {
					p := work()
					n = 0
					p.Stdout = writer(func(b []byte) (int, error) { n += len(b); return len(b), nil })
					return p
				})
				got := fmt.Sprintf("%d bytes, fuel %d, error %v", n, p.Usage.Fuel, err)
				if want == "" {
					want = got
				}
				if got != want || errors.Is(err, runtimes.ErrFuel) != (limit < all.Usage.Fuel) {
					t.Errorf("limit %d: %s: %s; in a new sandbox %s", limit, kind, got, want)
				}
			}
		}
	}
}

// endings are ways in which a process ends by what it reads: its first byte says how.
func endings() []byte {
	is := func(c byte, code string) string {
		return i32(1024) + "\x2d\x00\x00" + i32(int(c)) + "\x46\x04\x40" + code + "\x0b"
	}
	first := "\x23\x00\x45\x04\x40" + slow() + i32(1) + "\x24\x00\x0b"
	c := first + transfer("\x10"+uleb(fnRead), 0, 1024, 16)
	c += is('e', i32(7)+"\x10"+uleb(fnExit)) + is('t', "\x00") + is('l', "\x03\x40\x0c\x00\x0b") + is('s', sleeps(600_000))
	c += is('r', "\x10"+uleb(fnExit+1)) // itself
	c += is('f', "\x03\x40"+transfer("\x10"+uleb(fnWrite), 1, 0, 32<<10)+"\x0c\x00\x0b")
	c += is('g', "\x03\x40"+i32(16)+"\x40\x00"+i32(-1)+"\x47\x0d\x00\x0b\x00")
	a := script(c + transfer("\x10"+uleb(fnWrite), 1, 1024, 5))
	a.globals = "\x01\x7f\x01" + i32(0) + "\x0b"
	return a.bytes()
}

// TestKindAfterEndings checks that a run after one that ended badly is right, and of the program's kind.
func TestKindAfterEndings(t *testing.T) {
	var exit *runtimes.ExitError
	var trap *runtimes.TrapError
	for _, kind := range kinds() {
		g := compileParked(t, endings(), runtimes.Options{Start: kind, Memory: 4 << 20, Stack: 256 << 10})
		for _, c := range []struct {
			how   string
			right func(error) bool
		}{
			{"exit", func(err error) bool { return errors.As(err, &exit) && exit.Code == 7 }},
			{"trap", func(err error) bool { return errors.As(err, &trap) }},
			{"recurse", func(err error) bool { return errors.As(err, &trap) && strings.Contains(trap.Reason, "stack") }},
			{"flood", func(err error) bool { return errors.Is(err, runtimes.ErrOutput) }},
			{"grow", func(err error) bool { return errors.Is(err, runtimes.ErrMemory) }},
			{"loop", func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
			{"sleep", func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
		} {
			for range 12 { // more than snapshots are taken at a time
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				if c.how == "loop" || c.how == "sleep" {
					ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
				}
				err := g.Run(ctx,
					&runtimes.Process{Stdin: strings.NewReader(c.how), Stdout: &runtimes.CapWriter{W: io.Discard, N: 1 << 20}})
				cancel()
				if !c.right(err) {
					t.Errorf("%s: %s: got the error %v", kind, c.how, err)
				}
				got, p := reply(t, g, "plain")
				want := p.Usage.Start == kind || kind == runtimes.StartPrefork
				if got != "plain" || !want {
					t.Errorf("%s: after %s: got %q, start kind %s", kind, c.how, got, p.Usage.Start)
				}
			}
		}
	}
}
