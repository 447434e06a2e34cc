package moduletest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/module/meter"
	"github.com/polyvoke/polyvoke/runtimes/module/rewrite"
	"github.com/tetratelabs/wazero"
)

// hostile are guests that do not end, or not within a lifetime.
func hostile() map[string]*guest {
	const big = 4 << 20
	call := func(next int) string { return "\x10" + number(next) }
	indirect := func(next int) string { return constant(int64(next)) + "\x11\x00\x00" }
	// A function 1 that calls itself 15,000 times: if ++memory[0] < 15,000.
	deep := constant(0) + constant(0) + "\x28\x02\x00" + constant(1) + "\x6a\x36\x02\x00" + constant(0) + "\x28\x02\x00" + constant(15_000) + "\x48\x04\x40\x10\x01" + end
	twice := func(f func(int) string) func(int) string { return func(n int) string { return f(n) + f(n) } }
	return map[string]*guest{
		"endless loop":                {pages: 1, bodies: []string{loop + again + end}},
		"endless loop at the start":   {pages: 1, start: true, bodies: []string{loop + again + end}},
		"endless loop with br_if":     {pages: 1, bodies: []string{loop + constant(1) + "\x0d\x00" + end}},
		"loop with two branches back": {pages: 1, bodies: []string{loop + constant(1) + "\x0d\x00" + again + end}},
		"loop in a loop that turns once": {pages: 1,
			bodies: []string{loop + loop + constant(0) + "\x0d\x00" + end + again + end}},
		"loop with an operand":           {pages: 1, bodies: []string{constant(1) + "\x03\x01" + "\x0c\x00" + end + drop}},
		"loop with an operand and br_if": {pages: 1, bodies: []string{constant(1) + "\x03\x01" + constant(1) + "\x0d\x00" + end + drop}},
		"first turn of a loop":           {pages: 1, bodies: []string{loop + "\x10\x01" + again + end, loop + constant(0) + "\x0d\x00" + end}},
		"loop left for a loop":           {pages: 1, bodies: []string{loop + loop + "\x0c\x01" + end + end}},
		"2^38 calls without a loop":      {pages: 1, bodies: chain(39, twice(call), "")},
		"2^38 indirect calls":            {pages: 1, bodies: chain(39, twice(indirect), "")},
		"br_table loop":                  {pages: 1, bodies: []string{loop + block + block + constant(1) + "\x0e\x02\x00\x01\x02" + end + end + again + end}},
		"memory.fill x 400": {pages: 64,
			bodies: []string{strings.Repeat(constant(0)+constant(7)+constant(big)+fill, 400)}},
		"memory.copy x 400, overlapping": {pages: 64,
			bodies: []string{strings.Repeat(constant(1)+constant(0)+constant(big-1)+copyMem, 400)}},
		"memory.fill in a loop": {pages: 64,
			bodies: []string{loop + constant(0) + constant(7) + constant(big) + fill + again + end}},
		"memory.fill of 1 KB in a loop": {pages: 1,
			bodies: []string{loop + strings.Repeat(constant(0)+constant(7)+constant(1024)+fill, 100) + again + end}},
		"memory.init in a loop": {pages: 2, bodies: []string{loop + constant(0) + constant(0) + constant(65536) + "\xfc\x08\x00\x00" + again + end}},
		"table.fill in a loop": {pages: 1,
			bodies: []string{loop + constant(0) + nullRef + constant(100_000) + tableSet + again + end}},
		"table.copy in a loop": {pages: 1, bodies: []string{loop + constant(1) + constant(0) + constant(99_999) + "\xfc\x0e\x01\x01" + again + end}},
		"table.grow loop": {pages: 1,
			bodies: []string{loop + nullRef + constant(1000) + "\xfc\x0f\x01" + drop + again + end}},
		"memory.grow loop": {pages: 1,
			bodies: []string{loop + constant(1) + "\x40\x00" + drop + again + end}},
		"tail calls":                          {pages: 1, bodies: []string{"\x12\x01", "\x12\x00"}},
		"tail call of itself":                 {pages: 1, bodies: []string{"\x12\x00"}},
		"indirect tail calls":                 {pages: 1, bodies: []string{constant(1) + "\x13\x00\x00", constant(0) + "\x13\x00\x00"}},
		"tail calls from a loop":              {pages: 1, bodies: []string{loop + "\x12\x00" + end}},
		"exceptions thrown to a loop":         {pages: 1, bodies: []string{loop + "\x1f\x40\x01\x02\x00\x08\x00" + end + end}},
		"try_tables on what was a deep stack": {pages: 1, bodies: []string{"\x10\x01" + loop + "\x1f\x40\x01\x02\x00" + end + again + end, deep}},
		"exceptions thrown out of a block":    {pages: 1, bodies: []string{loop + block + "\x1f\x40\x01\x02\x00" + "\x10\x01" + end + end + again + end, "\x08\x00"}},
	}
}

// ended is how a metered run ended.
type ended struct {
	err  error
	used int64 // units
	took time.Duration
	gap  time.Duration // the longest that no fuel was asked for
}

// spend runs a guest in slices until it has used up a budget.
func spend(t *testing.T, g *guest, o rewrite.Options, slice, budget int64) (ended, *rewrite.Report) {
	t.Helper()
	b, report, err := rewrite.Rewrite(g.build(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCoreFeatures(features))
	defer r.Close(ctx)
	fuel := &gauge{slice: slice, budget: budget}
	if err := fuel.offer(ctx, r); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	m, err := r.InstantiateWithConfig(ctx, b, wazero.NewModuleConfig().WithStartFunctions())
	if err == nil {
		_, err = m.ExportedFunction("_start").Call(ctx)
		return ended{err, fuel.given - int64(m.ExportedGlobal(meter.FuelName).Get()), time.Since(start), fuel.gap}, report
	}
	return ended{err, fuel.given - fuel.left, time.Since(start), fuel.gap}, report
}

// TestHostile checks that everything hostile ends soon after its budget is used up: by no more than a slice
// and the largest charge at once. The count is the same each time.
func TestHostile(t *testing.T) {
	const slice, budget = 100_000, 20_000_000
	all := hostile()
	for name, g := range hostile() {
		if strings.Contains(name, "exception") || strings.Contains(name, "try_table") {
			all[name+", by the engine"] = g
		}
	}
	for name, g := range all {
		t.Run(name, func(t *testing.T) {
			o := rewrite.Options{MemoryMax: 1024, KeepExceptions: strings.HasSuffix(name, "by the engine")}
			got, report := spend(t, g, o, slice, budget)
			if !errors.Is(got.err, errSpent) {
				t.Fatalf("ended with the error %v", got.err)
			}
			if most := budget + slice + max(report.Meter.Longest, 1<<16); got.used < budget || got.used > most {
				t.Errorf("used %d units, want %d to %d", got.used, int64(budget), most)
			}
			if got.took > 20*time.Second { // milliseconds, on a machine that does nothing else
				t.Errorf("took %v", got.took)
			}
			if again, _ := spend(t, g, o, slice, budget); again.used != got.used {
				t.Errorf("used %d units, then %d", got.used, again.used)
			}
			t.Logf("%d units in %v, at most %v between two slices", got.used, got.took, got.gap)
		})
	}
}

// TestRecursion checks that endless recursions of all kinds trap when their share of the stack is used up, long
// before the engine's is, and that tail calls do not count as recursion.
func TestRecursion(t *testing.T) {
	const stack, kept = 1 << 20, ", with the engine's exceptions"
	for name, bodies := range map[string][]string{
		"itself":                    {"\x10\x00"},
		"each other":                {"\x10\x01", "\x10\x00"},
		"through a table":           {constant(1) + "\x11\x00\x00", constant(0) + "\x11\x00\x00"},
		"before a loop and from it": {"\x10\x00" + loop + "\x10\x00" + again + end},
		"from a loop in a loop":     {loop + loop + constant(0) + "\x0d\x00" + end + "\x10\x00" + again + end},
		"around":                    chain(40, func(next int) string { return "\x10" + number(next) }, "\x10\x00"),
		"from a loop":               {loop + "\x10\x00" + again + end},
		"tail call between":         {"\x12\x01", "\x10\x00"},
		"in a handler" + kept:       {block + "\x1f\x40\x01\x02\x00\x08\x00" + end + end + "\x10\x00"},
		"in a try_table" + kept:     {"\x1f\x40\x00\x10\x00" + end},
		"in a handler":              {block + "\x1f\x40\x01\x02\x00\x08\x00" + end + end + "\x10\x00"},
		"after leading in":          {"\x10\x01", "\x10\x02", "\x10\x01"},
		"in a try_table":            {"\x1f\x40\x00\x10\x00" + end},
		"no recursion, but try_tables in one another" + kept: chain(100, func(next int) string {
			return "\x1f\x40\x00\x10" + number(next) + end
		}, ""),
	} {
		t.Run(name, func(t *testing.T) {
			got, report := spend(t, &guest{pages: 1, bodies: bodies},
				rewrite.Options{Stack: stack, KeepExceptions: strings.HasSuffix(name, kept)}, 1e6, 50e6)
			if got.err == nil || !strings.Contains(got.err.Error(), "unreachable") {
				t.Errorf("ended with the error %v", got.err)
			}
			if most := int64(stack / 64); got.used > 300*most {
				t.Errorf("used %d units for %d calls at most", got.used, most)
			}
			if report.Meter.Recursive == 0 {
				t.Errorf("got %+v", report.Meter)
			}
		})
	}
	for _, name := range []string{
		"tail calls", "tail call of itself", "indirect tail calls", "tail calls from a loop", "2^38 indirect calls",
	} {
		if got, _ := spend(t, hostile()[name], rewrite.Options{Stack: stack}, 1e6, 20e6); !errors.Is(got.err, errSpent) {
			t.Errorf("%s: ended with the error %v", name, got.err)
		}
	}
}

// TestWideTailCalls checks that a tail call takes from the stack what an ordinary call does if the engine makes one
// of it, since the parameters or results are too many for the registers of some processor.
func TestWideTailCalls(t *testing.T) {
	const stack = 1 << 20
	const i32, f32, zero32, zeroF = "\x7f", "\x7d", "\x41\x00", "\x43\x00\x00\x00\x00"
	rep := strings.Repeat
	for _, c := range []struct {
		name            string
		params, results string
		arguments       string
		want            string
	}{
		{"6 integers", rep(i32, 6), "", rep(zero32, 6), errSpent.Error()},
		{"7 integers", rep(i32, 7), "", rep(zero32, 7), "unreachable"},
		{"100 integers", rep(i32, 100), "", rep(zero32, 100), "unreachable"},
		{"8 floats", rep(f32, 8), "", rep(zeroF, 8), errSpent.Error()},
		{"9 floats", rep(f32, 9), "", rep(zeroF, 9), "unreachable"},
		{"6 integers and 8 floats", rep(i32, 6) + rep(f32, 8), "", rep(zero32, 6) + rep(zeroF, 8), errSpent.Error()},
		{"8 results", "", rep(i32, 8), "", errSpent.Error()},
		{"9 results", "", rep(i32, 9), "", "unreachable"},
	} {
		for how, call := range map[string]string{"direct": "\x12\x01", "through a table": constant(1) + "\x13\x02\x00"} {
			pass := ""
			for i := range c.params {
				pass += "\x20" + number(i)
			}
			g := &guest{pages: 1, wide: sized(len(c.params), c.params) + sized(len(c.results), c.results),
				bodies: []string{c.arguments + "\x10\x01" + rep(drop, len(c.results)), pass + call}}
			got, _ := spend(t, g, rewrite.Options{Stack: stack}, 1e6, 20e6)
			if got.err == nil || !strings.Contains(got.err.Error(), c.want) {
				t.Errorf("%s, %s: ended with the error %v, want %s", c.name, how, got.err, c.want)
			}
		}
	}
}

// TestBulk checks that bulk operations which go through helpers do what the instructions do, up to the last byte and
// at every edge.
func TestBulk(t *testing.T) {
	const size = 5 << 16
	for _, c := range []struct {
		name       string
		d, s, n    int64
		op         string
		everything func(mem []byte) bool // nil: it traps, and has no effect
	}{
		{"fill", 3, 7,
			size - 3, fill, func(m []byte) bool { return m[2] == 'x' && strings.Count(string(m), "\x07") == size-3 }},
		{"fill of nothing at the end", size, 7, 0, fill, func(m []byte) bool { return m[size-1] == 0 }},
		{"fill too far", 4, 7, size - 3, fill, nil},
		{"fill from beyond", -1, 7, size - 3, fill, nil},
		{"copy up, overlapping", 10, 0, size - 10, copyMem,
			func(m []byte) bool { return string(m[10:65546]) == strings.Repeat("x", 65536) && m[65546] == 0 }},
		{"copy down, overlapping", 0, 10, size - 10, copyMem,
			func(m []byte) bool { return string(m[:65526]) == strings.Repeat("x", 65526) && m[65526] == 0 }},
		{"copy too far", 1, 0, size, copyMem, nil},
		{"copy from too far", 0, 1, size, copyMem, nil},
		{"init", size - 65536, 0, 65536, "\xfc\x08\x00\x00", func(m []byte) bool { return m[size-65537] == 0 && strings.Count(string(m), "x") == 2*65536 }},
		{"init from too far", 0, 1, 65536, "\xfc\x08\x00\x00", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Memory begins with a page of x, and zeros.
			begin := constant(0) + constant(0) + constant(65536) + "\xfc\x08\x00\x00"
			g := &guest{pages: 5, bodies: []string{begin + constant(c.d) + constant(c.s) + constant(c.n) + c.op}}
			mem, err := memoryAfter(t, g)
			switch {
			case c.everything != nil && (err != nil || !c.everything(mem)):
				t.Errorf("got the error %v, or wrong bytes", err)
			case c.everything == nil && (err == nil || !strings.Contains(err.Error(), "out of bounds") ||
				strings.Count(string(mem), "x") != 65536 || mem[65536] != 0):
				t.Errorf("got the error %v, or an effect", err)
			}
		})
	}
}

// memoryAfter runs a guest to its end and returns its memory.
func memoryAfter(t *testing.T, g *guest) ([]byte, error) {
	t.Helper()
	b, report, err := rewrite.Rewrite(g.build(), rewrite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if report.Meter.Bulk < 1 {
		t.Fatalf("no helper is used: %+v", report.Meter)
	}
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCoreFeatures(features))
	t.Cleanup(func() { r.Close(ctx) })
	if err := (&gauge{slice: 1e6}).offer(ctx, r); err != nil {
		t.Fatal(err)
	}
	m, err := r.InstantiateWithConfig(ctx, b, wazero.NewModuleConfig().WithStartFunctions())
	if err != nil {
		t.Fatal(err)
	}
	_, callErr := m.ExportedFunction("_start").Call(ctx)
	mem, _ := m.Memory().Read(0, m.Memory().Size())
	return mem, callErr
}
