package contestant

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/bytecodealliance/wasmtime-go/v37"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/guest"
)

// wasmtimeGo is wasmtime as its Go package offers it. Its WASI takes files for stdin and stdout, nothing else.
func wasmtimeGo() Contestant {
	return Contestant{
		Name: "wasmtime-go",
		About: "wasmtime 37 by its Go package: a store and an instance for each call; its WASI takes only files as stdin " +
			"and stdout, here in memory",
		Open: openWasmtime,
	}
}

// wasmtimeRunner is a compiled module.
type wasmtimeRunner struct {
	guest  *guest.Guest
	engine *wasmtime.Engine
	linker *wasmtime.Linker
	module *wasmtime.Module
	dir    string // of the files for stdin and stdout
	keys   []string
	values []string
}

// openWasmtime compiles the guest, or loads it if that has been done.
func openWasmtime(_ context.Context, s Setup) (Runner, error) {
	w := &wasmtimeRunner{guest: s.Guest, engine: wasmtime.NewEngine()}
	for _, e := range s.Guest.Env {
		k, v, _ := strings.Cut(e, "=")
		w.keys, w.values = append(w.keys, k), append(w.values, v)
	}
	w.linker = wasmtime.NewLinker(w.engine)
	err := w.linker.DefineWasi()
	if err == nil {
		w.module, err = w.load(filepath.Join(s.Cache, "wasmtime-"+strings.ReplaceAll(s.Guest.Name, " ", "-")))
	}
	if err == nil {
		w.dir, err = os.MkdirTemp(memoryFolder(), "bench")
	}
	return w, err
}

// memoryFolder is a folder that lives in memory if the system has the usual one, or "" for the usual temporary files.
func memoryFolder() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return ""
}

// load returns the module from a file of a former run, or compiles it and writes the file.
func (w *wasmtimeRunner) load(file string) (*wasmtime.Module, error) {
	source, err := os.Stat(w.guest.Wasm)
	if err != nil {
		return nil, err
	}
	if made, err := os.Stat(file); err == nil && made.ModTime().After(source.ModTime()) {
		if m, err := wasmtime.NewModuleDeserializeFile(w.engine, file); err == nil {
			return m, nil
		}
	}
	b, err := os.ReadFile(w.guest.Wasm)
	if err != nil {
		return nil, err
	}
	m, err := wasmtime.NewModule(w.engine, b)
	if err != nil {
		return nil, err
	}
	out, err := m.Serialize()
	if err != nil {
		return nil, err
	}
	return m, os.WriteFile(file, out, 0o600)
}

// Run implements Runner.
func (w *wasmtimeRunner) Run(_ context.Context, caller int, body []byte) ([]byte, error) {
	in, out := filepath.Join(w.dir, fmt.Sprint("in", caller)), filepath.Join(w.dir, fmt.Sprint("out", caller))
	if err := os.WriteFile(in, body, 0o600); err != nil {
		return nil, err
	}
	if err := w.call(in, out); err != nil {
		return nil, err
	}
	reply, err := os.ReadFile(out)
	if err != nil {
		return nil, err
	}
	return reply, check(w.guest, body, reply)
}

// call runs the module once, from one file to the other.
func (w *wasmtimeRunner) call(in, out string) error {
	config := wasmtime.NewWasiConfig()
	config.SetArgv(w.guest.Args)
	config.SetEnv(w.keys, w.values)
	if err := errors.Join(config.SetStdinFile(in), config.SetStdoutFile(out)); err != nil {
		return err
	}
	store := wasmtime.NewStore(w.engine)
	defer store.Close()
	store.SetWasi(config)
	instance, err := w.linker.Instantiate(store, w.module)
	if err != nil {
		return err
	}
	_, err = instance.GetFunc(store, "_start").Call(store)
	var exit *wasmtime.Error
	if errors.As(err, &exit) {
		if code, ok := exit.ExitStatus(); ok && code == 0 {
			return nil
		}
	}
	return err
}

// Close implements Runner.
func (w *wasmtimeRunner) Close() error {
	if w.module != nil {
		w.module.Close()
	}
	w.linker.Close()
	w.engine.Close()
	return os.RemoveAll(w.dir)
}
