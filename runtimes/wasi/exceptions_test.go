package wasi_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// catcher is a module that reads a number inside of a try_table, and writes one. If it is odd, up to eight calls
// deeper an exception carries it back to the handler; otherwise a thousand is added. If it is 3 modulo 4, it is
// thrown once more, where nothing catches it.
func catcher() []byte {
	const (
		load, store   = "\x28\x02\x00", "\x36\x02\x00"
		depth, deeper = "\x23\x00", "\x24\x00"
		and, shift    = "\x71", "\x76"
		then, end     = "\x04\x40", "\x0b"
		x, setX       = "\x20\x00", "\x21\x00"
		throw         = "\x08\x00"
	)
	a := script("")
	a.tags = "\x01\x00" + uleb(10)               // with the type of proc_exit: it carries an i32
	a.globals = "\x01\x7f\x01" + i32(0) + "\x0b" // how many calls deep to throw
	self := "\x10" + uleb(len(a.imports))
	thrower := depth + then + depth + i32(1) + "\x6b" + deeper + depth + "\x45" + then + i32(1024) + load + throw + end +
		self + "\x0f" + end
	read := transfer("\x10"+uleb(fnRead), 0, 1024, 4) + i32(1024) + load + setX
	odd := x + i32(1) + and + then + x + i32(2) + shift + i32(7) + and + i32(1) + "\x6a" + deeper + self + end
	try := "\x02\x7f\x1f\x7f\x01\x00\x00\x00" + read + odd + x + i32(1000) + "\x6a" + end + end + setX
	a.code = thrower + "\x02\x40\x1f\x40\x01\x02\x00" + slow() + throwsAndCatches(x) + end + end + try +
		i32(1024) + x + store + transfer("\x10"+uleb(fnWrite), 1, 1024, 4) + x + i32(3) + and + i32(3) + "\x46" + then + x +
		throw + end
	return a.bytes()
}

// throwsAndCatches is code that throws a number, and catches it.
func throwsAndCatches(number string) string {
	return "\x02\x7f\x1f\x40\x01\x00\x00\x00" + number + "\x08\x00\x0b\x00\x0b\x1a"
}

// TestCatchAfterRead parks processes inside of a try_table, and checks that what they throw when they go on is caught.
func TestCatchAfterRead(t *testing.T) {
	for _, kind := range append(parkedKinds(), runtimes.StartReset, runtimes.StartFresh) {
		t.Run(kind, func(t *testing.T) {
			g := compileParked(t, catcher(), runtimes.Options{Start: kind})
			random := rand.New(rand.NewPCG(1, 2))
			for i := range 1000 {
				n := random.Uint32()
				want := n
				if n%2 == 0 {
					want += 1000
				}
				var out strings.Builder
				p := &runtimes.Process{Stdin: strings.NewReader(number(n)), Stdout: &out}
				err := g.Run(t.Context(), p)
				var trap *runtimes.TrapError
				if caught := err == nil; out.Len() != 4 || binary.LittleEndian.Uint32([]byte(out.String())) != want ||
					caught != (n%4 != 3) {
					t.Fatalf("run %d: %d: got %x and the error %v, want %d", i, n, out.String(), err, want)
				}
				if err != nil && (!errors.As(err, &trap) || trap.Reason != "uncaught exception") {
					t.Fatalf("run %d: got the error %v", i, err)
				}
				if p.Usage.Start != kind && p.Usage.Start != runtimes.StartFresh && kind != runtimes.StartPrefork {
					t.Fatalf("run %d: it was a %s", i, p.Usage.Start)
				}
			}
			if wasi.Distrusted(g) {
				t.Error("a sandbox was not put back")
			}
		})
	}
}

// rethrower is a module that catches an exception, which carries 500, and keeps a reference to it. Then it reads a
// number. If that is odd it throws the exception again, and otherwise one that carries the number; it writes what the
// one carries that it catches.
func rethrower() []byte {
	const x, setX, kept, keep = "\x20\x00", "\x21\x00", "\x20\x02", "\x21\x02"
	a := script("")
	a.tags, a.refs = "\x01\x00"+uleb(10), 1
	load := i32(1024) + "\x28\x02\x00"
	a.code = "\x02\x69\x1f\x40\x01\x03\x00" + i32(500) + "\x08\x00\x0b\x00\x0b" + keep + slow()
	a.code += transfer("\x10"+uleb(fnRead), 0, 1024, 4) + load + setX
	a.code += "\x02\x7f\x1f\x40\x01\x00\x00\x00" + x + i32(1) + "\x71\x04\x40" + kept + "\x0a\x0b" + x +
		"\x08\x00\x0b\x00\x0b" + setX
	a.code += i32(1024) + x + "\x36\x02\x00" + transfer("\x10"+uleb(fnWrite), 1, 1024, 4)
	return a.bytes()
}

// TestThrowAgainAfterRead parks processes that have a reference to an exception, and checks that it is good when they
// go on.
func TestThrowAgainAfterRead(t *testing.T) {
	for _, kind := range kinds() {
		t.Run(kind, func(t *testing.T) {
			g := compileParked(t, rethrower(), runtimes.Options{Start: kind})
			for n := range uint32(100) {
				want := n
				if n%2 == 1 {
					want = 500
				}
				got, err := run(t, g, &runtimes.Process{Stdin: strings.NewReader(number(n))})
				if err != nil || got != number(want) {
					t.Fatalf("%d: got %x and the error %v, want %d", n, got, err, want)
				}
			}
			if wasi.Distrusted(g) {
				t.Error("a sandbox was not put back")
			}
		})
	}
}

// TestCatchFuel checks that exceptions cost the same fuel whatever the start kind is.
func TestCatchFuel(t *testing.T) {
	fuel := map[string]uint64{}
	for _, kind := range kinds() {
		g := compileParked(t, catcher(), runtimes.Options{Start: kind})
		for range 5 {
			p := &runtimes.Process{Stdin: strings.NewReader(number(13))}
			if _, err := run(t, g, p); err != nil {
				t.Fatal(err)
			}
			fuel[p.Usage.Start] = p.Usage.Fuel
		}
	}
	t.Log(fuel)
	if len(fuel) < len(kinds())-1 { // a prefork may come too late
		t.Errorf("got only the kinds %v", fuel)
	}
	for kind, n := range fuel {
		if n != fuel[runtimes.StartFresh] || n == 0 {
			t.Errorf("%s: %d units of fuel, and fresh %d", kind, n, fuel[runtimes.StartFresh])
		}
	}
}
