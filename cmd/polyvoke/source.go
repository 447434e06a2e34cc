package main

import (
	"cmp"
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
	"github.com/polyvoke/polyvoke/runtimes/script"
	"github.com/polyvoke/polyvoke/runtimes/script/recipe"
)

// manifestName is the manifest in a function's folder.
const manifestName = "polyvoke.toml"

// source is a function as it lies on disk: a manifest, which may be empty, and a module or a script.
type source struct {
	function protocol.Function
	code     []byte // the module, or the script packed as one
	path     string // of the module, or of the file that is the script's entry
}

// readSource reads a module, a script, a manifest, or a folder with a manifest, and checks what can be
// checked without an invoker. A name that is not empty replaces the manifest's or the file's, and a runtime that is not
// empty the manifest's or the extension's.
func readSource(path, name, runtime string) (*source, error) {
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
		manifest["name"] = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	}
	if _, ok := manifest["runtime"]; !ok && runtime == "" {
		runtime = recipe.ForExtension(filepath.Ext(file))
	}
	if runtime != "" {
		manifest["runtime"] = runtime
	}
	s := &source{path: file}
	if err := s.parseFunction(manifest, path); err != nil {
		return nil, err
	}
	if s.function.Runtime != "" {
		return s, s.packScript(file != path)
	}
	wasm, err := os.ReadFile(file)
	if err != nil {
		return nil, missing(file, err)
	}
	s.code = wasm
	return s, s.parseModule()
}

// packScript packs the script: its folder if it has a manifest there, or else the one file.
func (s *source) packScript(folder bool) error {
	dir, entry := filepath.Split(s.path)
	if _, err := os.Stat(s.path); err != nil {
		return missing(s.path, err)
	}
	packed, err := script.Pack(os.DirFS(cmp.Or(dir, ".")), entry, func(name string) bool {
		return folder && name == manifestName || !folder && name != entry
	})
	if err != nil {
		return &exitError{code: exitNotRunnable, msg: fmt.Sprintf("%s: %v", s.path, err), err: err}
	}
	s.code = packed
	return nil
}

// readManifest reads a TOML file: the manifest's keys, and the file that "module" or "script" names.
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
	if text, is := manifest["script"].(string); is && !ok {
		rel, ok = text, true
	}
	if !ok || rel == "" {
		return nil, "", &exitError{code: exitNotRunnable, msg: path + `: module: say which file it is, such as module = "greet.wasm" or script = "greet.py"`}
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
	m, err := module.Limits{Size: int(protocol.MaxModule)}.Parse(s.code)
	if err == nil {
		err = m.CheckProcess()
	}
	if err != nil {
		return &exitError{code: exitNotRunnable, msg: fmt.Sprintf("%s: %v", s.path, err), err: err}
	}
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
	start, runtime         string
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
	f.StringVar(&o.runtime, "runtime", "", "what runs a script: NAME or NAME@VERSION (default: by the file's extension)")
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
