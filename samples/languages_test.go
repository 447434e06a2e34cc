//go:build languages

package samples_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/polyvoke/polyvoke/runtimes/wasi/compiler"
)

// TestLanguages needs the modules that `make languages` builds: their compilers are large, or their modules
// are. It runs the engine with the features that functions get, and sends all of them the same vectors.
func TestLanguages(t *testing.T) {
	modules, err := filepath.Glob(filepath.Join(os.Getenv("LANGUAGES"), "*.wasm"))
	if err != nil || len(modules) == 0 {
		t.Fatalf("%d modules in LANGUAGES, error %v: run this by `make languages`", len(modules), err)
	}
	vectors := append(readVectors(t, "greet/vectors.json"), largeVectors()...)
	for _, name := range modules {
		t.Run(filepath.Base(name), func(t *testing.T) {
			wasm, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			b := newFullSandbox(t)
			p := b.compile(wasm)
			for _, f := range p.ImportedFunctions() {
				if module, function, _ := f.Import(); module != "wasi_snapshot_preview1" {
					t.Errorf("imports %s.%s", module, function)
				}
			}
			b.check(p, vectors)
		})
	}
}

// newFullSandbox is newSandbox with all features of WebAssembly that functions may use.
func newFullSandbox(t *testing.T) sandbox {
	t.Helper()
	ctx := context.Background() // not of the test: Close runs after that has ended
	config := compiler.EngineConfig(compiled).WithMemoryLimitPages(memoryPages)
	b := sandbox{t, wazero.NewRuntimeWithConfig(ctx, config)}
	t.Cleanup(func() {
		if err := b.runtime.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, b.runtime); err != nil {
		t.Fatal(err)
	}
	return b
}
