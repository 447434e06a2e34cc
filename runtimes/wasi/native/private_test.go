//go:build !portable

package native

import (
	"context"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"
)

// TestPrivate looks for each private name of the engine that this package knows. The names of the subtests are those
// of README.md. All other tests skip what cannot be seen; this one fails.
func TestPrivate(t *testing.T) {
	h := newHost(t)
	stack, sp := callStack(h.run)
	var snapshot experimental.Snapshot
	h.enter = func(ctx context.Context, _ []uint64) { snapshot = experimental.GetSnapshotter(ctx).Snapshot() }
	h.call(t)
	whole, live, ok := snapshotStack(snapshot)

	ctx := t.Context()
	engine := wazero.NewRuntime(ctx)
	defer engine.Close(ctx)
	compiled, err := engine.CompileModule(ctx, []byte(answers))
	if err != nil {
		t.Fatal(err)
	}
	instance, err := engine.InstantiateModule(ctx, compiled, wazero.NewModuleConfig())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		found bool
	}{
		{"callEngine.stack", stack != nil && len(*stack) > 0},
		{"callEngine.execCtx.stackPointerBeforeGoCall", sp != nil},
		{"snapshot.stack", ok && len(whole) > 0},
		{"snapshot.sp and snapshot.top", ok && len(live) > 0 && len(live) < len(whole)},
		{"ModuleInstance.Engine and moduleEngine.opaque", len(contents(instance)) > 0},
		{"moduleEngine.parent.executables.executable", len(executable(instance)) > 0},
		{"compiledModule.module.CodeSection[].Body and .LocalTypes", len(bodies(compiled)) == 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !c.found {
				t.Error("the engine has no such thing any more: see the steps of an update in README.md")
			}
		})
	}
}
