package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/project"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/module"
)

// manifestName is the manifest in a function's folder.
const manifestName = "polyvoke.toml"

// source is a function as it lies on disk: a manifest, which may be empty, and a module.
type source struct {
	function protocol.Function
	wasm     []byte
	module   *module.Module
	path     string // of the module
}

// readSource reads FILE.wasm, a manifest, or a folder with a manifest, and checks what can be
// checked without an invoker. A name that is not empty replaces the manifest's or the file's.
func readSource(path, name string) (*source, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, manifestName)
	}
	manifest := map[string]any{}
	file := path
	if filepath.Ext(path) == ".toml" {
		var err error
		if manifest, file, err = readManifest(path); err != nil {
			return nil, err
		}
	}
	if name != "" {
		manifest["name"] = name
	} else if _, ok := manifest["name"]; !ok {
		manifest["name"] = strings.TrimSuffix(filepath.Base(file), ".wasm")
	}
	s := &source{path: file}
	if err := s.parseFunction(manifest, path); err != nil {
		return nil, err
	}
	wasm, err := os.ReadFile(file)
	if err != nil {
		return nil, missing(file, err)
	}
	s.wasm = wasm
	return s, s.parseModule()
}

// readManifest reads a TOML file: the manifest's keys, and the file that "module" names.
func readManifest(path string) (manifest map[string]any, file string, err error) {
	if _, err := toml.DecodeFile(path, &manifest); err != nil {
		var p toml.ParseError
		if errors.As(err, &p) {
			return nil, "", &exitError{code: exitNotRunnable, msg: fmt.Sprintf("%s: line %d: %s", path, p.Position.Line, p.Message), err: err}
		}
		return nil, "", missing(path, err)
	}
	if manifest == nil {
		manifest = map[string]any{}
	}
	rel, ok := manifest["module"].(string)
	if !ok || rel == "" {
		return nil, "", &exitError{code: exitNotRunnable, msg: path + `: module: say which file it is, such as module = "greet.wasm"`}
	}
	for _, key := range project.Keys() {
		delete(manifest, key)
	}
	if !filepath.IsAbs(rel) {
		rel = filepath.Join(filepath.Dir(path), rel)
	}
	return manifest, rel, nil
}

// parseFunction makes the manifest what would be sent, and lets the protocol judge it.
func (s *source) parseFunction(manifest map[string]any, path string) error {
	b, err := json.Marshal(manifest)
	if err != nil {
		return &exitError{code: exitNotRunnable, msg: fmt.Sprintf("%s: manifest: %v", path, err), err: err}
	}
	s.function, err = protocol.ParseFunction(b)
	if err == nil {
		return nil
	}
	hint := ""
	if filepath.Ext(path) != ".toml" && protocol.CheckName(s.function.Name) != nil {
		hint = "; choose another with --name"
	}
	return &exitError{code: exitOf(err), msg: fmt.Sprintf("%s: %v%s", path, err, hint), err: err}
}

// parseModule refuses what no invoker would run, before it is sent. How large a module may be is the invoker's to say.
func (s *source) parseModule() error {
	m, err := module.Limits{Size: int(protocol.MaxModule)}.Parse(s.wasm)
	if err == nil {
		err = m.CheckProcess()
	}
	if err != nil {
		return &exitError{code: exitNotRunnable, msg: fmt.Sprintf("%s: %v", s.path, err), err: err}
	}
	s.module = m
	if s.function.Language == "" {
		s.function.Language = m.Language()
	}
	return nil
}

// missing says what to do about a file that cannot be read.
func missing(path string, err error) error {
	var p *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &exitError{code: exitFailed, msg: path + ": there is no such file: check the path", err: err}
	case errors.As(err, &p):
		return &exitError{code: exitFailed, msg: fmt.Sprintf("%s: %v", path, p.Err), err: err}
	}
	return &exitError{code: exitFailed, msg: fmt.Sprintf("%s: %v", path, err), err: err}
}

// overrides are the manifest's keys that have flags.
type overrides struct {
	name, language         string
	timeout, memory, stack string
	start                  string
	fuel                   int64
	args, env              []string
}

// addTo adds the flags.
func (o *overrides) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.name, "name", "", "name of the function (default: the file's)")
	f.StringVar(&o.timeout, "timeout", "", `longest time of one call, such as "500ms" (default `+protocol.DefaultTimeout.String()+")")
	f.StringVar(&o.memory, "memory", "", `most memory of one call, such as "64MiB" (default `+protocol.DefaultMemory.String()+")")
	f.Int64Var(&o.fuel, "fuel", 0, "most work of one call, in units of the fuel that reports name (default no limit)")
	f.StringVar(&o.stack, "stack", "", `most stack of one call, such as "1MiB" (default `+protocol.DefaultStack.String()+")")
	f.StringVar(&o.start, "start", "", "how its processes start: "+strings.Join(protocol.StartKinds(), ", "))
	_ = cmd.RegisterFlagCompletionFunc("start", cobra.FixedCompletions(protocol.StartKinds(), cobra.ShellCompDirectiveNoFileComp))
	f.StringArrayVar(&o.env, "env", nil, "K=V for the function's environment; repeat for more")
}

// apply changes the manifest as the flags say, and checks it again.
func (o *overrides) apply(cmd *cobra.Command, f *protocol.Function) error {
	if o.timeout != "" {
		d, err := protocol.ParseDuration(o.timeout)
		if err != nil {
			return usageError(cmd, "--timeout: %v", err)
		}
		f.Limits.Timeout = d
	}
	for _, size := range []struct {
		flag, text string
		limit      *protocol.Size
	}{{"memory", o.memory, &f.Limits.Memory}, {"stack", o.stack, &f.Limits.Stack}} {
		if size.text == "" {
			continue
		}
		var err error
		if *size.limit, err = protocol.ParseSize(size.text); err != nil {
			return usageError(cmd, "--%s: %v", size.flag, err)
		}
	}
	if cmd.Flags().Changed("start") {
		if err := protocol.CheckStart(o.start); err != nil {
			return usageError(cmd, "--start %q: use one of %s", o.start, strings.Join(protocol.StartKinds(), ", "))
		}
		f.Start = o.start
	}
	if cmd.Flags().Changed("fuel") {
		f.Limits.Fuel = o.fuel // 0 takes the manifest's limit away
	}
	if o.language != "" {
		f.Language = o.language
	}
	f.Args = append(f.Args, o.args...)
	f.Env = maps.Clone(f.Env)
	for _, kv := range o.env {
		k, v, ok := strings.Cut(kv, "=")
		if !ok || k == "" {
			return usageError(cmd, "--env %q: write NAME=VALUE", kv)
		}
		if f.Env == nil {
			f.Env = map[string]string{}
		}
		f.Env[k] = v
	}
	return f.Check()
}
