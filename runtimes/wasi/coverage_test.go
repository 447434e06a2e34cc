package wasi

import (
	"context"
	"slices"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// marked is a module whose mutable global m0, of type i64, is 5: the first function was called, and the third.
const marked = "\x00asm\x01\x00\x00\x00" + "\x06\x06\x01\x7e\x01\x42\x05\x0b" + "\x07\x06\x01\x02m0\x03\x00"

// TestCoverage checks that what instances say adds up.
func TestCoverage(t *testing.T) {
	ctx := t.Context()
	engine := wazero.NewRuntime(ctx)
	t.Cleanup(func() { _ = engine.Close(context.Background()) })
	instance, err := engine.Instantiate(ctx, []byte(marked))
	if err != nil {
		t.Fatal(err)
	}
	m := newCoverage([]string{"m0"}, 4)
	for _, c := range []struct {
		says uint64
		want []bool
	}{
		{5, []bool{true, false, true, false}}, {0, []bool{true, false, true, false}}, {8, []bool{true, false, true, true}},
	} {
		instance.ExportedGlobal("m0").(api.MutableGlobal).Set(c.says)
		m.read(instance)
		if got := m.called(); !slices.Equal(got, c.want) {
			t.Errorf("after %b: %v, want %v", c.says, got, c.want)
		}
	}
	m.read(nil)
	none := newCoverage(nil, 4)
	none.read(instance)
	if none.called() != nil {
		t.Error("without marks something was called")
	}
}
