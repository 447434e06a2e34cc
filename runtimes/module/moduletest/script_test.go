package moduletest

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/meter"
	"github.com/polyvoke/polyvoke/runtimes/module/rewrite"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// script is a test of the WebAssembly specification, as wast2json writes it.
type script struct {
	Commands []command
}

// command is one step of a script.
type command struct {
	Type, Name, As, Filename, Text string
	Line                           int
	ModuleType                     string `json:"module_type"`
	Action                         struct {
		Type, Module, Field string
		Args                []value
	}
	Expected []value
}

// value is an argument or a result.
type value struct {
	Type     string
	LaneType string `json:"lane_type"`
	Value    any
}

// form is a way to run scripts.
type form struct {
	name   string
	config wazero.RuntimeConfig
	change func(b []byte) ([]byte, error)
	slice  int64
	stack  int32
}

// tally counts by name. Any number of goroutines may use it.
type tally struct {
	mu sync.Mutex
	n  map[string]int
}

// add adds n to what has a name.
func (t *tally) add(name string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n == nil {
		t.n = map[string]int{}
	}
	t.n[name] += n
}

// rewritten returns what a form makes of a binary. It counts how many had exceptions that were lowered, and that
// stayed.
func rewritten(o rewrite.Options, lowered *tally) func(b []byte) ([]byte, error) {
	return func(b []byte) ([]byte, error) {
		out, r, err := rewrite.Rewrite(b, o)
		switch {
		case err != nil:
		case r.Unwind != nil:
			lowered.add("lowered", 1)
		case r.Exceptions != "":
			lowered.add(r.Exceptions, 1)
		}
		return out, err
	}
}

// checked changes nothing, but refuses what must be.
func checked(b []byte) ([]byte, error) {
	_, err := module.Parse(b)
	return b, err
}

// gauge is the host's side of metering: it hands out fuel in slices.
type gauge struct {
	slice  int64
	given  int64
	left   int64 // at the last call
	budget int64 // 0: endless
	last   time.Time
	gap    time.Duration // the longest between two calls
}

// errSpent is what the hook panics with when the budget is used up.
var errSpent = fmt.Errorf("the fuel is used up")

// refill is the hook.
func (g *gauge) refill(_ context.Context, stack []uint64) {
	left := int64(stack[0])
	g.left = left
	n := (-left + g.slice - 1) / g.slice * g.slice
	g.given += n
	if g.budget > 0 { // otherwise nobody asks for the gap, and the clock would take a seventh of the time
		g.spend()
	}
	stack[0] = uint64(left + n)
}

// spend measures the time between two slices, and ends what has used up its budget.
func (g *gauge) spend() {
	if now := time.Now(); g.last.IsZero() {
		g.last = now
	} else {
		g.gap, g.last = max(g.gap, now.Sub(g.last)), now
	}
	if g.given > g.budget {
		panic(errSpent)
	}
}

// sleep waits for a number of nanoseconds.
func sleep(_ context.Context, stack []uint64) { time.Sleep(time.Duration(stack[0])) }

// offer makes the hook importable, and what waits.
func (g *gauge) offer(ctx context.Context, r wazero.Runtime) error {
	i64 := []api.ValueType{api.ValueTypeI64}
	_, err := r.NewHostModuleBuilder(meter.HookModule).NewFunctionBuilder().
		WithGoFunction(api.GoFunc(g.refill), i64, i64).Export(meter.HookName).
		NewFunctionBuilder().WithGoFunction(api.GoFunc(sleep), i64, nil).Export(rewrite.SleepName).Instantiate(ctx)
	return err
}

// runner runs one script in one form.
type runner struct {
	f       *form
	dir     string
	engine  wazero.Runtime
	named   map[string]api.Module
	last    api.Module
	results []string // by command: what came of it
	passed  int
}

// run runs a script and returns what came of each command.
func (f *form) run(t *testing.T, path string) *runner {
	t.Helper()
	ctx := context.Background()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var s script
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	r := &runner{f: f, dir: filepath.Dir(path), named: map[string]api.Module{},
		engine: wazero.NewRuntimeWithConfig(ctx, f.config.WithCoreFeatures(featuresOf(path)))}
	defer r.engine.Close(ctx)
	if err := (&gauge{slice: f.slice}).offer(ctx, r.engine); err != nil {
		t.Fatal(err)
	}
	host, err := os.ReadFile(filepath.Join(r.dir, "..", "..", "testdata", "spectest.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.engine.Instantiate(ctx, host); err != nil {
		t.Fatal(err)
	}
	for i, c := range s.Commands {
		as := ""
		if i+1 < len(s.Commands) && s.Commands[i+1].Type == "register" {
			as = s.Commands[i+1].As
		}
		result, ok := r.do(&c, as)
		if !ok {
			t.Errorf("%s: %s:%d: %s %s: %s", f.name, filepath.Base(path), c.Line, c.Type, c.Action.Field, result)
		}
		r.results = append(r.results, fmt.Sprintf("line %d: %s: %s", c.Line, c.Type, result))
	}
	return r
}

// do does one command and reports whether it came out as the script says.
func (r *runner) do(c *command, as string) (result string, ok bool) {
	switch c.Type {
	case "module":
		m, err := r.instantiate(c.Filename, as)
		if r.last = m; err != nil {
			return "refused: " + firstLine(err), refused(err)
		}
		r.named[c.Name] = m
		return "ok", true
	case "assert_invalid", "assert_malformed", "assert_unlinkable", "assert_uninstantiable":
		if c.ModuleType == "text" {
			return "text", true
		}
		_, err := r.instantiate(c.Filename, "")
		// The engine runs a module though its element segments do not fit, and so with a purpose.
		return c.Text, (err != nil) != (c.Type == "assert_uninstantiable" && c.Text == "out of bounds table access")
	case "register":
		return "", true
	}
	m := r.last
	if c.Action.Module != "" {
		m = r.named[c.Action.Module]
	}
	if m == nil {
		return "no module", true
	}
	result, ok = r.act(c, m)
	r.passed++
	return result, ok
}

// refused reports whether a module was refused since it is not of the kind that polyvoke runs.
func refused(err error) bool {
	for _, r := range refusals {
		if strings.Contains(err.Error(), r.text) {
			return true
		}
	}
	return false
}

// instantiate makes an instance of a binary.
func (r *runner) instantiate(file, as string) (api.Module, error) {
	b, err := os.ReadFile(filepath.Join(r.dir, file))
	if err != nil {
		return nil, err
	}
	if b, err = r.f.change(b); err != nil {
		return nil, err
	}
	return r.engine.InstantiateWithConfig(context.Background(), b, wazero.NewModuleConfig().WithName(as))
}

// act calls a function or reads a global.
func (r *runner) act(c *command, m api.Module) (result string, ok bool) {
	if c.Action.Type == "get" {
		got := []uint64{m.ExportedGlobal(c.Action.Field).Get()}
		return fmt.Sprint(got), matches(got, c.Expected)
	}
	for _, m := range append([]api.Module{m}, r.instances()...) {
		if g, ok := m.ExportedGlobal(meter.StackName).(api.MutableGlobal); ok {
			g.Set(uint64(max(r.f.stack, 1<<20)))
		}
	}
	var args []uint64
	for _, v := range c.Action.Args {
		args = append(args, v.bits(nil)...)
	}
	got, err := m.ExportedFunction(c.Action.Field).Call(context.Background(), args...)
	switch c.Type {
	case "assert_return", "action":
		ok = err == nil && (c.Type == "action" || matches(got, c.Expected))
		return outcome(got, c.Expected, err), ok
	case "assert_exhaustion":
		exhausted := err != nil && (strings.Contains(err.Error(), "stack overflow") ||
			r.f.stack > 0 && strings.Contains(err.Error(), "unreachable"))
		return outcome(nil, nil, err), exhausted
	}
	return outcome(nil, nil, err), err != nil // assert_trap, assert_exception
}

// instances returns the instances that have names.
func (r *runner) instances() (list []api.Module) {
	for _, m := range r.named {
		list = append(list, m)
	}
	return list
}

// outcome is what is compared between forms. References to functions are addresses, and differ.
func outcome(got []uint64, expected []value, err error) string {
	if err != nil {
		return firstLine(err)
	}
	for i, v := range expected {
		if (v.Type == "funcref" || v.Type == "exnref") && got[i] != 0 {
			got[i] = 1
		}
	}
	return fmt.Sprint(got)
}

// firstLine is an error without the stack.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// bits are the 64-bit words of a value. If it stands for any not-a-number, those of got are taken if they are one.
func (v value) bits(got []uint64) []uint64 {
	if v.Type != "v128" {
		var g uint64
		if len(got) == 1 {
			g = got[0]
		}
		return []uint64{v.lane(v.Type, v.Value, g)}
	}
	list := v.Value.([]any)
	width := 128 / len(list)
	var words [2]uint64
	for i, lane := range list {
		at := i * width
		var g uint64
		if len(got) == 2 {
			g = got[at/64] >> (at % 64)
		}
		words[at/64] |= v.lane(v.LaneType, lane, g) & (math.MaxUint64 >> (64 - width)) << (at % 64)
	}
	return words[:]
}

// lane are the bits of a number. Those of an external reference are one more than it says, since 0 is null.
func (v value) lane(kind string, x any, got uint64) uint64 {
	s, _ := x.(string)
	switch {
	case s == "" || s == "null":
		if s == "" && x == nil {
			return got // any reference
		}
		return 0
	case strings.HasPrefix(s, "nan") && kind == "f32":
		if got&0x7fc00000 == 0x7fc00000 {
			return got & math.MaxUint32
		}
		return 0x7fc00000
	case strings.HasPrefix(s, "nan"):
		if got&0x7ff8000000000000 == 0x7ff8000000000000 {
			return got
		}
		return 0x7ff8000000000000
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		signed, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			panic(err)
		}
		n = uint64(signed)
	}
	switch kind {
	case "i32", "f32":
		n = uint64(uint32(n))
	case "externref":
		n++
	}
	return n
}

// matches reports whether results are those expected.
func matches(got []uint64, expected []value) bool {
	for _, v := range expected {
		n := 1
		if v.Type == "v128" {
			n = 2
		}
		if len(got) < n {
			return false
		}
		for i, want := range v.bits(got[:n]) {
			have := got[i]
			if v.Type == "i32" || v.Type == "f32" {
				have = uint64(uint32(have))
			}
			if have != want {
				return false
			}
		}
		got = got[n:]
	}
	return len(got) == 0
}

// featuresOf returns what the engine must know for a script to pass: those of older versions of the specification
// check that it does not know what came later.
func featuresOf(path string) api.CoreFeatures {
	switch filepath.Base(filepath.Dir(filepath.Dir(path))) {
	case "v1":
		return api.CoreFeaturesV1
	case "v2":
		return api.CoreFeaturesV2
	case "threads": // as they are; once lowered they need none of it
		return features | experimental.CoreFeaturesThreads
	}
	return features
}

// scripts returns the paths of the scripts for what the sandbox enables.
func scripts(t *testing.T) (list []string) {
	t.Helper()
	dir, err := engineDir()
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range []string{"v1", "v2", "extended-const", "tail-call", "exception-handling", "threads"} {
		found, err := filepath.Glob(filepath.Join(dir, "internal/integration_test/spectest", set, "testdata/*.json"))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d scripts, %v", set, len(found), err)
		}
		for i := 0; i < len(found); i += share {
			list = append(list, found[i])
		}
	}
	return list
}

// TestScripts runs the specification's own tests on the engine as they are, and with every module metered: with
// slices so small that each charge is a call, with charges in the middle of nearly all code, by the interpreter, and
// with the stack bounded. All checks must pass, and give the same.
func TestScripts(t *testing.T) {
	const stack = 4 << 20
	unbounded := rewrite.Options{TableMax: math.MaxUint32}
	bounded := unbounded
	bounded.Stack = stack
	pieces := unbounded
	pieces.Piece = 8
	var passed, thrown, bound tally
	for _, engine := range []struct {
		name   string
		config wazero.RuntimeConfig
		forms  []*form
	}{
		{"compiler", wazero.NewRuntimeConfigCompiler(), []*form{
			{name: "slices of 37", change: rewritten(unbounded, &thrown), slice: 37},
			{name: "charged in pieces of 8", change: rewritten(pieces, &tally{}), slice: 37},
			{name: "bounded stack, slices of 1M", change: rewritten(bounded, &tally{}), slice: 1e6, stack: stack},
		}},
		{"interpreter", wazero.NewRuntimeConfigInterpreter(), []*form{
			{name: "interpreter, slices of 1M", change: rewritten(unbounded, &tally{}), slice: 1e6},
		}},
	} {
		plain := &form{name: "as it is", config: engine.config, change: checked, slice: 1}
		for _, f := range engine.forms {
			f.config = engine.config
		}
		t.Run(engine.name, func(t *testing.T) { // it ends when all scripts have
			for _, path := range scripts(t) {
				t.Run(filepath.Base(path), func(t *testing.T) {
					t.Parallel()
					want := plain.run(t, path)
					for _, f := range engine.forms {
						got := f.run(t, path)
						bound.add("", compare(t, f, path, got, want))
						passed.add(f.name, got.passed)
					}
				})
			}
		})
	}
	t.Logf("calls and reads: %v; ended by the bound of the stack in place of the engine's: %d", passed.n, bound.n[""])
	t.Logf("modules with exceptions: %v", thrown.n)
	if share == 1 && thrown.n["lowered"] == 0 {
		t.Errorf("no exceptions were lowered: %v", thrown.n)
	}
	for name, n := range passed.n {
		if n < 60_000/share/2 || share == 1 && n < 60_000 {
			t.Errorf("%s: only %d calls and reads", name, n)
		}
	}
}

// uncaught reports whether a call ended by an exception in both forms. One that was lowered has no name for the engine.
func uncaught(got, want string) bool {
	return strings.Contains(want, "uncaught exception") &&
		strings.ReplaceAll(want, "uncaught exception", "unreachable") == got
}

// lowered reports whether an atomic instruction trapped in both forms. One that was lowered has other words for it.
func lowered(got, want string) bool {
	renamed := strings.NewReplacer("unaligned atomic", "out of bounds memory access",
		"expected shared memory", "unreachable")
	return renamed.Replace(want) == got
}

// compare compares what came of a script in two forms. It returns how many recursions the bound of the stack has ended.
func compare(t *testing.T, f *form, path string, got, want *runner) (bound int) {
	for i, r := range got.results {
		switch {
		case r == want.results[i] || uncaught(r, want.results[i]) || lowered(r, want.results[i]):
		case f.stack > 0 && strings.Contains(r, "assert_exhaustion"):
			bound++
		default:
			t.Errorf("%s: %s: got %s, want %s", f.name, filepath.Base(path), r, want.results[i])
		}
	}
	return bound
}
