package moduletest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/dispatch"
	"github.com/polyvoke/polyvoke/runtimes/module/rewrite"
)

// TestResume checks that a program in Go whose functions are entered in the middle in all ways does the same after its
// jumps have become branches, and that nearly all have.
func TestResume(t *testing.T) {
	wasm := filepath.Join(t.TempDir(), "resume.wasm")
	build := exec.Command("go", "build", "-o", wasm, "main.go")
	build.Dir = "testdata/resume"
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(wasm)
	if err != nil {
		t.Fatal(err)
	}
	plain, _, err := rewrite.Rewrite(b, rewrite.Options{Unmetered: true, KeepCustom: true, KeepDispatch: true,
		KeepAddresses: true})
	if err != nil {
		t.Fatal(err)
	}
	metered, report, err := rewrite.Rewrite(b, rewrite.Options{Stack: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	const stdin = "the quick brown fox jumps over the lazy dog"
	want, _ := process(t, plain, 1, stdin)
	got, _ := process(t, metered, 1_000_000, stdin)
	if got != want || len(want) < 200 {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	d := report.Dispatch
	if d.Functions < 1000 || d.Changed*100 < d.Functions*90 || d.Loops < 300 {
		t.Errorf("what was made of it: %+v", *d)
	}
	if a := report.Address; a.Offsets < 10_000 || a.Ahead < 5000 || a.Ends < 1000 || a.Rare < a.Ends/2 || a.Stores < 1000 {
		t.Errorf("what was made of addresses: %+v", *a)
	}
	t.Logf("%+v; %+v; %d -> %d bytes", *d, *report.Address, len(b), len(metered))
}

// jumper makes a function with a dispatch loop, at random.
type jumper struct {
	*rand.Rand
	segments int
	resumes  []bool // by segment: it follows a call, and sets all locals
}

// Indices in the modules of jumpers. Local 0 is the number, 1 is set before the loop, the others are registers.
const (
	jumperTrace, jumperFuel = 0, 1 // globals
	registers               = 4
)

// register returns one at random.
func (j *jumper) register() string { return number(2 + j.IntN(registers)) }

// step returns code that takes note of where it is, and returns when it has gone on for long.
func step(i int) string {
	return "\x23\x00\x42\x1f\x7e\x42" + string(signed(i)) + "\x7c\x24\x00" + // trace = trace*31 + i
		"\x23\x01\x41\x01\x6b\x24\x01\x23\x01\x45\x04\x40\x41\x00\x0f\x0b" // fuel--, and 0 is the end
}

// signed returns a number as signed LEB128.
func signed(n int) []byte { return []byte(constant(int64(n))[1:]) }

// change returns code that computes something.
func (j *jumper) change() (s string) {
	for range j.IntN(3) {
		s += "\x20" + j.register() + "\x20" + j.register() + "\x7c\x42\x03\x85\x21" + j.register()
	}
	return s
}

// jump returns a jump to a segment from a depth in the one with a number.
func (j *jumper) jump(i, depth int) string {
	return constant(int64(j.IntN(j.segments))) + "\x21\x00\x0c" + number(depth+j.segments-1-i)
}

// odd returns code that leaves a condition.
func (j *jumper) odd() string { return "\x20" + j.register() + "\xa7" + constant(1) + "\x71" }

// segment returns the code of one segment.
func (j *jumper) segment(i int) string {
	s := ""
	if j.resumes[i] {
		for r := range registers {
			s += "\x23\x00\x42" + string(signed(r*7)) + "\x7c\x21" + number(2+r)
		}
	}
	s += step(i) + j.change()
	outer := number(j.segments - i) // the block around the loop, from within the segment
	switch j.IntN(6) {
	case 0:
		s += j.odd() + "\x04\x40" + j.change() + j.jump(i, 1) + end
	case 1:
		s += j.odd() + "\x04\x40" + j.jump(i, 1) + "\x05" + j.change() + end
	case 2:
		s += "\x02\x40\x03\x40" + j.odd() + "\x0d\x01" + step(100+i) + j.change() + j.odd() + "\x0d\x00" + j.jump(i, 2) + end + end
	case 3:
		s += j.odd() + "\x04\x40" + j.odd() + "\x0d" + number(j.segments-i+1) + end
	}
	if i+1 < j.segments && j.resumes[i+1] {
		return s + j.call() + "\x0d" + outer // br_if to the end
	}
	switch j.IntN(5) {
	case 0:
		return s + "\x41\x00\x0f"
	case 1:
		return s
	}
	return s + j.jump(i, 0)
}

// call returns a call of a helper, directly or through the table, as Go's compiler makes it: the function to call is
// kept in local 0.
func (j *jumper) call() string {
	if j.IntN(2) == 0 {
		return "\x10\x00"
	}
	return j.odd() + "\x21\x00\x41\x00\x20\x00\x11\x01\x00"
}

// module returns a module that exports the function as "f", and its globals.
func (j *jumper) module() []byte {
	var segments []string
	for i := range j.segments {
		segments = append(segments, j.segment(i))
	}
	return dispatching(segments, j.IntN(3))
}

// dispatching returns a module with a function of these segments, and so many more numbers than there are segments.
func dispatching(segments []string, more int) []byte {
	n := len(segments)
	body := "\x02\x01\x7f" + number(registers) + "\x7e" + "\x41\x07\x21\x01" + block + loop + strings.Repeat(block, n) +
		"\x20\x00\x0e" + number(n+more)
	for v := range n + more {
		body += number(min(v, n-1))
	}
	body += number(n-1) + end + strings.Join(segments, end) + end + "\x00" + end + "\x41\x01" + end
	helper := "\x00\x23\x00\x42\x05\x7e\x24\x00\x23\x00\x42\x07\x83\x50\x0b" // trace *= 5; whether its low bits are 0
	first, second := strings.Replace(helper, "\x42\x05", "\x42\x09", 1), strings.Replace(helper, "\x42\x05", "\x42\x0b", 1)
	return []byte("\x00asm\x01\x00\x00\x00" + part(1, "\x02\x60\x00\x01\x7f\x60\x01\x7f\x01\x7f") +
		part(3, "\x04\x00\x01\x01\x01") + part(4, "\x01\x70\x00\x02") +
		part(6, "\x02\x7e\x01\x42\x01\x0b\x7f\x01\x41\x00\x0b") +
		part(7, "\x03\x01f\x00\x01\x05trace\x03\x00\x04fuel\x03\x01") +
		part(9, "\x01\x00\x41\x00\x0b\x02\x02\x03") + // the table holds the first and the second
		part(10, "\x04"+sized(len(helper), helper)+sized(len(body), body)+
			sized(len(first), first)+sized(len(second), second)))
}

// TestDispatchHostile gives it what would take for ever: thousands of loops in one another, the order of whose segments
// is the worst, or which can all be entered in the middle.
func TestDispatchHostile(t *testing.T) {
	const n = 1 << 12
	to := func(i, target, depth int) string {
		return constant(int64(target)) + "\x21\x00\x0c" + number(depth+n-1-i)
	}
	for name, segment := range map[string]func(i int) string{
		"nested": func(i int) string {
			return "\x20\x02\xa7\x04\x40" + to(i, max(i-1, 0), 1) + end + to(i, min(i+1, n-1), 0)
		},
		"entered": func(i int) string { return "\x10\x00\x04\x40" + to(i, max(i-1, 0), 1) + end + to(i, min(i+1, n-1), 0) },
		"back":    func(i int) string { return "\x20\x02\xa7\x04\x40" + to(i, n-1-i/2, 1) + end + to(i, (i+n-1)%n, 0) },
		"tabled": func(i int) string {
			return "\x41\x00\x21\x00\x41\x00\x20\x00\x11\x01\x00\x04\x40" + to(i, i/2, 1) + end + to(i, min(i+1, n-1), 0)
		},
		"alone": func(i int) string { return "\x10\x00\x0f" },
	} {
		var segments []string
		for i := range n {
			segments = append(segments, segment(i))
		}
		b := dispatching(segments, 0)
		out, report, err := dispatch.Lower(b, module.Limits{})
		if err != nil || report.Functions != 1 || len(out) > 4*len(b)+1<<16 {
			t.Errorf("%s: %+v, %v, %d -> %d bytes", name, report, err, len(b), len(out))
		}
	}
}

// TestDispatchKept checks that a function stays as it is that has the number's local for anything but the number, or
// what a call through a table calls, right before that.
func TestDispatchKept(t *testing.T) {
	const set, get, zero, indirect = "\x21\x00", "\x20\x00", "\x41\x00", "\x11\x01\x00"
	for name, c := range map[string]struct {
		segment string
		want    int
	}{
		"call":                    {zero + set + zero + get + indirect + "\x1a", 1},
		"set before an end":       {"\x41\x01" + set, 0},
		"set before another":      {"\x41\x01" + set + "\x42\x00\x1a", 0},
		"constant before an end":  {zero + set + zero + "\x1a", 0},
		"read before another":     {zero + set + zero + get + "\x1a\x1a", 0},
		"read alone":              {get + "\x1a", 0},
		"branch behind the set":   {zero + set + zero + "\x0d\x00", 0},
		"tee":                     {zero + "\x22\x00\x1a", 0},
		"branch behind the get":   {zero + set + zero + get + "\x0d\x00\x1a", 0},
		"call behind another get": {zero + set + "\x20\x01" + get + indirect + "\x1a", 0},
	} {
		b := dispatching([]string{c.segment, "\x41\x00\x0f"}, 0)
		_, report, err := dispatch.Lower(b, module.Limits{})
		if err != nil || report.Functions != c.want {
			t.Errorf("%s: %+v, %v", name, report, err)
		}
	}
}

// FuzzDispatch compares functions with dispatch loops before and after, entered wherever they can be.
func FuzzDispatch(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		j := &jumper{Rand: rand.New(rand.NewPCG(seed, 1))}
		j.segments = 1 + j.IntN(14)
		j.resumes = make([]bool, j.segments)
		for i := 1; i < j.segments; i++ {
			j.resumes[i] = j.IntN(3) == 0
		}
		b := j.module()
		after, report, err := dispatch.Lower(b, module.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if report.Functions != 1 {
			t.Fatalf("the form is not recognized: %x", b)
		}
		for v := range j.segments + 3 {
			want, got := enter(t, b, v), enter(t, after, v)
			refused := v > 0 && !j.resumes[min(v, j.segments-1)] && strings.Contains(got, "unreachable")
			if got != want && !refused {
				t.Errorf("entered at %d of %d: %s, want %s\n%x", v, j.segments, got, want, b)
			}
		}
	})
}

// enter calls f of a module with a number and returns what comes of it.
func enter(t *testing.T, b []byte, v int) string {
	t.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler())
	defer r.Close(ctx)
	m, err := r.Instantiate(ctx, b)
	if err != nil {
		t.Fatalf("%v: %x", err, b)
	}
	m.ExportedGlobal("fuel").(api.MutableGlobal).Set(300)
	result, err := m.ExportedFunction("f").Call(ctx, uint64(v))
	text := ""
	if exit := new(sys.ExitError); errors.As(err, &exit) {
		t.Fatal(err)
	} else if err != nil {
		text, _, _ = strings.Cut(err.Error(), "\n")
	}
	return fmt.Sprint(result, text, binary.LittleEndian.AppendUint64(nil, m.ExportedGlobal("trace").Get()),
		m.ExportedGlobal("fuel").Get())
}
