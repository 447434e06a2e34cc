package moduletest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/module/meter"
	"github.com/polyvoke/polyvoke/runtimes/module/rewrite"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// deepest is how many blocks are around one another in a function of the Go compiler, or a few more.
const deepest = 8000

// dispatcher is a module as Go makes it of a function with many basic blocks: a loop around a block for each of them,
// and a br_table that leads to one. Each but the last adds its number to the global, and goes on to the one that a
// step away.
func dispatcher(step int) []byte {
	const get, set, state, setState = "\x23\x00", "\x24\x00", "\x20\x00", "\x21\x00"
	labels := &strings.Builder{}
	for i := range deepest {
		labels.WriteString(number(i))
	}
	body := &strings.Builder{}
	fmt.Fprint(body, "\x01\x01\x7f", loop, strings.Repeat(block, deepest), state, "\x0e", number(deepest-1), labels)
	for i := range deepest {
		fmt.Fprint(body, end)
		if i < deepest-1 {
			fmt.Fprint(body, get, constant(int64(i)), "\x6a", set, constant(int64(min(i+step, deepest-1))), setState, "\x0c",
				number(deepest-1-i))
		}
	}
	fmt.Fprint(body, end, end)
	return []byte("\x00asm\x01\x00\x00\x00" + part(1, "\x01\x60\x00\x00") + part(3, "\x01\x00") + part(6, "\x01\x7f\x01"+constant(0)+end) +
		part(7, "\x02\x03run\x00\x00\x03sum\x03\x00") + part(10, "\x01"+sized(body.Len(), body.String())))
}

// TestDeep runs a function of blocks that are nested as deeply as in the largest programs in Go, and checks what it
// does, rewritten.
func TestDeep(t *testing.T) {
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(features))
	defer r.Close(ctx)
	if err := (&gauge{slice: 1e6}).offer(ctx, r); err != nil {
		t.Fatal(err)
	}
	for _, step := range []int{1, 7, deepest} {
		b, _, err := rewrite.Rewrite(dispatcher(step), rewrite.Options{Stack: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		m, err := r.InstantiateWithConfig(ctx, b, wazero.NewModuleConfig().WithName(""))
		if err != nil {
			t.Fatal(err)
		}
		m.ExportedGlobal(meter.StackName).(api.MutableGlobal).Set(1 << 20)
		if _, err := m.ExportedFunction("run").Call(ctx); err != nil {
			t.Fatal(err)
		}
		want := 0
		for i := 0; i < deepest-1; i += step {
			want += i
		}
		if got := int(m.ExportedGlobal("sum").Get()); got != want {
			t.Errorf("steps of %d: got %d, want %d", step, got, want)
		}
	}
}
