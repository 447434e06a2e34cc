package wasi_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes"
)

// The spies that no compiler makes. Each reads 32 bytes, of which the first says how it ends and the last 16 are its
// secret, and writes what it sees: cells of 8 bytes, the same in every new process. Then it hides the secret.
const (
	withTable    = 1 << iota // it changes its table and a global of type funcref
	withData                 // it uses a passive data segment, and drops it
	withElements             // it uses a passive element segment, and drops it
)

// cells says what is in each cell.
func cells() []string {
	return []string{"i32", "i64", "f32", "f64", "memory size", "last word", "grown word", "table size", "entry is null",
		"funcref is null"}
}

const (
	cellsAt  = 256
	secretAt = 144
)

// assembleSpy puts a spy together.
func assembleSpy(with int) []byte {
	const i32x4 = "\x7f\x7f\x7f\x7f"
	b := "\x00asm\x01\x00\x00\x00"
	b += section(1, "\x03"+"\x60\x00\x00"+"\x60\x04"+i32x4+"\x01\x7f"+"\x60\x01\x7f\x00")
	wasi := text("wasi_snapshot_preview1")
	b += section(2, "\x03"+wasi+text("fd_read")+"\x00\x01"+wasi+text("fd_write")+"\x00\x01"+
		wasi+text("proc_exit")+"\x00\x02")
	b += section(3, "\x01\x00") + section(4, "\x01\x70\x01\x02\x20") + section(5, "\x01\x01\x01\x08")
	b += section(6, "\x05"+"\x7f\x01\x41\x01\x0b"+"\x7e\x01\x42\x02\x0b"+"\x7d\x01\x43"+bits32(3)+"\x0b"+
		"\x7c\x01\x44"+bits64(4)+"\x0b"+"\x70"+string(rune(with&withTable))+"\xd0\x70\x0b")
	b += section(7, "\x02"+text("_start")+"\x00\x03"+text("memory")+"\x02\x00")
	b += section(9, "\x01\x01\x00\x01\x03") + section(12, "\x01")
	body := "\x00" + look(with) + hide(with) + end() + "\x0b"
	return []byte(b + section(10, "\x01"+uleb(len(body))+body) + section(11, "\x01\x01"+text("passive!")))
}

func bits32(f float32) string {
	return string(binary.LittleEndian.AppendUint32(nil, math.Float32bits(f)))
}

func bits64(f float64) string {
	return string(binary.LittleEndian.AppendUint64(nil, math.Float64bits(f)))
}

// look is code that reads stdin and writes what there is to see.
func look(with int) string {
	const i32store, i64store, f32store, f64store = "\x36\x02\x00", "\x37\x03\x00", "\x38\x02\x00", "\x39\x03\x00"
	cell := func(i int) string { return i32(cellsAt + 8*i) }
	c := transfer("\x10\x00", 0, 128, 32)
	c += cell(0) + "\x23\x00" + i32store + cell(1) + "\x23\x01" + i64store
	c += cell(2) + "\x23\x02" + f32store + cell(3) + "\x23\x03" + f64store
	c += cell(4) + "\x3f\x00" + i32store
	c += cell(5) + i32(1<<16-8) + "\x29\x03\x00" + i64store
	c += i32(1) + "\x40\x00\x1a" // memory.grow
	c += cell(6) + i32(1<<16) + "\x29\x03\x00" + i64store
	c += cell(7) + "\xfc\x10\x00" + i32store
	c += cell(8) + i32(0) + "\x25\x00\xd1" + i32store
	c += cell(9) + "\x23\x04\xd1" + i32store
	c += transfer("\x10\x01", 1, cellsAt, 8*len(cells()))
	if with&withData != 0 {
		c += i32(cellsAt) + i32(0) + i32(8) + "\xfc\x08\x00\x00" + transfer("\x10\x01", 1, cellsAt, 8)
	}
	if with&withElements != 0 {
		c += i32(1) + i32(0) + i32(1) + "\xfc\x0c\x00\x00"
	}
	return c
}

// transfer is code that calls fd_read or fd_write.
func transfer(call string, fd, at, n int) string {
	vector := i32(0) + i32(at) + "\x36\x02\x00" + i32(4) + i32(n) + "\x36\x02\x00"
	return vector + i32(fd) + i32(0) + i32(1) + i32(8) + call + "\x1a"
}

// hide is code that puts the secret, or something, in all places.
func hide(with int) string {
	at := i32(secretAt)
	c := at + "\x28\x02\x00\x24\x00" + at + "\x29\x03\x00\x24\x01" + at + "\x2a\x02\x00\x24\x02" + at + "\x2b\x03\x00\x24\x03"
	for _, to := range []int{1<<16 - 8, 1 << 16} {
		c += i32(to) + at + "\x29\x03\x00\x37\x03\x00"
	}
	if with&withTable != 0 {
		c += i32(0) + "\xd2\x03\x26\x00" + "\xd2\x03\x24\x04" + "\xd2\x03" + i32(3) + "\xfc\x0f\x00\x1a"
	}
	if with&withData != 0 {
		c += "\xfc\x09\x00"
	}
	if with&withElements != 0 {
		c += "\xfc\x0d\x00"
	}
	return c
}

// end is code that exits with 7, traps or goes on, as the first byte of stdin says.
func end() string {
	is := func(c byte) string { return i32(128) + "\x2d\x00\x00" + i32(int(c)) + "\x46\x04\x40" }
	return is('e') + i32(7) + "\x10\x02\x0b" + is('t') + "\x00\x0b"
}

// sight is what such a spy writes in a new process.
func sight(with int) string {
	b := make([]byte, 8*len(cells()))
	copy(b, "\x01")
	copy(b[8:], "\x02")
	copy(b[16:], bits32(3))
	copy(b[24:], bits64(4))
	b[32], b[56], b[64], b[72] = 1, 2, 1, 1
	if with&withData != 0 {
		return string(b) + "passive!"
	}
	return string(b)
}

// sendAssembled makes one call and returns what the spy wrote.
func sendAssembled(t *testing.T, g runtimes.Program, mode string) (string, error) {
	m := newMission(mode)
	p := &runtimes.Process{Stdin: strings.NewReader(mode + strings.Repeat(" ", 16-len(mode)) + m.secret)}
	var out bytes.Buffer
	p.Stdout = &out
	err := g.Run(t.Context(), p)
	return out.String(), err
}

// TestLeakAssembled is TestLeak for the spies that no compiler makes. A start kind that cannot put back what they
// change may refuse them.
func TestLeakAssembled(t *testing.T) {
	for name, with := range map[string]int{
		"globals and memory": 0, "table": withTable, "data": withData, "elements": withElements,
	} {
		for _, kind := range kinds() {
			t.Run(name+"/"+kind, func(t *testing.T) {
				g, err := newRuntime(t).Compile(t.Context(), assembleSpy(with), runtimes.Options{Start: kind})
				var refused *runtimes.ModuleError
				if with != 0 && kind != runtimes.StartFresh && errors.As(err, &refused) {
					t.Log(err)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				sendAllAssembled(t, g, with)
			})
		}
	}
}

// sendAllAssembled makes many calls, eight at a time.
func sendAllAssembled(t *testing.T, g runtimes.Program, with int) {
	n := int64(spy{calls: 2000}.count(t))
	var next, bad atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := next.Add(1); i <= n; i = next.Add(1) {
				mode := []string{"return", "exit", "trap"}[i%3]
				got, err := sendAssembled(t, g, mode)
				if (got != sight(with) || (err == nil) != (mode == "return")) && bad.Add(1) <= 10 {
					t.Errorf("%s: got %q and the error %v, want %q", mode, got, err, sight(with))
				}
			}
		})
	}
	wg.Wait()
}

// TestAssembledSpiesNotice runs them twice in an instance that is not put back: each cell is different, and what was
// dropped is gone.
func TestAssembledSpiesNotice(t *testing.T) {
	for with, want := range map[int]string{
		0:         "i32,i64,f32,f64,memory size,last word,grown word",
		withTable: "table size,entry is null,funcref is null",
	} {
		f := newForgetful(t, assembleSpy(with))
		if got, err := sendAssembled(t, f, "trap"); got != sight(with) || err == nil {
			t.Fatalf("the first call: got %q and the error %v", got, err)
		}
		got, err := sendAssembled(t, f, "return")
		if err != nil || len(got) != len(sight(with)) {
			t.Fatalf("the second call: got %q and the error %v", got, err)
		}
		for i, name := range cells() {
			same := got[8*i:8*i+8] == sight(with)[8*i:8*i+8]
			if same && strings.Contains(","+want+",", ","+name+",") {
				t.Errorf("nobody noticed a change of: %s", name)
			}
		}
	}
	for _, with := range []int{withData, withElements} {
		f := newForgetful(t, assembleSpy(with))
		if _, err := sendAssembled(t, f, "return"); err != nil {
			t.Fatal(err)
		}
		var trap *runtimes.TrapError
		if _, err := sendAssembled(t, f, "return"); !errors.As(err, &trap) {
			t.Errorf("nobody noticed that a segment was dropped: error %v", err)
		}
	}
}
