package meter

import (
	"slices"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/edit"
	"github.com/polyvoke/polyvoke/runtimes/module/leb"
)

// section returns a section.
func section(id byte, body string) string {
	return string(leb.AppendU32([]byte{id}, uint32(len(body)))) + body
}

// metered returns a meter of a module of functions without locals, of type () -> (), beside an imported one that is
// function 0.
func metered(t *testing.T, bodies ...string) *meter {
	t.Helper()
	return meteredWith(t, 0, bodies...)
}

// meteredWith is metered with a number of locals in each function.
func meteredWith(t *testing.T, locals uint32, bodies ...string) *meter {
	t.Helper()
	declared := "\x01" + string(leb.AppendU32(nil, locals)) + "\x7f"
	functions, code := string(rune(len(bodies))), string(rune(len(bodies)))
	for _, b := range bodies {
		functions += "\x00"
		b = declared + b + "\x0b"
		code += string(leb.AppendU32(nil, uint32(len(b)))) + b
	}
	file := "\x00asm\x01\x00\x00\x00" + section(1, "\x01\x60\x00\x00") + section(2, "\x01\x01m\x01f\x00\x00") + section(3, functions) +
		section(4, "\x01\x70\x00\x05") + section(5, "\x01\x00\x01") + section(13, "\x01\x00\x00") + section(10, code)
	m, err := edit.Open([]byte(file), module.Limits{}, Hook())
	if err != nil {
		t.Fatal(err)
	}
	w := &meter{m: m, o: Options{Short: defaultShort, Piece: defaultPiece}, imported: 1, types: m.Info.FunctionTypes()[1:]}
	w.graph()
	w.prefix = make([]int64, len(w.types))
	return w
}

// TestPaths checks the longest ways through small functions, in units: an i32.const and a drop are 1 each.
func TestPaths(t *testing.T) {
	const (
		one   = "\x41\x00\x1a" // 2 units
		block = "\x02\x40"
		loop  = "\x03\x40"
		end   = "\x0b"
		again = "\x0c\x00"

		againIf = "\x41\x00\x0d\x00" // 2 units
	)
	for _, c := range []struct {
		name, body string
		want       []int64
		open       bool
	}{
		{"nothing", "", []int64{0}, false},
		{"straight", one + one, []int64{4}, false},
		{"block", one + block + one + end + one, []int64{6}, false},
		{"if", "\x41\x00\x04\x40" + one + one + end + one, []int64{2 + 4 + 2}, false},
		{"if and else, first longer", "\x41\x00\x04\x40" + one + one + "\x05" + one + end + one, []int64{2 + 4 + 2}, false},
		{"if and else, second longer", "\x41\x00\x04\x40" + one + "\x05" + one + one + one + end + one, []int64{2 + 6 + 2}, false},
		{"branch over", block + "\x41\x00\x0d\x00" + one + end + one, []int64{2 + 2 + 2}, false},
		{"branch leaves what follows", block + "\x0c\x00" + one + one + end + one, []int64{1 + 2}, false},
		{"return", one + "\x0f" + one + one, []int64{3}, false},
		{"first turn of a loop", one + loop + one + one + again + end + one, []int64{2 + 5, 5}, false},
		{"first turn of a loop, and what follows",
			one + loop + one + one + againIf + end + one, []int64{2 + 6 + 2, 6}, false},
		{"loop that does not turn", one + loop + one + one + end + one, []int64{8, 4}, false},
		{"loops in one another",
			loop + one + loop + one + one + againIf + end + againIf + end, []int64{2 + 6 + 2, 2 + 6 + 2, 6}, false},
		{"loops one after the other",
			loop + one + againIf + end + loop + one + one + againIf + end, []int64{4 + 6, 4, 6}, false},
		{"branch to the outer loop", loop + one + loop + one + "\x0c\x01" + end + end, []int64{5, 5, 3}, false},
		{"way out of a loop", block + one + loop + one + "\x0c\x01" + end + end + one, []int64{2 + 3 + 2, 3}, false},
		{"loop that turns by two branches",
			one + loop + one + againIf + one + again + end + one, []int64{2, 1 + 2 + 2 + 2 + 1}, false},
		{"loop that turns by br_table", one + loop + "\x41\x00\x0e\x00\x00" + end + one, []int64{2, 1 + 2}, false},
		{"joined loop around one that is not", loop + one + loop + againIf + one + againIf + end + againIf + end + one,
			[]int64{2 + 2 + 2, 2 + 2, 1 + 2 + 2 + 2}, false},
		{"loop with a try_table", one + loop + "\x1f\x40\x00" + one + end + again + end, []int64{2, 1 + 2 + 1}, false},
		{"dead loop", "\x00" + loop + one + end + one, []int64{1, 0}, false},
		{"br_table", block + block + "\x41\x00\x0e\x01\x00\x01" + end + one + one + end + one, []int64{2 + 4 + 2}, false},
		{"imported call", "\x10\x00", []int64{64}, false},
		{"call of itself", "\x10\x01", []int64{1}, true},
		{"call through a table", "\x41\x00\x11\x00\x00", []int64{1 + 102}, true},
		{"call of itself from a loop", loop + "\x10\x01" + again + end, []int64{0, 1 + 2}, false},
		{"call of itself from a loop and outside", "\x10\x01" + loop + "\x10\x01" + again + end, []int64{3, 2}, true},
		{"call of itself from a loop that does not turn", loop + "\x10\x01" + end, []int64{0, 1 + 1}, false},
		{"short fill", "\x41\x00\x41\x00\x41\x0a\xfc\x0b\x00", []int64{3 + 8 + 10}, false},
		{"long fill", "\x41\x00\x41\x00\x41\x80\x10\xfc\x0b\x00", []int64{3 + 8}, false},
		{"handler", block + "\x1f\x40\x01\x02\x00" + one + one + "\x0f" + end + one + end + one, []int64{5 + 2}, false},
		{"handler that is a loop", loop + "\x1f\x40\x01\x02\x00" + one + end + end, []int64{0, 3}, false},
		{"handler outside of a loop", block + one + loop + "\x1f\x40\x01\x02\x01" + one + end + again + end + end + one, []int64{4, 1 + 2 + 1}, false},
		{"handler outside of a joined loop", block + "\x1f\x40\x01\x02\x00" + one + loop + one + again + end + end + end + one, []int64{2 + 3 + 2, 3}, false},
	} {
		w := metered(t, c.body)
		w.paths.find(w, 0)
		if !slices.Equal(w.paths.costs, c.want) || w.paths.open != c.open {
			t.Errorf("%s: got %v (open: %v), want %v", c.name, w.paths.costs, w.paths.open, c.want)
		}
	}
}

// TestCuts checks where the way becomes so long that it is charged in pieces.
func TestCuts(t *testing.T) {
	const one, block, loop, end, again = "\x41\x00\x1a", "\x02\x40", "\x03\x40", "\x0b", "\x0c\x00"
	long := strings.Repeat(one, defaultPiece/2)
	for _, c := range []struct {
		name, body  string
		costs, cuts []int64
	}{
		{"no longer than it may be", long, []int64{defaultPiece}, nil},
		{"straight", long + one + long, []int64{defaultPiece}, []int64{defaultPiece, 2}},
		{"in a block, and behind it", block + long + one + end + one, []int64{defaultPiece}, []int64{2, 2}},
		{"at the end of a block", block + long + end, []int64{defaultPiece}, nil},
		{"before a block", long + block + one + end + one, []int64{defaultPiece}, []int64{2 + 2}},
		{"in an if, and behind its else", "\x41\x00\x04\x40" + long + one + "\x05" + one + end + one, []int64{defaultPiece}, []int64{2 + 2, 2}},
		{"in an else", "\x41\x00\x04\x40" + one + "\x05" + long + one + end + one, []int64{defaultPiece}, []int64{2 + 2, 2}},
		{"past a branch", block + "\x41\x00\x0d\x00" + long + end + one, []int64{defaultPiece}, []int64{2, 2}},
		{"in a joined loop",
			one + loop + long + one + again + end, []int64{defaultPiece, defaultPiece - 2}, []int64{2 + 2 + 1}},
		{"in a loop that turns by two branches", one + loop + "\x41\x00\x0d\x00" + long + again + end, []int64{2, defaultPiece}, []int64{1 + 2 + 1}},
		{"before a loop", long + loop + one + again + end, []int64{defaultPiece, 3}, []int64{3}},
		{"before a handler", long + block + "\x1f\x40\x01\x02\x00" + one + end + end + one, []int64{defaultPiece}, []int64{4}},
		{"a recursion behind it", long + "\x10\x01", []int64{defaultPiece}, []int64{1}},
		{"dead code", "\x00" + long + one, []int64{1}, nil},
	} {
		w := metered(t, c.body)
		w.paths.find(w, 0)
		var cuts []int64
		for _, c := range w.paths.cuts {
			cuts = append(cuts, c.cost)
		}
		if !slices.Equal(w.paths.costs, c.costs) || !slices.Equal(cuts, c.cuts) {
			t.Errorf("%s: got %v and %v, want %v and %v", c.name, w.paths.costs, cuts, c.costs, c.cuts)
		}
	}
}

// TestPrefix checks who pays for the entry of a function.
func TestPrefix(t *testing.T) {
	long := ""
	for range 51 {
		long += "\x41\x00\x1a"
	}
	w := metered(t, "\x10\x02\x10\x03", "\x41\x00\x1a", long, "\x10\x05", "\x10\x04")
	for f, want := range []int64{1 + 2 + 1, 2, 0, 0, 0} {
		for _, f := range []uint32{1, 2} {
			w.plan(f)
		}
		if w.plan(uint32(f)); w.prefix[f] != want {
			t.Errorf("function %d: got %d, want %d", f, w.prefix[f], want)
		}
	}
}

func TestComponents(t *testing.T) {
	groups, group := components([][]uint32{{1}, {2, 3}, {0}, {4}, {4}, nil})
	if len(groups) != 4 || len(groups[2]) != 3 || group[0] != group[2] || group[3] <= group[4] || group[0] <= group[3] {
		t.Errorf("got %v, %v", groups, group)
	}
	deep := make([][]uint32, 200_000) // a chain: no recursion must be needed
	for i := range len(deep) - 1 {
		deep[i] = []uint32{uint32(i + 1)}
	}
	if groups, _ := components(deep); len(groups) != len(deep) || groups[0][0] != uint32(len(deep)-1) {
		t.Errorf("got %d groups", len(groups))
	}
}

func TestClassify(t *testing.T) {
	want := []byte{leading, recursive, recursive, straight, straight, recursive}
	if got := classify([][]uint32{{1}, {2}, {1}, {4}, nil, {5}}); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

// TestTests checks that each cycle of calls has a function that tests the stack, and that not all have.
func TestTests(t *testing.T) {
	call := func(functions ...int) (body string) {
		for _, f := range functions {
			body += "\x10" + string(rune(f+1))
		}
		return body
	}
	table := "\x41\x00\x11\x00\x00"
	for _, c := range []struct {
		name   string
		bodies []string
		want   []bool
	}{
		{"no recursion", []string{call(1), call(2), ""}, []bool{false, false, false}},
		{"itself", []string{call(1), call(1)}, []bool{false, true}},
		{"each other", []string{call(1), call(2), call(0)}, []bool{true, false, false}},
		{"two cycles", []string{call(1, 2), call(0), call(0)}, []bool{true, false, false}},
		{"a cycle in another", []string{call(1), call(2), call(1, 0)}, []bool{true, true, false}},
		{"through a table", []string{"\xd2\x01\x1a" + call(1), table}, []bool{true, false}},
	} {
		w := metered(t, c.bodies...)
		if got := w.findDepths().tests; !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// TestUntested checks that functions do not take much stack in all until one tests it, also if they are one large
// cycle.
func TestUntested(t *testing.T) {
	var bodies []string
	for f := range 40 {
		bodies = append(bodies, "\x10"+string(rune((f+1)%40+1)))
	}
	w := meteredWith(t, 1000, bodies...)
	tests, taken := w.findDepths().tests, int64(0)
	for f := range 2 * len(tests) { // once around, and from wherever that was to the next one
		if taken += w.frame(uint32(f % len(tests))); tests[f%len(tests)] {
			taken = 0
		}
		if taken > untested {
			t.Fatalf("%d bytes are taken up to function %d: %v", taken, f%len(tests), tests)
		}
	}
	if n := len(slices.DeleteFunc(slices.Clone(tests), func(is bool) bool { return !is })); n > len(tests)/4 {
		t.Errorf("%d of %d functions test the stack", n, len(tests))
	}
}
