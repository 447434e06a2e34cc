package hostiletest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest/level"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// bomb is a module that costs whoever reads or compiles it more than it should.
type bomb struct {
	name   string
	module []byte
	by     refusal
}

// refusal is who refuses a bomb.
type refusal int

const (
	byCheck  refusal = iota // before anything is compiled, and within a moment
	byLimits                // the compiler's limits of time and memory
	byAnyone                // or nobody: a compiler may be good enough for it
)

// header is how a module begins.
const header = "\x00asm\x01\x00\x00\x00"

// decoderBombs are small modules that claim to hold more than there is.
func decoderBombs() []bomb {
	const all, fifty = "\xff\xff\xff\xff\x0f", "\x80\xe1\xeb\x17" // 2^32-1 and 50,000,000
	raw := func(s string) []byte { return []byte(header + s) }
	command := func(f ...function) []byte { return guest{functions: f}.build() }
	code := func(body string) []byte {
		return raw(section(1, "\x01\x60\x00\x00") + section(3, "\x01\x00") + section(10, "\x01"+body))
	}
	b := []bomb{
		{name: "2^32-1 parameters", module: raw(section(1, "\x01\x60"+all))},
		{name: "2^32-1 entries of an element segment",
			module: raw(section(1, "\x01\x60\x00\x00") + section(3, "\x01\x00") + section(4, "\x01\x70\x00\x01") +
				section(9, "\x01\x00"+i32(0)+end+all))},
		{name: "2^32-1 names", module: []byte(string(command(entry("")...)) + section(0, "\x04name\x01\x05"+all))},
		{name: "a body of 2^31 bytes", module: code("\x80\x80\x80\x80\x08")},
		{name: "a data segment of 2^31 bytes",
			module: raw(section(5, "\x01\x00\x01") + section(11, "\x01\x00"+i32(0)+end+"\x80\x80\x80\x80\x08"))},
		{name: "a data segment out of bounds",
			module: guest{functions: entry(""), data: []string{active(65_536, "x")}}.build()},
		{name: "a data segment at the end of the address space",
			module: guest{functions: entry(""), data: []string{active(-1, "xy")}}.build()},
		{name: "4*10^9 locals", module: command(function{locals: "\x01\x80\xd0\xac\xf3\x0e\x7f"})},
		{name: "10^8 locals", module: command(function{locals: locals(100_000_000, i32Type)})},
		{name: "10^7 locals", module: command(function{locals: locals(10_000_000, i32Type)})},
		{name: "50,000 groups of 2^31 locals",
			module: command(function{locals: number(50_000) + rep(50_000, "\xff\xff\xff\xff\x07\x7f")})},
		{name: "50,000 locals in each of 1000 functions",
			module: command(many1000(function{locals: locals(50_000, i64Type)})...)},
		{name: "a br_table of 2^32-1 labels", module: command(function{code: i32(0) + "\x0e" + all})},
		{name: "a name of 2^32-1 bytes", module: raw(section(0, all))},
		{name: "a section that is longer than the module", module: raw("\x01" + all)},
		{name: "65,536 pages of memory", module: guest{pages: 65_536, functions: entry("")}.build()},
		{name: "65,535 pages of memory", module: guest{pages: 65_535, functions: entry("")}.build()},
		{name: "a table of 2^27 entries",
			module: guest{tables: []string{"\x70\x00" + number(1<<27)}, functions: entry("")}.build()},
		{name: "ten tables of 1,000,000 entries",
			module: guest{tables: many(10, "\x70\x00"+number(1_000_000)), functions: entry("")}.build()},
		{name: "10,000 tables", module: guest{tables: many(10_000, "\x70\x00\x00"), functions: entry("")}.build()},
	}
	for _, id := range []byte{1, 2, 3, 4, 6, 7, 9, 10, 11, 12, 13} {
		b = append(b, bomb{name: "section " + hexOf(string(id)) + " of 2^32-1 items", module: raw(section(id, all))},
			bomb{name: "section " + hexOf(string(id)) + " of 50,000,000 items", module: raw(section(id, fifty))})
	}
	return b
}

// many1000 is a function 1000 times.
func many1000(f function) (list []function) {
	for range 1000 {
		list = append(list, f)
	}
	return list
}

// compilerBombs are modules that are valid, but for their size, and take a compiler minutes or gigabytes.
func compilerBombs() []bomb {
	command := func(f ...function) []byte { return guest{functions: f}.build() }
	nested := func(n int, what string) []byte { return command(entry(rep(n, what) + rep(n, end))...) }
	empty := func(n int) []byte {
		return []byte(header + section(1, "\x01\x60\x00\x00") + section(3, number(n)+rep(n, "\x00")) +
			section(5, "\x01\x00\x01") + section(7, "\x02"+text("_start")+"\x00\x00"+text("memory")+"\x02\x00") +
			section(10, number(n)+rep(n, "\x02\x00\x0b")))
	}
	labels := func(n int) string { return i32(0) + "\x0e" + number(n) + rep(n+1, "\x00") }
	step := func(v int) string { return get(v) + i32(1) + add + tee(v) }
	manyLoops := func(loops, l int) []byte {
		var code strings.Builder
		for i := range loops {
			code.WriteString(loop + step(i%l) + "\x0d\x00" + end)
		}
		return command(function{locals: locals(l, i32Type), code: code.String()})
	}
	manyIfs := func(ifs, l int) []byte {
		steps := ""
		for i := range l {
			steps += step(i) + drop
		}
		return command(function{locals: locals(l, i32Type), code: rep(ifs, get(0)+"\x04\x40"+steps+end)})
	}
	wide := rep(1000, "i")
	tower := rep(999, block)
	return []bomb{
		{"10^6 empty functions", empty(1_000_000), byCheck},
		{"10^5 empty functions", empty(100_000), byAnyone},
		{"10^4 nested blocks", nested(10_000, block), byAnyone},
		{"2*10^4 nested blocks", nested(20_000, block), byCheck},
		{"10^5 nested blocks", nested(100_000, block), byCheck},
		{"5000 nested blocks", nested(4999, block), byAnyone},
		{"8000 nested ifs", nested(8000, i32(0)+"\x04\x40"), byAnyone},
		{"10^5 calls in 5000 nested blocks",
			command(entry(rep(5000, block) + rep(100_000, call(1)) + rep(5000, end))[0], function{}), byCheck},
		{"10^5 branches out of 5000 nested blocks",
			command(entry(rep(5000, block) + rep(100_000, i32(0)+"\x0d\x87\x27") + rep(5000, end))...), byCheck},
		{"3*10^4 nested ifs", nested(30_000, i32(0)+"\x04\x40"), byCheck},
		{"990 nested ifs over 1000 locals",
			command(function{locals: locals(1000, i32Type), code: rep(990, get(0)+"\x04\x40"+step(7)+set(8)) + rep(990, end)}),
			byAnyone},
		{"a br_table of 10^5 labels", command(entry(labels(100_000))...), byCheck},
		{"a br_table of 10^6 labels", command(entry(labels(1_000_000))...), byCheck},
		{"1000 br_tables of 1000 labels", command(entry(rep(1000, block+labels(1000)+end))...), byCheck},
		{"65 br_tables of 1000 labels out of 999 blocks",
			command(entry(tower + rep(65, block+i32(0)+"\x0e"+list(numbers(999))+number(0)+end) + rep(999, end))...), byAnyone},
		{"10^4 loops over 1000 locals", manyLoops(10_000, 1000), byLimits},
		{"3000 loops over 300 locals", manyLoops(3000, 300), byAnyone},
		{"50,000 loops over 4 locals", manyLoops(50_000, 4), byLimits},
		{"1000 ifs over 1000 locals", manyIfs(1000, 1000), byCheck},
		{"800 ifs over 1000 locals", manyIfs(800, 1000), byLimits},
		{"10^6 additions", command(entry(i32(0) + rep(1_000_000, i32(1)+add) + drop)...), byAnyone},
		{"10^6 numbers, added in the end", command(entry(rep(1_000_000, i32(1)) + rep(999_999, add) + drop)...), byAnyone},
		{"1000 calls with 1000 parameters",
			command(function{code: rep(1000, rep(1000, i32(0))+call(1))}, function{typ: wide}), byAnyone},
		{"1001 parameters", command(function{}, function{typ: wide + "i"}), byCheck},
		{"100 functions that return 1000 values",
			command(append([]function{{code: rep(100, call(1)+rep(1000, drop))}},
				function{typ: ">" + wide, code: rep(1000, i32(0))})...), byAnyone},
		{"50,000 locals that all live",
			command(function{locals: locals(50_000, v128Type),
				code: loop + rep(3000, get(0)+set(49_999)+get(25_000)+set(1)) + again + end}), byAnyone},
		{"20,000 vectors on the stack", command(entry(rep(20_000, v128) + rep(20_000, drop))...), byAnyone},
		{"500 handlers in one another",
			guest{tags: 1, functions: entry(rep(490, block+catchAll) + rep(490, end+end))}.build(), byAnyone},
		{"5000 handlers in a row over 300 locals",
			guest{tags: 1,
				functions: []function{{locals: locals(300, i32Type),
					code: rep(5000, block+catchAll+step(7)+drop+throw+end+end)}}}.build(), byAnyone},
		{"20,000 bulk operations", command(entry(rep(20_000, i32(0)+i32(0)+i32(0)+copyUp))...), byAnyone},
		{"10^6 globals", guest{globals: many(1_000_000, "\x7f\x01"+i32(0)+end), functions: entry("")}.build(), byCheck},
		{"a global whose value is the sum of 10^6 numbers",
			guest{globals: []string{"\x7f\x00" + rep(1_000_000, i32(1)) + rep(999_999, add) + end},
				functions: entry("")}.build(), byCheck},
		{"90,000 exports", guest{exports: names(90_000), functions: entry("")}.build(), byAnyone},
		{"2000 types", guest{types: []string{rep(900, "i")}, functions: manyTypes(2000)}.build(), byAnyone},
		{"10^5 data segments", guest{data: many(100_000, active(0, "")), functions: entry("")}.build(), byAnyone},
		{"5000 element segments of 1000 functions",
			guest{tables: []string{"\x70\x00" + number(1000)}, elements: many(5000, "\x00"+i32(0)+end+list(many(1000, "\x00"))),
				functions: entry("")}.build(), byCheck},
		{"16 MiB of nothing", command(entry(rep(16<<20, "\x01"))...), byCheck},
		{"7 MiB of nothing", command(entry(rep(7<<20, "\x01"))...), byAnyone},
		{"a function that can be reached by nobody", command(entry(trap + rep(500_000, "\x45"))...), byAnyone},
	}
}

// manyTypes returns functions of so many different types.
func manyTypes(n int) (list []function) {
	list = append(list, function{})
	for i := range n {
		list = append(list, function{typ: rep(i%30, "i") + rep(i/30, "I")})
	}
	return list
}

// checkTime is how long a module may take until it is compiled or refused, in a test on a machine that does much else.
const checkTime = 45 * time.Second

// TestBombs uploads bombs beside a good function that is called all the while. Those that the check has to refuse do
// not get to a compiler, since there is none; the others are compiled, or refused because of the limits that the
// compiler has.
func TestBombs(t *testing.T) {
	s := newSlots()
	none := newRuntime(t, wasi.Config{Compiler: []string{"/nowhere/compiler"}, CacheDir: t.TempDir()})
	limited := newRuntime(t, wasi.Config{CacheDir: t.TempDir(), CompileTimeout: 5 * time.Second, CompileMemory: 256 << 20})
	good, err := newRuntime(t, wasi.Config{}).Compile(t.Context(), runtimestest.Wasm(), runtimes.Options{})
	if err != nil {
		t.Fatal(err)
	}
	bombs := append(decoderBombs(), some(compilerBombs())...)
	end := beside(t, good, s, time.Millisecond)
	defer func() {
		if took := end(); len(took) == 0 {
			t.Error("the good function was not called")
		}
	}()
	level.Check(t, rounds, func() {
		for _, b := range bombs {
			b.upload(t, none, limited)
		}
	})
}

// upload has a bomb compiled.
func (b *bomb) upload(t *testing.T, none, limited runtimes.Runtime) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r := limited
	if b.by == byCheck {
		r = none
	}
	start := time.Now()
	g, err := r.Compile(ctx, b.module, runtimes.Options{})
	took := time.Since(start)
	var refused *runtimes.ModuleError
	switch {
	case took > checkTime:
		t.Errorf("%s: answered after %v", b.name, took)
	case err == nil:
		err = g.Close(t.Context())
		if b.by != byAnyone || err != nil {
			t.Errorf("%s was compiled; close: %v", b.name, err)
		}
	case !errors.As(err, &refused):
		t.Errorf("%s: got the error %v", b.name, err)
	}
	if testing.Verbose() {
		t.Logf("%s, %d bytes: %v in %v", b.name, len(b.module), err, took.Round(time.Millisecond))
	}
}
