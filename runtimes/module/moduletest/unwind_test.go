package moduletest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/edit"
	"github.com/polyvoke/polyvoke/runtimes/module/unwind"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// thrower makes up modules that throw and catch. All that they do leaves a trace in a global; a budget in another
// bounds it.
type thrower struct {
	*rand.Rand
	labels []string // result types of open blocks, the function's first, as letters
	loops  []bool   // which of them are loops
	depth  int
	f      int // the function that is made up
	quiet  int // a bit for each function that does not throw itself, and one for no calls through tables
}

// Shapes of functions and tags. The first types of a module are those of functions. Then there are three for each
// tag: its own, and those of blocks that leave what it carries, and that with a reference to the exception. The last
// are of blocks which take an i32 and leave one, and which do so with a reference.
const (
	throwers      = 8 // functions of a module
	traceGlobal   = "\x23\x00"
	budgetGlobal  = "\x23\x01"
	functionTypes = 4
)

// signatures are those of functions, as letters of parameters and results.
func signatures() [functionTypes][2]string {
	return [functionTypes][2]string{{"i", "i"}, {"", ""}, {"iI", "iF"}, {"Ei", "iE"}}
}

// carried are what the tags' exceptions carry.
func carried() []string { return []string{"", "i", "IF", "iif", "i"} }

// encoded returns value types.
func encoded(letters string) string {
	return strings.NewReplacer("i", "\x7f", "I", "\x7e", "f", "\x7d", "F", "\x7c", "E", "\x69").Replace(letters)
}

// direct reports whether there are no calls through tables.
func (g *thrower) direct() bool { return g.quiet>>throwers == 1 }

// module makes up a module.
func (g *thrower) module() []byte {
	g.quiet = g.IntN(2 << throwers)
	types, tags, functions, bodies, indices := "", "", "", "", ""
	for _, s := range signatures() {
		types += "\x60" + sized(len(s[0]), encoded(s[0])) + sized(len(s[1]), encoded(s[1]))
	}
	for i, c := range carried() {
		types += "\x60" + sized(len(c), encoded(c)) + "\x00"
		types += "\x60\x00" + sized(len(c), encoded(c)) // of blocks that end with it
		types += "\x60\x00" + sized(len(c)+1, encoded(c+"E"))
		tags += "\x00" + number(functionTypes+3*i)
	}
	types += "\x60\x01\x7f\x01\x7f\x60\x01\x69\x01\x69"
	for f := range throwers {
		functions += number(f % functionTypes)
		b := g.function(f)
		bodies += sized(len(b), b)
		indices += number(f)
	}
	exports := "\x03\x05trace\x03\x00\x06budget\x03\x01\x03run\x00\x00"
	return []byte("\x00asm\x01\x00\x00\x00" + part(1, number(functionTypes+3*len(carried())+2)+types) + part(3, number(throwers)+functions) +
		part(4, "\x01\x70\x00"+number(throwers)) + part(13, number(len(carried()))+tags) +
		part(6, "\x02\x7f\x01"+constant(0)+end+"\x7f\x01"+constant(0)+end) + part(7, exports) +
		part(9, "\x01\x00"+constant(0)+end+number(throwers)+indices) + part(10, number(throwers)+bodies))
}

// function makes up a function. It has two locals that are references, and then two that are i32.
func (g *thrower) function(f int) string {
	s := signatures()[f%functionTypes]
	g.f, g.depth, g.labels, g.loops = f, 0, []string{s[1]}, []bool{false}
	b := "\x02\x02\x69\x02\x7f"
	b += budgetGlobal + constant(1) + "\x6b\x24\x01" + budgetGlobal + constant(0) + "\x48\x04\x40" + zeros(s[1]) + "\x0f" + end
	return b + g.code(s[1]) + end
}

// local is one of the locals that are i32.
func (g *thrower) local() string {
	n := len(signatures()[g.f%functionTypes][0])
	return number(n + 2 + g.IntN(2))
}

// kept is one of the locals that are references.
func (g *thrower) kept() string {
	s := signatures()[g.f%functionTypes][0]
	if s == "Ei" && g.IntN(2) == 0 {
		return "\x00"
	}
	return number(len(s) + g.IntN(2))
}

// zeros are values.
func zeros(letters string) string {
	f := strings.Repeat("\x00", 4)
	return strings.NewReplacer("i", constant(0), "I", "\x42\x00", "f", "\x43"+f, "F", "\x44"+f+f, "E", "\xd0\x69").Replace(letters)
}

// values are values that differ.
func (g *thrower) values(letters string) (c string) {
	for _, l := range letters {
		if l == 'E' {
			c += g.reference()
			continue
		}
		v := "\x20" + g.local()
		if g.IntN(2) == 0 {
			v = constant(g.Int64N(100))
		}
		c += v + map[rune]string{'i': "", 'I': "\xac", 'f': "\xb2", 'F': "\xb7"}[l]
	}
	return c
}

// reference is a reference to an exception, or to none.
func (g *thrower) reference() string {
	if g.IntN(6) == 0 {
		return "\xd0\x69"
	}
	return "\x20" + g.kept()
}

// noteReference is code that looks at a reference on the stack, or keeps it.
func (g *thrower) noteReference() string {
	isNull := "\xd1" + traceGlobal + constant(31) + "\x6c\x6a\x24\x00"
	switch g.IntN(5) {
	case 0:
		return "\x1a"
	case 1:
		return isNull
	case 2:
		return "\x22" + g.kept() + isNull
	}
	return "\x21" + g.kept()
}

// note is code that puts values on the stack into the trace.
func (g *thrower) note(letters string) (c string) {
	for i := range letters {
		l := letters[len(letters)-1-i]
		if l == 'E' {
			c += g.noteReference()
			continue
		}
		c += map[byte]string{'i': "", 'I': "\xa7", 'f': "\xbc", 'F': "\xbd\xa7"}[l] + traceGlobal + constant(31) + "\x6c\x6a\x24\x00"
	}
	return c
}

// code is a few steps and then values. Steps that do not go on are last.
func (g *thrower) code(results string) (c string) {
	for range 1 + g.IntN(4) {
		c += g.step()
	}
	if g.IntN(4) > 0 {
		return c + g.values(results)
	}
	l := g.IntN(len(g.labels))
	switch g.IntN(4) {
	case 0:
		return c + g.throw()
	case 1:
		return c + g.values(g.taken(l)) + "\x0c" + number(l)
	case 2:
		return c + g.values(g.labels[0]) + "\x0f"
	}
	return c + g.tailCall()
}

// taken returns what a branch to a label takes.
func (g *thrower) taken(label int) string {
	i := len(g.labels) - 1 - label
	if g.loops[i] {
		return ""
	}
	return g.labels[i]
}

func (g *thrower) throw() string {
	if g.quiet>>g.f&1 == 1 {
		return g.values(g.labels[0]) + "\x0f"
	}
	t := g.IntN(len(carried()))
	throw := g.values(carried()[t]) + "\x08" + number(t)
	switch e := g.kept(); g.IntN(8) {
	case 0, 1, 2: // a reference, if there is one
		return "\x20" + e + "\xd1\x04\x40" + throw + "\x05\x20" + e + "\x0a" + end + "\x00"
	case 3:
		return g.reference() + "\x0a"
	}
	return throw
}

// tailCall is a tail call of a function with the results of this one.
func (g *thrower) tailCall() string {
	typ := g.f % functionTypes
	to := typ + functionTypes*g.IntN(throwers/functionTypes)
	args := g.values(signatures()[typ][0])
	if g.IntN(2) == 0 || g.direct() {
		return args + "\x12" + number(to)
	}
	return args + constant(int64(to)) + "\x13" + number(typ) + "\x00"
}

// call is a call, sometimes through the table, and once in a while of what has another type.
func (g *thrower) call() string {
	f := g.IntN(throwers)
	typ := f % functionTypes
	s := signatures()[typ]
	c := "\x10" + number(f)
	switch n := g.IntN(8); {
	case n > 3 || g.direct():
	case n < 3:
		c = constant(int64(f)) + "\x11" + number(typ) + "\x00"
	default:
		c = constant(int64(g.IntN(throwers+1))) + "\x11" + number(typ) + "\x00"
	}
	return g.values(s[0]) + c + g.note(s[1])
}

// inside is code in a block.
func (g *thrower) inside(results string, loop bool, code func() string) string {
	g.labels, g.loops = append(g.labels, results), append(g.loops, loop)
	g.depth++
	c := code()
	g.depth--
	g.labels, g.loops = g.labels[:len(g.labels)-1], g.loops[:len(g.loops)-1]
	return c + end
}

// step is code that leaves nothing on the stack.
func (g *thrower) step() string {
	plain := func() string { return g.code("") }
	n := g.IntN(11)
	if g.depth > 4 {
		n = g.IntN(6)
	}
	switch n {
	case 0, 1:
		return g.call()
	case 2:
		return g.values("i") + "\x21" + g.local()
	case 3: // one throw in some
		return g.values("i") + constant(int64(1+g.IntN(7))) + "\x71\x45\x04\x40" + g.inside("", false, g.throw)
	case 4:
		l := g.IntN(len(g.labels))
		return g.values(g.taken(l)) + g.values("i") + constant(1) + "\x71\x0d" + number(l) + g.note(g.taken(l))
	case 5:
		return g.table()
	case 6:
		return "\x02\x40" + g.inside("", false, plain)
	case 7: // a loop ends with the budget
		turn := budgetGlobal + constant(1) + "\x6b\x24\x01" + budgetGlobal + constant(0) + "\x4c\x0d\x01"
		return "\x02\x40" + g.inside("", false, func() string {
			return loop + g.inside("", true, func() string { return turn + g.code("") })
		})
	}
	return g.try()
}

// table is a br_table among labels that take the same.
func (g *thrower) table() string {
	l := g.IntN(len(g.labels))
	var same []string
	for i := range g.labels {
		if g.taken(i) == g.taken(l) {
			same = append(same, number(i))
		}
	}
	c := g.values(g.taken(l)) + g.values("i") + constant(7) + "\x71\x0e" + number(len(same)-1) + strings.Join(same, "")
	return g.values("i") + constant(3) + "\x71\x45\x04\x40" + g.inside("", false, func() string { return shiftTable(c, same) })
}

// shiftTable returns the code of a br_table one block deeper.
func shiftTable(c string, labels []string) string {
	c = strings.TrimSuffix(c, strings.Join(labels, ""))
	for _, l := range labels {
		c += string([]byte{l[0] + 1})
	}
	return c
}

// try is a try_table in a block that ends with what an exception carries, or several of both.
func (g *thrower) try() string {
	t, ref := g.IntN(len(carried())), g.IntN(2)
	carries := carried()[t] + strings.Repeat("E", ref)
	block := "\x02" + number(functionTypes+3*t+1+ref)
	return block + g.inside(carries, false, func() string {
		handlers, n := g.handlers(t)
		before, typ, results := "", "\x40", ""
		switch last := functionTypes + 3*len(carried()); g.IntN(5) {
		case 0:
			typ, results = "\x7f", "i"
		case 1:
			typ, results = "\x69", "E"
		case 2: // with a parameter
			before, typ, results = g.values("i"), number(last), "i"
		case 3:
			before, typ, results = g.values("E"), number(last+1), "E"
		}
		body := func() string {
			if before != "" {
				return g.note(results) + g.code(results)
			}
			return g.code(results)
		}
		return before + "\x1f" + typ + number(n) + handlers + g.inside(results, false, body) + g.note(results) +
			g.values(carries)
	}) + g.note(carries)
}

// handlers are those of a try_table in a block for what a tag carries.
func (g *thrower) handlers(t int) (handlers string, n int) {
	for l := range g.labels {
		for tag, c := range carried() {
			ref := strings.TrimPrefix(g.taken(l), c)
			if (ref == "" || ref == "E") && c+ref == g.taken(l) && (g.IntN(3) == 0 || l == 0 && tag == t && g.IntN(8) > 0) {
				handlers += string([]byte{byte(len(ref))}) + number(tag) + number(l)
				n++
			}
		}
		if ref := g.taken(l); (ref == "" || ref == "E") && g.IntN(4) == 0 {
			handlers += string([]byte{byte(2 + len(ref))}) + number(l)
			n++
		}
	}
	return handlers, n
}

// made is an instance of a module that was made up.
type made struct {
	run           api.Function
	trace, budget api.MutableGlobal
}

// call runs it and returns what came of it.
func (m *made) call(ctx context.Context, n uint64) string {
	m.budget.Set(60)
	got, err := m.run.Call(ctx, n)
	if err != nil {
		got = nil
	}
	text := ""
	if err != nil {
		renamed := strings.NewReplacer("uncaught exception", "unreachable", "null reference", "unreachable")
		text = renamed.Replace(firstLine(err))
	}
	return fmt.Sprint(uint32(sum(got)), text, uint32(m.trace.Get()), int32(m.budget.Get()))
}

// sum adds results.
func sum(list []uint64) (n uint64) {
	for _, v := range list {
		n += v
	}
	return n
}

// instance compiles and instantiates a module that was made up.
func instance(t *testing.T, ctx context.Context, r wazero.Runtime, b []byte) *made {
	t.Helper()
	m, err := r.InstantiateWithConfig(ctx, b, wazero.NewModuleConfig().WithName(""))
	if err != nil {
		t.Fatalf("%x: %v", b, err)
	}
	t.Cleanup(func() { m.Close(ctx) })
	return &made{m.ExportedFunction("run"), m.ExportedGlobal("trace").(api.MutableGlobal),
		m.ExportedGlobal("budget").(api.MutableGlobal)}
}

// TestUnwind runs modules that were made up as they are and lowered, by both engines. They must do the same, call by
// call, also after a call that has trapped.
func TestUnwind(t *testing.T) {
	ctx := context.Background()
	compiler := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(features))
	defer compiler.Close(ctx)
	interpreter := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(features))
	defer interpreter.Close(ctx)
	outcomes, lowered := map[string]int{}, unwind.Report{}
	for seed := range uint64(600 / share) {
		g := &thrower{Rand: rand.New(rand.NewPCG(seed, 1))}
		b := g.module()
		m, err := edit.Open(b, module.Limits{})
		if err != nil {
			t.Fatalf("seed %d: %x: %v", seed, b, err)
		}
		r, err := unwind.Apply(m)
		if err != nil {
			t.Fatalf("seed %d: %x: %v", seed, b, err)
		}
		lowered.Functions += r.Functions
		lowered.Tries += r.Tries
		lowered.Throws += r.Throws
		lowered.Checks += r.Checks
		forms := []*made{instance(t, ctx, interpreter, b), instance(t, ctx, interpreter, m.Encode()),
			instance(t, ctx, compiler, m.Encode())}
		for n := range uint64(5) {
			want := forms[0].call(ctx, n)
			outcomes[strings.Trim(want, "-0123456789 ")]++
			for i, f := range forms[1:] {
				if got := f.call(ctx, n); got != want {
					t.Fatalf("seed %d, call %d, form %d: %x: got %s, want %s", seed, n, i, b, got, want)
				}
			}
		}
	}
	t.Logf("%v, %+v", outcomes, lowered)
	if outcomes[""] == 0 || len(outcomes) < 2 || share == 1 && len(outcomes) < 4 {
		t.Errorf("only %v", outcomes)
	}
}

// TestOperands has the operands of every function followed in all modules of the engine's that are valid: each gets a
// reference to an exception that it drops at once. Lowering must know what each instruction takes and leaves, and
// leave behind what is valid.
func TestOperands(t *testing.T) {
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(features))
	defer r.Close(ctx)
	lowered := 0
	corpus(t, func(path string, b []byte) {
		compiled, err := r.CompileModule(ctx, b)
		if err != nil {
			return
		}
		compiled.Close(ctx)
		m, err := edit.Open(b, module.Limits{})
		if err != nil {
			return
		}
		for i, body := range m.Bodies() {
			m.SetBody(i, []byte(string(b[body.Start:body.Code])+"\xd0\x69\x1a"+string(b[body.Code:body.End])))
		}
		out, _, err := unwind.Lower(m.Encode(), module.Limits{})
		if err != nil {
			if strings.Contains(err.Error(), "operands") {
				t.Errorf("%s: %v", path, err)
			}
			return
		}
		lowered++
		if compiled, err = r.CompileModule(ctx, out); err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		compiled.Close(ctx)
	})
	t.Logf("%d modules", lowered)
	if lowered < 2000 {
		t.Errorf("only %d modules were lowered", lowered)
	}
}
