package wasi_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest/level"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// polls is code that waits for stdin, and for a clock that is an hour ahead.
func polls() string {
	const at = 1 << 15
	c := i32(at+8) + "\x42\x01\x37\x03\x00" + i32(at+16) + "\x42\x00\x37\x03\x00" // read, of stdin
	c += i32(at+48+8) + "\x42\x00\x37\x03\x00" + i32(at+48+16) + "\x42\x01\x37\x03\x00"
	c += i32(at+48+24) + "\x42" + sleb(3_600_000_000_000) + "\x37\x03\x00" + i32(at+48+40) + i32(0) + "\x36\x02\x00"
	return c + invoke(fnPoll, at, at+1024, 2, at+2048)
}

// grows is code that takes pages of memory, and writes the number of pages before to where it is told.
func grows(pages, at int) string { return i32(at) + i32(pages) + "\x40\x00\x36\x02\x00" }

// saysAt is code that writes 4 bytes of memory to stdout, and then sends stdin back.
func saysAt(at int) string { return transfer("\x10"+uleb(fnWrite), 1, at, 4) }

// number is a number as guests write it.
func number(n uint32) string { return string(binary.LittleEndian.AppendUint32(nil, n)) }

// TestFirstReads is about what the first read of stdin can look like, and what memory was before.
func TestFirstReads(t *testing.T) {
	for _, c := range []struct {
		name, code, before string // what the reply begins with
	}{
		{"poll_oneoff", slow() + polls() + saysAt(1<<15+2048), number(1)},
		{"no buffer", slow() + invoke(fnRead, 0, 0, 0, 8), ""},
		{"an empty buffer", slow() + transfer("\x10"+uleb(fnRead), 0, 1024, 0), ""},
		{"an address that is wrong", slow() + invoke(fnRead, 0, -1, 1, 8), ""},
		{"grown before", slow() + grows(3, 256) + i32(150_000) + i32(9) + "\x36\x02\x00" + saysAt(256) + saysAt(150_000),
			number(1) + number(9)},
		{"grown before and after",
			slow() + grows(3, 256) + invoke(fnRead, 0, 0, 0, 8) + grows(4, 260) + saysAt(256) + saysAt(260) +
				saysAt(400_000) + i32(400_000) + i32(7) + "\x36\x02\x00", number(1) + number(4) + number(0)},
		{"grown to its maximum",
			slow() + invoke(fnRead, 0, 0, 0, 8) + grows(63, 256) + grows(1, 260) + saysAt(256) + saysAt(260) +
				saysAt(4_194_300) + i32(4_194_300) + i32(7) + "\x36\x02\x00", number(1) + number(0xffffffff) + number(0)},
		{"refused before", slow() + grows(64, 256) + saysAt(256), number(0xffffffff)},
		{"yields before", slow() + invoke(fnYield) + sleeps(2), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, kind := range kinds() {
				g := compileParked(t, guest(c.code).bytes(), runtimes.Options{Start: kind, Memory: 4 << 20})
				for i := range 25 {
					body := strings.Repeat("x", i*4000)
					if got, _ := reply(t, g, body); got != c.before+body {
						t.Fatalf("%s: run %d: got %.60q", kind, i, got)
					}
					slow := &runtimes.Process{Stdin: io.MultiReader(strings.NewReader(body), strings.NewReader("."))}
					if got, err := run(t, g, slow); got != c.before+body+"." || err != nil {
						t.Fatalf("%s: run %d with a Reader that may block: got %.60q, error %v", kind, i, got, err)
					}
				}
				if wasi.Distrusted(g) {
					t.Errorf("%s: a sandbox was not put back", kind)
				}
			}
		})
	}
}

// recursing is a module that calls itself depth times and comes back, before it reads stdin. With stay it reads at
// the bottom.
func recursing(depth int, stay bool) []byte {
	a := script("")
	a.globals = "\x01\x7f\x01" + i32(depth) + "\x0b" // a mutable global
	self := uleb(len(a.imports))
	down := "\x23\x00\x04\x40\x23\x00" + i32(1) + "\x6b\x24\x00\x10" + self // if it is not zero: one less, and again
	work := slow() + echoes()
	if stay {
		a.code = down + "\x05" + work + "\x0b"
	} else {
		// The outermost one is the last to come here, and reads.
		a.code = down + "\x0b" + i32(64) + i32(64) + "\x28\x02\x00" + i32(1) + "\x6a\x36\x02\x00" +
			i32(64) + "\x28\x02\x00" + i32(depth+1) + "\x46\x04\x40" + work + "\x0b"
	}
	return a.bytes()
}

// TestDeepStart parks processes whose native stack has grown.
func TestDeepStart(t *testing.T) {
	for _, stay := range []bool{false, true} {
		for _, kind := range kinds() {
			g := compileParked(t, recursing(2000, stay), runtimes.Options{Start: kind})
			for i := range 20 {
				body := strings.Repeat("y", i*4000)
				if got, _ := reply(t, g, body); got != body {
					t.Fatalf("%s: stay %t: run %d: got %.60q", kind, stay, i, got)
				}
			}
		}
	}
}

// TestRefusedBefore checks that memory which was refused before the first read is what is blamed afterwards, in each
// run.
func TestRefusedBefore(t *testing.T) {
	for _, kind := range kinds() {
		g := compileParked(t, script(slow()+grows(64, 256)+invoke(fnRead, 0, 0, 0, 8)+"\x00").bytes(),
			runtimes.Options{Start: kind, Memory: 4 << 20})
		for i := range 12 {
			if _, err := run(t, g, &runtimes.Process{}); !errors.Is(err, runtimes.ErrMemory) {
				t.Fatalf("%s: run %d: got the error %v", kind, i, err)
			}
		}
	}
}

// TestClocksGoOn checks that no clock goes back from before the first read to after it, with sleep before it.
func TestClocksGoOn(t *testing.T) {
	code := ""
	for at, clock := range []int{1, 0, 1, 0} {
		code += looks(clock, 256+8*at)
	}
	code = slow() + strings.Repeat(looks(1, 256), 1000) + invoke(fnYield) + sleeps(20) + code
	code += invoke(fnRead, 0, 0, 0, 8) + looks(1, 288) + looks(0, 296) + transfer("\x10"+uleb(fnWrite), 1, 256, 48)
	for _, kind := range kinds() {
		g := compileParked(t, script(code).bytes(), runtimes.Options{Start: kind})
		for i := range 20 {
			before := uint64(time.Now().Add(-time.Hour).UnixNano())
			got, _ := reply(t, g, "")
			var n [6]uint64
			for j := range n {
				n[j] = binary.LittleEndian.Uint64([]byte(got)[8*j:])
			}
			if n[0] > n[2] || n[2] > n[4] || n[1] > n[3] || n[3] > n[5] || n[1] < before || n[0] == 0 {
				t.Errorf("%s: run %d: the clocks say %d", kind, i, n)
			}
		}
	}
}

// TestVeryDeepStart checks that a native stack that has grown large is not kept, in many copies, for a parked
// process: one that comes back from the depth is parked without it, and one that does not is not parked.
func TestVeryDeepStart(t *testing.T) {
	wasi.NeedKind(t, runtimes.StartCheckpoint)
	for _, stay := range []bool{false, true} {
		module := recursing(60_000, stay)
		before := level.Measure(t).Heap
		g := compileParked(t, module, runtimes.Options{})
		for i := range 12 {
			body := strings.Repeat("y", i*4000)
			if got, _ := reply(t, g, body); got != body {
				t.Fatalf("stay %t: run %d: got %.60q", stay, i, got)
			}
		}
		kind, why := wasi.KindOf(g)
		if stay && (kind != runtimes.StartReset || !strings.Contains(why, "stack")) ||
			!stay && kind != runtimes.StartCheckpoint {
			t.Errorf("stay %t: %s, because %s", stay, kind, why)
		}
		wasi.Sweep(g, time.Now().Add(10*time.Second))
		if grown := level.Measure(t).Heap - before; grown > 6<<20 {
			t.Errorf("stay %t: %d bytes of heap are kept", stay, grown)
		}
	}
}

// TestDeepRequests checks that processes which make their native stack large after the first read do not stand in the
// way of those that are parked later.
func TestDeepRequests(t *testing.T) {
	const depth = 60_000
	a := script("")
	a.globals = "\x01\x7f\x01" + i32(depth) + "\x0b"
	self := uleb(len(a.imports))
	first := "\x23\x00" + i32(depth) + "\x46\x04\x40" + slow() + transfer("\x10"+uleb(fnRead), 0, 1024, 5) + "\x0b"
	last := transfer("\x10"+uleb(fnWrite), 1, 1024, 5)
	a.code = first + "\x23\x00" + i32(1) + "\x6b\x24\x00\x23\x00\x04\x40\x10" + self + "\x05" + last + "\x0b"
	for _, kind := range kinds() {
		g := compileParked(t, a.bytes(), runtimes.Options{Start: kind})
		for i := range 12 {
			var out bytes.Buffer
			_, err := settled(t, g, func() *runtimes.Process {
				out.Reset()
				return &runtimes.Process{Stdin: strings.NewReader("hello"), Stdout: &out}
			})
			if err != nil || out.String() != "hello" {
				t.Fatalf("%s: run %d: got %q and the error %v", kind, i, out.String(), err)
			}
		}
	}
}
