package compiler

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// MaxPages is the engine's own memory limit in pages. It is as far from the limits of programs as
// it can be, so that a growth beyond those is refused by our allocator, which takes note; the engine
// itself refuses only what a module rules out by its own maximum, and sums near 4 GiB.
// (With 65,536 pages, the most that WebAssembly allows, the engine computes wrong bounds.)
const MaxPages = 65_535

// features are those of WebAssembly that modules may use.
const features = api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall |
	experimental.CoreFeaturesExtendedConst | experimental.CoreFeaturesExceptionHandling

// EngineConfig returns the configuration of the engine, the same for running modules and for compiling them.
func EngineConfig(cache wazero.CompilationCache) wazero.RuntimeConfig {
	ec := wazero.NewRuntimeConfig().
		WithCoreFeatures(features).
		WithMemoryLimitPages(MaxPages).
		WithDebugInfoEnabled(false) // symbolising the stack of an exit costs more than the run
	if cache != nil {
		ec = ec.WithCompilationCache(cache)
	}
	return ec
}

// Compile compiles a module with an engine. Whatever goes wrong in there is the module's fault, unless it is the
// cache's.
func Compile(ctx context.Context, engine wazero.Runtime, b []byte) (c wazero.CompiledModule, err error) {
	defer func() {
		if p := recover(); p != nil {
			cause, _ := p.(error)
			if _, ok := p.(syscall.Errno); ok { // the system gives the engine no memory for code
				err = fmt.Errorf("memory for native code: %w", cause)
				return
			}
			err = &runtimes.ModuleError{Reason: fmt.Sprintf("the engine cannot compile this module: %v", p), Err: cause}
		}
	}()
	c, err = engine.CompileModule(ctx, b)
	var file *fs.PathError
	var files *os.LinkError
	switch {
	case errors.As(err, &file), errors.As(err, &files):
		return nil, fmt.Errorf("cache of compiled modules: %w", err)
	case err != nil:
		return nil, &runtimes.ModuleError{Reason: "the module is not valid: " + err.Error(), Err: err}
	}
	return c, nil
}

// load has an engine load a module that is in its cache. It never compiles: several workers look at
// the context before each function, one does not, and loading does not look at it at all.
func load(ctx context.Context, engine wazero.Runtime, b []byte) (wazero.CompiledModule, error) {
	ctx, cancel := context.WithCancel(experimental.WithCompilationWorkers(ctx, 2))
	cancel()
	return Compile(ctx, engine, b)
}
