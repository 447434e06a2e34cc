package native

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// guest is a module whose function run, without parameters and results, is
//
//	local = value()
//	got = enter()
//	deep(got)               which calls itself that many times
//	done(1000 * local + got)
//
// What it calls is of the module host.
const guest = "\x00asm\x01\x00\x00\x00" +
	"\x01\x0c\x03" + "\x60\x00\x01\x7f" + "\x60\x01\x7f\x00" + "\x60\x00\x00" + // () -> i32, (i32) -> (), () -> ()
	"\x02\x27\x03" + "\x04host\x05value\x00\x00" + "\x04host\x05enter\x00\x00" + "\x04host\x04done\x00\x01" +
	"\x03\x03\x02\x01\x02" + // deep, run
	"\x07\x07\x01\x03run\x00\x04" +
	"\x0a\x2c\x02" +
	"\x0e\x00\x20\x00\x04\x40\x20\x00\x41\x01\x6b\x10\x03\x0b\x0b" +
	"\x1b\x01\x02\x7f\x10\x00\x21\x00\x10\x01\x21\x01\x20\x01\x10\x03\x20\x00\x41\xe8\x07\x6c\x20\x01\x6a\x10\x02\x0b"

// host is what the guest calls.
type host struct {
	value uint64 // the next result of value
	enter func(ctx context.Context, stack []uint64)
	done  uint64 // what done was told
	run   api.Function
	Function
}

// newHost returns a host with an instance of the guest.
func newHost(t *testing.T) *host {
	t.Helper()
	h := new(host)
	ctx := t.Context()
	engine := wazero.NewRuntime(ctx)
	t.Cleanup(func() { _ = engine.Close(context.Background()) })
	i32 := []api.ValueType{api.ValueTypeI32}
	b := engine.NewHostModuleBuilder("host")
	value := func(_ context.Context, stack []uint64) { stack[0] = h.value }
	enter := func(ctx context.Context, stack []uint64) { h.enter(ctx, stack) }
	done := func(_ context.Context, stack []uint64) { h.done = uint64(uint32(stack[0])) }
	b.NewFunctionBuilder().WithGoFunction(api.GoFunc(value), nil, i32).Export("value")
	b.NewFunctionBuilder().WithGoFunction(api.GoFunc(enter), nil, i32).Export("enter")
	b.NewFunctionBuilder().WithGoFunction(api.GoFunc(done), i32, nil).Export("done")
	if _, err := b.Instantiate(ctx); err != nil {
		t.Fatal(err)
	}
	instance, err := engine.Instantiate(ctx, []byte(guest))
	if err != nil {
		t.Fatal(err)
	}
	h.run = instance.ExportedFunction("run")
	h.Function = Of(h.run)
	return h
}

// answers is a module whose function run returns 42.
const answers = "\x00asm\x01\x00\x00\x00" + "\x01\x05\x01\x60\x00\x01\x7f" + "\x03\x02\x01\x00" +
	"\x07\x07\x01\x03run\x00\x00" + "\x0a\x08\x01\x06\x01\x03\x7f\x41\x2a\x0b" // and has 3 locals

// needs skips a test for which something of the engine must be seen that is not. That all is seen in a build that
// looks for it is what TestPrivate checks.
func needs(t *testing.T, seen bool, what string) {
	t.Helper()
	if !seen {
		t.Skipf("this build does not see %s", what)
	}
}

// call calls the guest, and returns what done was told.
func (h *host) call(t *testing.T) uint64 {
	t.Helper()
	h.done = 0
	if err := h.run.CallWithStack(experimental.WithSnapshotter(t.Context()), nil); err != nil {
		t.Fatal(err)
	}
	return h.done
}

// TestPoint takes a guest back again and again, after runs that spoil the stack that it goes on upon and runs that
// make it grow.
func TestPoint(t *testing.T) {
	h := newHost(t)
	needs(t, h.stack != nil, "the stack of a call")
	if n := h.StackSize(); n < 1<<10 || n > 1<<20 {
		t.Fatalf("the native stack is said to be %d bytes", n)
	}
	var p *Point
	h.value, h.enter = 7, func(ctx context.Context, stack []uint64) {
		if p = h.Take(ctx, h.StackSize()); p == nil {
			t.Fatal("the engine's snapshots are of a kind that is not known")
		}
		p.Keep()
		stack[0] = 1
	}
	if got := h.call(t); got != 7001 {
		t.Errorf("the first call returns %d", got)
	}
	h.value = 9 // which no run sees any more
	for i := range uint64(50) {
		depth := 20 * (i % 7)
		if i%10 == 9 {
			depth = 5000
		}
		h.enter = func(context.Context, []uint64) { p.Restore([]uint64{depth}) }
		if got := h.call(t); got != 7000+depth {
			t.Errorf("call %d, %d deep, ends with %d", i, depth, got)
		}
		if grown := p.Grown(); (grown > 0) != (depth == 5000) || grown > 0 && grown < 5000*16 {
			t.Errorf("after a depth of %d, the stack is said to have grown to %d bytes", depth, grown)
		}
	}
}

// TestSameSize checks that a guest which is taken back to one point after another has no longer stack in the end.
func TestSameSize(t *testing.T) {
	h := newHost(t)
	needs(t, h.stack != nil, "the stack of a call")
	var p *Point
	h.enter = func(ctx context.Context, _ []uint64) { p = h.Take(ctx, h.StackSize()) }
	h.call(t)
	size := h.StackSize()
	for range 100 {
		h.enter = func(context.Context, []uint64) { p.Restore([]uint64{50}) }
		if got := h.call(t); got != 50 {
			t.Fatalf("a call ends with %d", got)
		}
		h.enter = func(ctx context.Context, _ []uint64) { p = h.Take(ctx, h.StackSize()) }
		h.call(t)
	}
	if h.StackSize() != size {
		t.Errorf("the stack has %d bytes, where it had %d", h.StackSize(), size)
	}
}

// TestRoom checks that a Point taken with room for it needs no stack to grow, and is the same point.
func TestRoom(t *testing.T) {
	h := newHost(t)
	needs(t, h.stack != nil, "the stack of a call")
	const room = 1 << 20
	var p *Point
	h.enter = func(ctx context.Context, _ []uint64) {
		own := h.StackSize()
		p = h.Take(ctx, room)
		p.Keep()
		if h.StackSize() != own {
			t.Error("to take a point changes the function's own stack")
		}
	}
	h.call(t)
	if n := p.Resident(); n < room || n > room+1<<10 {
		t.Errorf("the point takes %d bytes", n)
	}
	for depth := range uint64(3) {
		depth += 5000
		h.enter = func(context.Context, []uint64) { p.Restore([]uint64{depth}) }
		if got := h.call(t); got != depth || p.Grown() != 0 {
			t.Errorf("a call %d deep ends with %d, the stack has grown to %d bytes", depth, got, p.Grown())
		}
	}
}

// TestQuiet checks that a call that is ended quietly returns the error without a stack trace, that one ended without
// it has one, and that the function can be called again.
func TestQuiet(t *testing.T) {
	h := newHost(t)
	needs(t, h.sp != nil, "the stack pointer of a call")
	cause := errors.New("the end")
	for _, quiet := range []bool{true, false, true} {
		h.enter = func(context.Context, []uint64) {
			if quiet {
				h.Quiet()
			}
			panic(cause)
		}
		err := h.run.CallWithStack(t.Context(), nil)
		if !errors.Is(err, cause) || strings.Contains(err.Error(), "host.enter") == quiet {
			t.Errorf("quiet is %t: the error is %v", quiet, err)
		}
		h.value, h.enter = 3, func(_ context.Context, stack []uint64) { stack[0] = 5 }
		if got := h.call(t); got != 3005 {
			t.Errorf("quiet was %t: the next call ends with %d", quiet, got)
		}
	}
}

// TestUnknown checks that of what is no function of the engine nothing can be reached.
func TestUnknown(t *testing.T) {
	for _, f := range []api.Function{nil, struct{ api.Function }{}, &struct{ api.Function }{}, &struct {
		api.Function
		stack string
	}{}} {
		n := Of(f)
		n.Quiet()
		if n.StackSize() != 0 || n.Take(t.Context(), 0) != nil {
			t.Errorf("%T has a stack", f)
		}
	}
}

// TestGauge finds a global among others, where the guest has it too, and does not change it.
func TestGauge(t *testing.T) {
	const two = "\x00asm\x01\x00\x00\x00" + "\x06\x0b\x02" + "\x7e\x01\x42\x07\x0b" + "\x7e\x01\x42\x07\x0b" + "\x07\x09\x02" + "\x01a\x03\x00" + "\x01b\x03\x01"
	ctx := t.Context()
	engine := wazero.NewRuntime(ctx)
	defer engine.Close(ctx)
	instance, err := engine.Instantiate(ctx, []byte(two))
	if err != nil {
		t.Fatal(err)
	}
	needs(t, contents(instance) != nil, "what an instance holds")
	var words []*uint64
	for i, name := range []string{"a", "b"} {
		g := instance.ExportedGlobal(name).(api.MutableGlobal)
		word := Gauge(instance, g)
		if word == nil || *word != 7 || g.Get() != 7 {
			t.Fatalf("%s: found %v", name, word)
		}
		*word = uint64(100 + i)
		words = append(words, word)
		if g.Get() != *word {
			t.Errorf("%s is %d, not %d", name, g.Get(), *word)
		}
	}
	if words[0] == words[1] {
		t.Error("two globals are in one place")
	}
	if word := Gauge(nil, instance.ExportedGlobal("a").(api.MutableGlobal)); word != nil {
		t.Errorf("found %v without an instance", word)
	}
	interpreted := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	defer interpreted.Close(ctx)
	if instance, err = interpreted.Instantiate(ctx, []byte(two)); err != nil {
		t.Fatal(err)
	}
	if word := Gauge(instance, instance.ExportedGlobal("a").(api.MutableGlobal)); word != nil {
		t.Errorf("found %v in an engine that keeps it elsewhere", word)
	}
}

// TestLessRoom checks that a Point taken deep down a long stack has what is in use, and needs no more than that.
func TestLessRoom(t *testing.T) {
	h := newHost(t)
	needs(t, h.stack != nil, "the stack of a call")
	h.enter = func(_ context.Context, stack []uint64) { stack[0] = 5000 }
	h.call(t)
	large := h.StackSize()
	for _, room := range []int{0, 20 << 10} {
		var p *Point
		h.enter = func(ctx context.Context, _ []uint64) {
			p = h.Take(ctx, room)
			p.Keep()
		}
		h.call(t)
		if n := p.Resident(); n < max(room, leastStack) || n > max(room, leastStack)+1<<10 || p.Besides() == 0 ||
			p.Besides() < large && room == 0 {
			t.Errorf("with room for %d bytes the point takes %d, besides %d", room, n, p.Besides())
		}
		for _, depth := range []uint64{3, 5000, 7} {
			h.enter = func(context.Context, []uint64) { p.Restore([]uint64{depth}) }
			if got := h.call(t); got != depth {
				t.Errorf("a call %d deep ends with %d", depth, got)
			}
		}
	}
}

// TestStrip makes the engine forget a module's bytes, and calls it.
func TestStrip(t *testing.T) {
	ctx := t.Context()
	engine := wazero.NewRuntime(ctx)
	defer engine.Close(ctx)
	compiled, err := engine.CompileModule(ctx, []byte(answers))
	if err != nil {
		t.Fatal(err)
	}
	needs(t, bodies(compiled) != nil, "the bytes of a module")
	length := func() (n int) {
		for _, b := range bodies(compiled) {
			n += len(*b)
		}
		return n
	}
	if length() == 0 {
		t.Fatal("the engine keeps what it has compiled in another place")
	}
	if n := len(*bodies(compiled)[1]); n != 3 {
		t.Errorf("the function has %d locals", n)
	}
	Strip(compiled)
	if n := length(); n != 0 {
		t.Errorf("%d bytes are left", n)
	}
	for range 2 {
		instance, err := engine.InstantiateModule(ctx, compiled, wazero.NewModuleConfig().WithName(""))
		if err != nil {
			t.Fatal(err)
		}
		if out, err := instance.ExportedFunction("run").Call(ctx); err != nil || out[0] != 42 {
			t.Errorf("got %v, %v", out, err)
		}
		if len(Code(instance)) == 0 {
			t.Error("the native code is not where it is looked for")
		}
	}
	Strip(nil)
	if Code(nil) != nil {
		t.Error("no instance has code")
	}
}
