package moduletest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// features are those that the sandbox enables.
const features = api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall |
	experimental.CoreFeaturesExtendedConst | experimental.CoreFeaturesExceptionHandling

// engineDir returns where the engine's module lies, with the corpora that ship in it.
var engineDir = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	return strings.TrimSpace(string(out)), err
})

// corpus calls f for each binary in the engine's module.
func corpus(t *testing.T, f func(path string, b []byte)) {
	t.Helper()
	dir, err := engineDir()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".wasm") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		n++
		f(strings.TrimPrefix(path, dir), b)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n < 7000 {
		t.Fatalf("found only %d binaries", n)
	}
}

// refusals are the reasons for which a binary that the engine takes is refused.
var refusals = []struct{ text, because string }{
	{"typed function references", "they are not enabled, and the engine looks at that for some of their uses only"},
	{"garbage collection (WasmGC)", "it is not enabled, and the engine knows its recursive types anyway"},
}

// TestCorpus checks that what the engine accepts is accepted, or refused for a reason of the list, and that the
// engine does not crash on what is accepted.
func TestCorpus(t *testing.T) {
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(features))
	defer r.Close(ctx)
	accepted, both, used := 0, 0, map[string]int{}
	corpus(t, func(path string, b []byte) {
		_, err := module.Parse(b)
		compiled, engineErr := r.CompileModule(ctx, b)
		if engineErr == nil {
			compiled.Close(ctx)
		}
		if err == nil {
			accepted++
			if engineErr == nil {
				both++
			}
			return
		}
		var e *module.Error
		if !errors.As(err, &e) || e.Offset > len(b) {
			t.Errorf("%s: got the error %v", path, err)
		}
		if engineErr != nil {
			return
		}
		for _, r := range refusals {
			if strings.Contains(err.Error(), r.text) {
				used[r.text]++
				return
			}
		}
		t.Errorf("%s: the engine accepts it, but: %v", path, err)
	})
	for _, r := range refusals {
		if used[r.text] == 0 {
			t.Errorf("no binary is refused because of %q", r.text)
		}
	}
	t.Logf("%d accepted, of them %d by the engine too; refused against the engine: %v", accepted, both, used)
}
