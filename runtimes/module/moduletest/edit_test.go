package moduletest

import (
	"bytes"
	"context"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/edit"
	"github.com/tetratelabs/wazero"
)

// TestRoundTrip checks on every binary of the engine's module that what is taken apart and put together is the same,
// and that a form with all sections written anew stays as it is from then on.
func TestRoundTrip(t *testing.T) {
	accepted, canonical := 0, 0
	corpus(t, func(path string, b []byte) {
		m, err := edit.Open(b, module.Limits{})
		if err != nil {
			return
		}
		accepted++
		if !bytes.Equal(m.Encode(), b) {
			t.Errorf("%s: is not the same", path)
		}
		m.Touch()
		once := m.Encode()
		if bytes.Equal(once, b) {
			canonical++
		}
		m, err = edit.Open(once, module.Limits{})
		if err != nil {
			t.Errorf("%s: written anew: %v", path, err)
			return
		}
		m.Touch()
		if !bytes.Equal(m.Encode(), once) {
			t.Errorf("%s: written anew twice, is not the same", path)
		}
	})
	t.Logf("%d round trips, %d of them byte by byte even with all sections written anew", accepted, canonical)
	if canonical < accepted*9/10 {
		t.Errorf("only %d of %d were in their shortest form", canonical, accepted)
	}
}

// TestAdditions checks that the engine accepts what it accepted before with an import, a global, a function
// and exports added.
func TestAdditions(t *testing.T) {
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(features))
	defer r.Close(ctx)
	valid := func(b []byte) error {
		compiled, err := r.CompileModule(ctx, b)
		if err != nil {
			return err
		}
		return compiled.Close(ctx)
	}
	n := 0
	corpus(t, func(path string, b []byte) {
		hook := edit.Import{Module: "polyvoke", Name: "hook", Type: module.FuncType{Params: []module.ValueType{module.I64}}}
		m, err := edit.Open(b, module.Limits{}, hook, hook)
		if err != nil || valid(b) != nil {
			return
		}
		n++
		m.AddExport("polyvoke.global", module.GlobalKind, m.AddGlobal(module.I64, -5))
		m.AddExport("polyvoke.function", module.FunctionKind, m.AddFunction(module.FuncType{}, []byte{0, 0x0b}))
		m.CapTables(1_000_000)
		m.SetMemoryMax(4096)
		m.EmptyData()
		m.DropCustom()
		if err := valid(m.Encode()); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	})
	if n < 2500 {
		t.Errorf("only %d binaries were tried", n)
	}
}
