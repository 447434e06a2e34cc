package preview1_test

import (
	"context"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/wasi/preview1"
	"github.com/tetratelabs/wazero/api"
)

// BenchmarkCall is a write of 16 bytes that are discarded, from Go into the guest and out of it again: with
// our functions, the State found at once or behind three other contexts, and with the engine's.
func BenchmarkCall(b *testing.B) {
	g := newGuest(b, &preview1.State{})
	type key int
	ctx := g.ctx
	for i := range 3 {
		ctx = context.WithValue(ctx, key(i), i)
	}
	o, _ := newOracle(b, process{files: folder()})
	for _, c := range []struct {
		name string
		ctx  context.Context
		mod  api.Module
	}{{"ours", g.ctx, g.mod}, {"derived", ctx, g.mod}, {"engine", o.ctx, o.mod}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			f := c.mod.ExportedFunction("fd_write")
			c.mod.Memory().Write(vec, []byte(little(buf, 16)))
			stack := make([]uint64, 4)
			for b.Loop() {
				copy(stack, []uint64{2, vec, 1, at})
				if err := f.CallWithStack(c.ctx, stack); err != nil || uint32(stack[0]) != 0 {
					b.Fatal(stack[0], err)
				}
			}
		})
	}
}
