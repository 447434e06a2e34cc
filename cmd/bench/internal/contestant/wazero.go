package contestant

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/guest"
)

// wazeroFresh is the engine as its documentation shows it: an instance for each call, and nothing to end it.
func wazeroFresh() Contestant {
	return Contestant{
		Name:  Base,
		About: "plain wazero 1.12: InstantiateModule for each call, its own WASI, no deadline",
		Open:  func(ctx context.Context, s Setup) (Runner, error) { return openWazero(ctx, s, false) },
	}
}

// wazeroInterruptible is the same with the engine's own way to end a call.
func wazeroInterruptible() Contestant {
	return Contestant{
		Name:  "wazero, CloseOnContextDone",
		About: "the same with WithCloseOnContextDone and a deadline",
		Open:  func(ctx context.Context, s Setup) (Runner, error) { return openWazero(ctx, s, true) },
	}
}

// wazeroRunner is a compiled module.
type wazeroRunner struct {
	guest    *guest.Guest
	runtime  wazero.Runtime
	cache    wazero.CompilationCache
	compiled wazero.CompiledModule
	config   wazero.ModuleConfig
	replies  []bytes.Buffer // by caller
}

// openWazero compiles the guest.
func openWazero(ctx context.Context, s Setup, interruptible bool) (Runner, error) {
	module, err := os.ReadFile(s.Guest.Wasm)
	if err != nil {
		return nil, err
	}
	cache, err := wazero.NewCompilationCacheWithDir(filepath.Join(s.Cache, "wazero"))
	if err != nil {
		return nil, err
	}
	config := wazero.NewRuntimeConfig().WithCompilationCache(cache).WithCloseOnContextDone(interruptible).
		WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall | experimental.CoreFeaturesExceptionHandling)
	w := &wazeroRunner{guest: s.Guest, cache: cache, runtime: wazero.NewRuntimeWithConfig(ctx, config),
		replies: make([]bytes.Buffer, s.Callers)}
	if _, err = wasi_snapshot_preview1.Instantiate(ctx, w.runtime); err == nil {
		w.compiled, err = w.runtime.CompileModule(ctx, module)
	}
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	w.config = moduleConfig(s.Guest)
	return w, nil
}

// moduleConfig gives an instance what a guest wants, and the clocks and entropy that a sandbox has.
func moduleConfig(g *guest.Guest) wazero.ModuleConfig {
	c := wazero.NewModuleConfig().WithName("").WithArgs(g.Args...).WithSysWalltime().WithSysNanotime().WithSysNanosleep()
	for _, e := range g.Env {
		k, v, _ := strings.Cut(e, "=")
		c = c.WithEnv(k, v)
	}
	if len(g.Dirs) > 0 {
		dirs := wazero.NewFSConfig()
		for _, d := range g.Dirs {
			dirs = dirs.WithReadOnlyDirMount(d.Host, d.Path)
		}
		c = c.WithFSConfig(dirs)
	}
	return c
}

// Run implements Runner.
func (w *wazeroRunner) Run(ctx context.Context, caller int, body []byte) ([]byte, error) {
	out := &w.replies[caller]
	out.Reset()
	m, err := w.runtime.InstantiateModule(ctx, w.compiled, w.config.WithStdin(bytes.NewReader(body)).WithStdout(out))
	if err == nil {
		err = m.Close(ctx)
	}
	var exit *sys.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 0) {
		return nil, err
	}
	return out.Bytes(), check(w.guest, body, out.Bytes())
}

// Close implements Runner.
func (w *wazeroRunner) Close() error {
	return errors.Join(w.runtime.Close(context.Background()), w.cache.Close(context.Background()))
}
