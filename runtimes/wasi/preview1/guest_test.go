package preview1_test

import (
	"bytes"
	"context"
	"io/fs"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/wasi/preview1"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// forwarder is a module that imports every function of WASI preview1 and exports each under the same
// name, so that a test can make any call, with any memory.
func forwarder() []byte {
	var types, imports, funcs, exports, code string
	functions := preview1.Functions()
	n := len(functions)
	for i, f := range functions {
		types += "\x60" + uleb(len(f.Params)) + string(f.Params) + uleb(len(f.Results)) + string(f.Results)
		imports += text(preview1.ModuleName) + text(f.Name) + "\x00" + uleb(i)
		funcs += uleb(i)
		exports += text(f.Name) + "\x00" + uleb(n+i)
		body := "\x00" // no locals
		for p := range f.Params {
			body += "\x20" + uleb(p)
		}
		body += "\x10" + uleb(i) + "\x0b"
		code += uleb(len(body)) + body
	}
	// An entry that does nothing makes it a command.
	types += "\x60\x00\x00"
	funcs += uleb(n)
	exports += text("_start") + "\x00" + uleb(2*n) + text("memory") + "\x02\x00"
	code += "\x02\x00\x0b"
	return []byte("\x00asm\x01\x00\x00\x00" + section(1, uleb(n+1)+types) + section(2, uleb(n)+imports) +
		section(3, uleb(n+1)+funcs) + section(5, "\x01\x00\x02") + section(7, uleb(n+2)+exports) +
		section(10, uleb(n+1)+code))
}

func section(id byte, body string) string { return string(id) + uleb(len(body)) + body }

func text(s string) string { return uleb(len(s)) + s }

func uleb(v int) string {
	var b []byte
	for ; v >= 0x80; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return string(append(b, byte(v)))
}

// TestSignatures has the list of runtimes/module judge the names and types of all functions.
func TestSignatures(t *testing.T) {
	m, err := module.Parse(forwarder())
	if err == nil {
		err = m.CheckProcess()
	}
	if err != nil || len(preview1.Functions()) != 46 {
		t.Errorf("%d functions, error %v", len(preview1.Functions()), err)
	}
}

// guest is an instance of the forwarder on a State.
type guest struct {
	state *preview1.State
	mod   api.Module
	ctx   context.Context // of the run
	fns   map[string]api.Function
}

// newRuntime returns an engine that is closed when the test ends.
func newRuntime(t testing.TB) wazero.Runtime {
	t.Helper()
	r := wazero.NewRuntime(context.Background())
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

// newEngine returns an engine that has our functions.
func newEngine(t testing.TB) wazero.Runtime {
	t.Helper()
	r := newRuntime(t)
	b := r.NewHostModuleBuilder(preview1.ModuleName)
	for _, f := range preview1.Functions() {
		b.NewFunctionBuilder().WithGoModuleFunction(f.Call, f.Params, f.Results).Export(f.Name)
	}
	if _, err := b.Instantiate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

// newGuest starts a run of s.
func newGuest(t testing.TB, s *preview1.State) *guest {
	t.Helper()
	mod, err := newEngine(t).InstantiateWithConfig(t.Context(), forwarder(), wazero.NewModuleConfig().WithStartFunctions())
	if err != nil {
		t.Fatal(err)
	}
	g := &guest{state: s, mod: mod, fns: map[string]api.Function{}}
	g.ctx = s.Begin(t.Context())
	t.Cleanup(s.Reset)
	return g
}

// tree returns files as a process has them.
func tree(fsys fs.FS) files.Tree { return files.FS(fsys) }

// caller makes calls in a guest, ours or the engine's.
type caller interface {
	call(t testing.TB, name string, p ...uint64) (uint64, error)
	memory() []byte
}

// call makes a call, and returns the error number.
func (g *guest) call(t testing.TB, name string, p ...uint64) (uint64, error) {
	return call(t, g.ctx, g.mod, g.fns, name, p)
}

// memory returns the guest's memory.
func (g *guest) memory() []byte {
	b, _ := g.mod.Memory().Read(0, g.mod.Memory().Size())
	return b
}

func call(
	t testing.TB, ctx context.Context, mod api.Module, fns map[string]api.Function, name string, p []uint64,
) (uint64, error) {
	t.Helper()
	f := fns[name]
	if f == nil {
		f = mod.ExportedFunction(name)
		fns[name] = f
	}
	results, err := f.Call(ctx, p...)
	if err != nil || len(results) == 0 {
		return 0, err
	}
	return uint64(uint32(results[0])), nil // the upper half is undefined
}

// must makes a call that has to give an error number.
func (g *guest) must(t testing.TB, want uint64, name string, p ...uint64) {
	t.Helper()
	if got, err := g.call(t, name, p...); got != want || err != nil {
		t.Errorf("%s%v: got %d and the error %v, want %d", name, p, got, err, want)
	}
}

// put writes into the guest's memory.
func (g *guest) put(at int, data string) { copy(g.memory()[at:], data) }

// little encodes numbers of 32 bits.
func little(v ...uint32) string {
	var b bytes.Buffer
	for _, n := range v {
		b.Write([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)})
	}
	return b.String()
}
