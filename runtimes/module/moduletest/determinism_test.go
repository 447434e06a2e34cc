package moduletest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/module/meter"
	"github.com/polyvoke/polyvoke/runtimes/module/rewrite"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	preview1 "github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"
)

// process runs a WASI command in slices of fuel, and returns what it wrote and how much it used.
func process(t *testing.T, b []byte, slice int64, stdin string, args ...string) (stdout string, used int64) {
	t.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCoreFeatures(features))
	defer r.Close(ctx)
	fuel := &gauge{slice: slice}
	if err := fuel.offer(ctx, r); err != nil {
		t.Fatal(err)
	}
	host := r.NewHostModuleBuilder(preview1.ModuleName)
	preview1.NewFunctionExporter().ExportFunctions(host)
	exit := func(_ context.Context, _ api.Module, code []uint64) { panic(sys.NewExitError(uint32(code[0]))) }
	i32 := []api.ValueType{api.ValueTypeI32}
	host.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(exit), i32, nil).Export("proc_exit")
	if _, err := host.Instantiate(ctx); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	m, err := r.InstantiateWithConfig(ctx, b, wazero.NewModuleConfig().WithStartFunctions().
		WithArgs(append([]string{"probe"}, args...)...).WithStdin(strings.NewReader(stdin)).WithStdout(&out))
	if err != nil {
		t.Fatal(err)
	}
	var exited *sys.ExitError
	if _, err := m.ExportedFunction("_start").Call(ctx); err != nil &&
		(!errors.As(err, &exited) || exited.ExitCode() != 0) {
		t.Fatal(err)
	}
	if left := m.ExportedGlobal(meter.FuelName); left != nil {
		used = fuel.given - int64(left.Get())
	}
	return out.String(), used
}

// TestDeterminism checks that a program in C uses the same fuel to the unit, whatever the slices, and with or
// without a bound of the stack.
func TestDeterminism(t *testing.T) {
	metered, report, err := rewrite.Rewrite(runtimestest.Wasm(), rewrite.Options{Stack: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	unbounded, _, err := rewrite.Rewrite(runtimestest.Wasm(), rewrite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int64]bool{}
	for _, c := range []struct {
		stdin, want string
		args        []string
	}{
		{"0123456789", "0123456789", []string{"echo"}},
		{strings.Repeat("x", 1_000_000), strings.Repeat("x", 1_000_000), []string{"echo"}},
		{"", "probe\x00args\x00a\x00", []string{"args", "a"}},
		{"ab", "", []string{"exit", "0"}},
	} {
		out, first := process(t, metered, 1_000_000, c.stdin, c.args...)
		if out != c.want {
			t.Errorf("%q: got %d bytes", c.args, len(out))
		}
		for _, slice := range []int64{1_000_000, 1000, 37} {
			if _, used := process(t, metered, slice, c.stdin, c.args...); used != first {
				t.Errorf("%q: used %d units in slices of %d, and %d before", c.args, used, slice, first)
			}
		}
		if _, used := process(t, unbounded, 1000, c.stdin, c.args...); used != first {
			t.Errorf("%q: used %d units without a bound of the stack, and %d with it", c.args, used, first)
		}
		seen[first] = true
	}
	t.Logf("fuel %v; %d -> %d bytes; %+v", seen, len(runtimestest.Wasm()), len(metered), report.Meter)
	if len(seen) != 4 {
		t.Errorf("different work used equal fuel: %v", seen)
	}
}

// TestCompilers checks that programs of many compilers do metered what they do as they are, with fuel that does not
// depend on the slices.
func TestCompilers(t *testing.T) {
	paths, err := filepath.Glob("../../../samples/greet/*/*.wasm")
	if err != nil || len(paths) < 6 {
		t.Fatalf("found %d programs, %v", len(paths), err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		plain, _, err := rewrite.Rewrite(b, rewrite.Options{Unmetered: true, KeepCustom: true})
		if err != nil {
			t.Fatal(err)
		}
		metered, report, err := rewrite.Rewrite(b, rewrite.Options{Stack: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		const stdin = `{"name":"Ada"}`
		want, _ := process(t, plain, 1, stdin)
		got, used := process(t, metered, 1_000_000, stdin)
		again, usedAgain := process(t, metered, 1000, stdin)
		if got != want || again != want || want == "" || used != usedAgain {
			t.Errorf("%s: got %q for %d units, then %q for %d, want %q", path, got, used, again, usedAgain, want)
		}
		t.Logf("%s: %d units, %d -> %d bytes, obstacles %q", path, used, len(b), len(metered),
			report.Module.Analysis.Obstacles())
	}
}
