package contestant

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	sdk "github.com/extism/go-sdk"
	"github.com/tetratelabs/wazero"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/guest"
)

// extismPlugin is Extism's Go SDK. Its own way to pass a body needs its own library in the guest; a WASI
// program gets stdin and stdout through the module configuration that the SDK lets one pass.
func extismPlugin() Contestant {
	return Contestant{
		Name: "extism go-sdk",
		About: "a compiled plugin, an instance for each call, its entry _start; stdin and stdout by way of the instance's " +
			"ModuleConfig, not by Extism's own input and output",
		Open: openExtism,
	}
}

// extismRunner is a compiled plugin.
type extismRunner struct {
	guest   *guest.Guest
	plugin  *sdk.CompiledPlugin
	cache   wazero.CompilationCache
	replies []bytes.Buffer // by caller
}

// openExtism compiles the guest as a plugin.
func openExtism(ctx context.Context, s Setup) (Runner, error) {
	module, err := os.ReadFile(s.Guest.Wasm)
	if err != nil {
		return nil, err
	}
	cache, err := wazero.NewCompilationCacheWithDir(filepath.Join(s.Cache, "wazero"))
	if err != nil {
		return nil, err
	}
	p, err := sdk.NewCompiledPlugin(ctx, sdk.Manifest{Wasm: []sdk.Wasm{sdk.WasmData{Data: module}}},
		sdk.PluginConfig{EnableWasi: true, RuntimeConfig: wazero.NewRuntimeConfig().WithCompilationCache(cache)}, nil)
	if err != nil {
		return nil, errors.Join(err, cache.Close(ctx))
	}
	return &extismRunner{guest: s.Guest, plugin: p, cache: cache, replies: make([]bytes.Buffer, s.Callers)}, nil
}

// Run implements Runner.
func (e *extismRunner) Run(ctx context.Context, caller int, body []byte) ([]byte, error) {
	out := &e.replies[caller]
	out.Reset()
	config := moduleConfig(e.guest).WithStdin(bytes.NewReader(body)).WithStdout(out)
	p, err := e.plugin.Instance(ctx, sdk.PluginInstanceConfig{ModuleConfig: config})
	if err != nil {
		return nil, err
	}
	code, _, err := p.CallWithContext(ctx, "_start", nil)
	if err = errors.Join(err, p.CloseWithContext(ctx)); err != nil {
		return nil, err
	}
	if code != 0 {
		return nil, fmt.Errorf("exit code %d", code)
	}
	return out.Bytes(), check(e.guest, body, out.Bytes())
}

// Close implements Runner.
func (e *extismRunner) Close() error {
	return errors.Join(e.plugin.Close(context.Background()), e.cache.Close(context.Background()))
}
