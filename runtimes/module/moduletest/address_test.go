package moduletest

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/address"
)

// framer makes a function that uses memory as Go's compiler has it done, at random. Local 1 is the stack pointer, and
// those from 2 on are registers of 64 bits.
type framer struct {
	*rand.Rand
	depth int // of blocks
}

func (f *framer) register() string { return number(2 + f.IntN(registers)) }

// sum returns the address of something in the frame, computed in 64 bits.
func (f *framer) sum() string { return "\x20\x01\xad" + wide(8*f.IntN(30)) + "\x7c\xa7" }

// wide returns a constant of 64 bits.
func wide(n int) string { return "\x42" + string(signed(n)) }

// grow returns code that changes the stack pointer.
func (f *framer) grow() string {
	return "\x20\x01" + constant(int64(8*f.IntN(4))) + []string{"\x6a", "\x6b"}[f.IntN(2)] + "\x22\x01\x24\x00"
}

// compare returns a comparison of registers, or its negation.
func (f *framer) compare() string {
	s := "\x20" + f.register() + "\x20" + f.register() + string([]byte{byte(0x51 + f.IntN(10))})
	if f.IntN(2) == 0 {
		s = "\x20" + f.register() + "\xa7\x20" + f.register() + "\xa7" + string([]byte{byte(0x46 + f.IntN(10))})
	}
	return s + strings.Repeat("\x45", f.IntN(4))
}

// call returns a call of a function that may return zero, or of one that never does, and what Go has behind it.
func (f *framer) call() string {
	s := "\x10" + number(f.IntN(4))
	if f.IntN(3) > 0 {
		s += "\x23\x00\x21\x01"
	}
	return s + "\x0d" + number(f.depth)
}

// statement returns code that neither takes nor leaves anything.
func (f *framer) statement(more int) string {
	access := []string{"\x29\x03", "\x30\x00", "\x34\x02"}[f.IntN(3)]
	store := []string{"\x37\x03", "\x3c\x00", "\x3e\x02"}[f.IntN(3)]
	offset := number(8 * f.IntN(30))
	switch f.IntN(13) {
	case 0:
		return f.sum() + "\x20" + f.register() + store + offset
	case 1:
		return "\x20\x01" + access + offset + "\x21" + f.register()
	case 2:
		return f.sum() + access + offset + "\x21" + f.register()
	case 3:
		return "\x20\x01\x20\x01" + access + offset + store + number(8*f.IntN(30))
	case 4: // anywhere
		return "\x20" + f.register() + "\xa7" + access + offset + "\x21" + f.register()
	case 5:
		return "\x20" + f.register() + "\xa7\x41\xff\xff\x01\x71" + "\x20" + f.register() + store + offset
	case 6:
		return f.grow() + f.grow()
	case 7: // another stack pointer, or another block, between an address and its use
		return f.sum() + f.grow() + "\x20" + f.register() + store + offset
	case 8:
		return f.sum() + "\x02\x7e\x20" + f.register() + "\x0b" + store + offset
	case 9:
		return f.sum() + "\x22\x06" + access + offset + "\x20\x06\xad\x7c\x21" + f.register()
	case 10:
		return "\x20" + f.register() + wide(f.IntN(9)) + "\x7e" + wide(f.IntN(99)) + "\x7c\x21" + f.register()
	}
	if more == 0 {
		return f.call()
	}
	return f.block(more - 1)
}

// block returns code with blocks in it.
func (f *framer) block(more int) string {
	f.depth++
	defer func() { f.depth-- }()
	switch f.IntN(4) {
	case 0:
		return f.compare() + "\x04\x40" + f.statements(more) + "\x05" + f.statements(more) + end
	case 1:
		return block + f.statements(more) + f.compare() + "\x0d\x00" + f.statements(more) + end
	case 2:
		return loop + step(7) + f.statements(more) + f.compare() + "\x0d\x00" + end
	}
	return f.compare() + "\x04\x40" + f.call() + end
}

// statements returns some.
func (f *framer) statements(more int) (s string) {
	for range 1 + f.IntN(5) {
		s += f.statement(more)
	}
	return s
}

// framing returns a module with a function of this code. It has functions that return: what the code before says, 1, zero
// or 1, and 0.
func framing(text string) []byte {
	local := "\x03\x02\x7f" + number(registers) + "\x7e\x01\x7f"
	body := local + "\x23\x00\x21\x01" + block + text + "\x41\x00\x0f" + end + "\x41\x01" + end
	count := "\x23\x01\x42\x05\x7e\x42\x03\x7c\x24\x01" // trace = trace*5 + 3
	bodies := []string{
		"\x00" + count + "\x23\x01\x42\x04\x83\x50\x0b",
		"\x00" + count + "\x41\x01\x0b",
		"\x00" + count + "\x23\x01\x42\x08\x83\x50\x04\x40\x41\x07\x0f\x0b\x41\x00\x0b",
		"\x00" + count + "\x23\x01\x42\x10\x83\x50\x04\x40\x41\x07\x0f\x0b\x00\x0b",
		body,
	}
	all := ""
	for _, b := range bodies {
		all += sized(len(b), b)
	}
	return []byte("\x00asm\x01\x00\x00\x00" + part(1, "\x01\x60\x00\x01\x7f") + part(3, "\x05\x00\x00\x00\x00\x00") +
		part(5, "\x01\x00\x01") + part(6, "\x03\x7f\x01\x41\x80\x80\x02\x0b\x7e\x01\x42\x01\x0b\x7f\x01\x41\x00\x0b") +
		part(7, "\x05\x01f\x00\x04\x02sp\x03\x00\x05trace\x03\x01\x04fuel\x03\x02\x06memory\x02\x00") +
		part(10, "\x05"+all))
}

// FuzzAddress compares functions before and after: what they return, memory, globals, and traps.
func FuzzAddress(f *testing.F) {
	for seed := range uint64(300) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		g := &framer{Rand: rand.New(rand.NewPCG(seed, 2))}
		text := ""
		for range 6 {
			text += g.statements(2)
		}
		b := framing(strings.ReplaceAll(text, step(7), stepOf(1, 2)))
		after, report, err := address.Lower(b, module.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if want, got := framed(t, b), framed(t, after); got != want {
			t.Errorf("%s, want %s, %+v\n%x", got, want, *report, b)
		}
	})
}

// TestAddressParts checks that each thing is done where it should be, and only there.
func TestAddressParts(t *testing.T) {
	const frame = "\x20\x01\xad\x42\x10\x7c\xa7"
	const panics = "\x10\x01\x23\x00\x21\x01\x0d\x01"
	for name, c := range map[string]struct {
		text string
		want address.Report
	}{
		"nothing":       {"", address.Report{}},
		"load":          {frame + "\x29\x03\x00\x1a", address.Report{Functions: 1, Offsets: 1}},
		"store":         {frame + "\x42\x00\x37\x03\x08", address.Report{Functions: 1, Offsets: 1}},
		"kept sum":      {frame + "\x22\x06\x29\x03\x00\x1a", address.Report{}},
		"far":           {"\x20\x01\xad\x42\x80\x80\x04\x7c\xa7\x29\x03\x00\x1a", address.Report{}},
		"below":         {"\x20\x01\xad\x42\x78\x7c\xa7\x29\x03\x00\x1a", address.Report{}},
		"block between": {frame + "\x02\x7e\x42\x00\x0b\x37\x03\x00", address.Report{}},
		"ahead":         {"\x20\x01\x29\x03\x00\x1a\x20\x01\x29\x03\x08\x1a", address.Report{Functions: 1, Ahead: 1}},
		"return between": {"\x20\x01\x41\x07\x4d\x04\x40\x20\x01\x29\x03\x00\x1a\x41\x00\x0f\x05" +
			"\x20\x01\x29\x03\x08\x1a\x0b",
			address.Report{}},
		"highest first":      {"\x20\x01\x29\x03\x08\x1a\x20\x01\x29\x03\x00\x1a", address.Report{}},
		"negation":           {"\x20\x02\x20\x03\x53\x45\x1a", address.Report{Functions: 1, Negated: 1}},
		"negation of floats": {"\x20\x02\xbf\x20\x03\xbf\x63\x45\x1a", address.Report{}},
		"call that panics":   {"\x20\x02\x50\x04\x40" + panics + "\x0b", address.Report{Functions: 1, Ends: 1, Rare: 1}},
		"call that may not": {"\x20\x02\x50\x04\x40" + strings.Replace(panics, "\x10\x01", "\x10\x02", 1) + "\x0b",
			address.Report{}},
		"store after a store": {strings.Repeat("\x20\x01\x41\x08\x6a\x22\x01\x24\x00", 2),
			address.Report{Functions: 1, Stores: 1}},
		"stack grows": {"\x20\x01\x41\x07\x4d\x04\x40\x10\x00\x23\x00\x21\x01\x0d\x01\x0b",
			address.Report{Functions: 1, Rare: 1}},
		"no stack pointer": {"\x41\x07\x21\x01" + frame + "\x29\x03\x00\x1a", address.Report{}},
	} {
		b := framing(c.text)
		after, report, err := address.Lower(b, module.Limits{})
		if err != nil || *report != c.want {
			t.Errorf("%s: %+v, want %+v, %v", name, *report, c.want, err)
		}
		if want, got := framed(t, b), framed(t, after); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// TestAddressHostile gives it functions in which each part has much to do.
func TestAddressHostile(t *testing.T) {
	const n = 1 << 16
	grow := "\x20\x01\x41\x08\x6a\x22\x01\x24\x00"
	for name, text := range map[string]string{
		"stack pointers": strings.Repeat(grow, n),
		"ifs":            strings.Repeat("\x20\x01\x41\x07\x4d\x04\x40\x0b", n),
		"nested":         strings.Repeat("\x20\x01\x41\x07\x4d\x04\x40", 1<<11) + strings.Repeat("\x0b", 1<<11),
		"uses":           strings.Repeat("\x03\x40\x20\x01\x29\x03\x00\x1a\x0b", n) + "\x20\x01\x29\x03\x08\x1a",
		"operands":       strings.Repeat("\x20\x01\xad\x42\x10\x7c\xa7", 1<<10) + strings.Repeat("\x1a", 1<<10),
	} {
		b := framing(text)
		out, _, err := address.Lower(b, module.Limits{})
		if err != nil || len(out) > 2*len(b)+1<<10 {
			t.Errorf("%s: %d -> %d bytes, %v", name, len(b), len(out), err)
		}
	}
}

// stepOf is step with other globals.
func stepOf(trace, fuel int) string {
	s := strings.ReplaceAll(step(7), "\x23\x01", "\x23"+number(fuel))
	s = strings.ReplaceAll(s, "\x24\x01", "\x24"+number(fuel))
	return strings.ReplaceAll(strings.ReplaceAll(s, "\x23\x00", "\x23"+number(trace)), "\x24\x00", "\x24"+number(trace))
}

// framed calls f of a module and returns what comes of it.
func framed(t *testing.T, b []byte) string {
	t.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler())
	defer r.Close(ctx)
	m, err := r.Instantiate(ctx, b)
	if err != nil {
		t.Fatalf("%v: %x", err, b)
	}
	m.ExportedGlobal("fuel").(api.MutableGlobal).Set(300)
	result, err := m.ExportedFunction("f").Call(ctx)
	text := ""
	if exit := new(sys.ExitError); errors.As(err, &exit) {
		t.Fatal(err)
	} else if err != nil {
		text, _, _ = strings.Cut(err.Error(), "\n")
	}
	memory, _ := m.Memory().Read(0, m.Memory().Size())
	return fmt.Sprint(result, text, crc32.ChecksumIEEE(memory), m.ExportedGlobal("sp").Get(),
		m.ExportedGlobal("trace").Get(), m.ExportedGlobal("fuel").Get())
}
