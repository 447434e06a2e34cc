// Package source reads functions as they lie on disk: a module, a script, a manifest, or a folder with a manifest.
package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/cmd/internal/interpreters"
	"github.com/polyvoke/polyvoke/cmd/internal/project"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/script"
)

// Source is a function as it lies on disk: a manifest, which may be empty, and a module or a script. It is for one
// goroutine.
type Source struct {
	Function protocol.Function
	Code     []byte // the module, or the script packed as one
	Path     string // of the module, or of the file that is the script's entry

	// Warnings say what is likely to be wrong with a script, and what to do.
	Warnings []string
}

// Read reads a module, a script, a manifest, or a folder with a manifest, and checks what can be
// checked without an invoker. A name that is not empty replaces the manifest's or the file's, and a runtime that is not
// empty the manifest's or the extension's. The error is an *exit.Error.
func Read(path, name, runtime string) (*Source, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, project.ManifestName)
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
		runtime = interpreters.ForExtension(filepath.Ext(file))
	}
	if runtime != "" {
		manifest["runtime"] = runtime
	}
	s := &Source{Path: file}
	if err := s.parseFunction(manifest, path); err != nil {
		return nil, err
	}
	if s.Function.Runtime != "" {
		return s, s.packScript(file != path)
	}
	wasm, err := os.ReadFile(file)
	if err != nil {
		return nil, Missing(file, err)
	}
	s.Code = wasm
	if ext := filepath.Ext(file); ext != ".wasm" && ext != ".wat" && isText(wasm) {
		return nil, s.noRuntime(ext)
	}
	return s, s.parseModule()
}

// isText looks at the beginning only.
func isText(b []byte) bool {
	b = b[:min(len(b), 4096)]
	for range utf8.UTFMax { // the last character may be cut
		if n := len(b) - 1; n >= 0 && !utf8.Valid(b) {
			b = b[:n]
		}
	}
	return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0
}

// NoRuntime is the cause of the error about a script that no runtime of this machine declares its extension for.
type NoRuntime struct {
	Ext string // the script's extension with its dot; empty if it has none
}

// Error implements error.
func (e *NoRuntime) Error() string { return fmt.Sprintf("no runtime is known for %q", e.Ext) }

// noRuntime says what to do about a script that nothing is known to run.
func (s *Source) noRuntime(ext string) error {
	what := "it is text, and no runtime is known"
	if ext != "" {
		what += " for " + ext
	}
	return &exit.Error{Code: exit.NotRunnable, Msg: fmt.Sprintf("%s: %s: if it is a script, say what runs it with --runtime, or with runtime in its manifest: %s "+
		"(polyvoke runtime ls tells more); else compile it to .wasm", s.Path, what, strings.Join(interpreters.Names(), ", ")), Err: &NoRuntime{Ext: ext}}
}

// packScript packs the script: its folder if it has a manifest there, or else the one file, with the packages that pip
// has installed beside it if it is Python.
func (s *Source) packScript(folder bool) error {
	dir, entry := filepath.Split(s.Path)
	if _, err := os.Stat(s.Path); err != nil {
		return Missing(s.Path, err)
	}
	files := folderOf(dir)
	leave, err := s.chooser(files, entry, project.ManifestName, !folder)
	if err != nil {
		return Missing(s.Path, err)
	}
	s.missingPackages(files, entry)
	packed, err := script.Pack(files, entry, leave)
	if err != nil {
		return &exit.Error{Code: exit.NotRunnable, Msg: fmt.Sprintf("%s: %v", s.Path, err), Err: err}
	}
	s.Code = packed
	return nil
}

// readManifest reads a TOML file: the manifest's keys, and the file that "module" or "script" names.
func readManifest(path string) (manifest map[string]any, file string, err error) {
	if _, err := toml.DecodeFile(path, &manifest); err != nil {
		var p toml.ParseError
		if errors.As(err, &p) {
			return nil, "", &exit.Error{Code: exit.NotRunnable, Msg: fmt.Sprintf("%s: line %d: %s", path, p.Position.Line, p.Message), Err: err}
		}
		return nil, "", Missing(path, err)
	}
	if manifest == nil {
		manifest = map[string]any{}
	}
	rel, ok := manifest["module"].(string)
	if text, is := manifest["script"].(string); is && !ok {
		rel, ok = text, true
	}
	if !ok || rel == "" {
		return nil, "", &exit.Error{Code: exit.NotRunnable, Msg: path + `: module: say which file it is, such as module = "greet.wasm" or script = "greet.py"`}
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
func (s *Source) parseFunction(manifest map[string]any, path string) error {
	b, err := json.Marshal(manifest)
	if err != nil {
		return &exit.Error{Code: exit.NotRunnable, Msg: fmt.Sprintf("%s: manifest: %v", path, err), Err: err}
	}
	s.Function, err = protocol.ParseFunction(b)
	if err == nil {
		return nil
	}
	hint := ""
	if filepath.Ext(path) != ".toml" && protocol.CheckName(s.Function.Name) != nil {
		hint = "; choose another with --name"
	}
	return &exit.Error{Code: exit.Of(err), Msg: fmt.Sprintf("%s: %v%s", path, err, hint), Err: err}
}

// parseModule refuses what no invoker would run, before it is sent. How large a module may be is the invoker's to say.
func (s *Source) parseModule() error {
	m, err := module.Limits{Size: int(protocol.MaxModule)}.Parse(s.Code)
	if err == nil {
		err = m.CheckProcess()
	}
	if err != nil {
		return &exit.Error{Code: exit.NotRunnable, Msg: fmt.Sprintf("%s: %v", s.Path, err), Err: err}
	}
	if s.Function.Language == "" {
		s.Function.Language = m.Language()
	}
	return nil
}

// Missing says what to do about a file that cannot be read.
func Missing(path string, err error) error {
	var p *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &exit.Error{Code: exit.Failed, Msg: path + ": there is no such file: check the path", Err: err}
	case errors.As(err, &p):
		return &exit.Error{Code: exit.Failed, Msg: fmt.Sprintf("%s: %v", path, p.Err), Err: err}
	}
	return &exit.Error{Code: exit.Failed, Msg: fmt.Sprintf("%s: %v", path, err), Err: err}
}

// Options returns what the source's program is compiled with.
func (s *Source) Options() runtimes.Options {
	f, limits := &s.Function, s.Function.Limits.WithDefaults()
	return runtimes.Options{Memory: uint64(f.Limits.Memory), Stack: uint64(limits.Stack), Fuel: uint64(limits.Fuel), Start: f.Start,
		Interpreter: f.Runtime, Args: append([]string{f.Name}, f.Args...), Env: environ(f.Env), Varies: f.Meta == protocol.MetaEnv}
}

// environ returns an environment as a process gets it, in order.
func environ(env map[string]string) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(env)) {
		out = append(out, k+"="+env[k])
	}
	return out
}
