// Package source reads functions as they lie on disk: a module, a script, a manifest, or a folder with a manifest.
package source

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/cmd/internal/interpreters"
	"github.com/polyvoke/polyvoke/cmd/internal/project"
	"github.com/polyvoke/polyvoke/protocol"
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

	asked string // what it was read by: the module, the script, or the manifest
}

// Read reads a module, a script, a manifest, or a folder with a manifest, and checks what can be
// checked without an invoker. A name that is not empty replaces the manifest's or the file's, and a runtime that is not
// empty the manifest's or the extension's. The error is an *exit.Error.
func Read(path, name, runtime string) (*Source, error) {
	s, err := read(path, name, runtime)
	if err == nil {
		s.Warnings = append(s.Warnings, s.handlers()...)
	}
	return s, err
}

// read is Read without a look at what is odd.
func read(path, name, runtime string) (*Source, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, project.ManifestName)
	}
	s := &Source{Path: path, Function: protocol.Function{Name: name}, asked: path}
	if filepath.Ext(path) == ".toml" {
		if err := s.readManifest(path, name); err != nil {
			return nil, err
		}
	}
	file := s.Path
	s.Function.Name = cmp.Or(s.Function.Name, strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)))
	if s.Function.Runtime = cmp.Or(runtime, s.Function.Runtime); s.Function.Runtime == "" {
		s.Function.Runtime = interpreters.ForExtension(filepath.Ext(file))
	}
	if err := s.check(path); err != nil {
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
	if advice := project.Advice(s.Path); advice != "" {
		return &exit.Error{Code: exit.NotRunnable, Msg: s.Path + ": " + advice}
	}
	what := "it is text, and no runtime is known"
	if ext != "" {
		what += " for " + ext
	}
	return &exit.Error{Code: exit.NotRunnable, Err: &NoRuntime{Ext: ext},
		Msg: fmt.Sprintf("%s: %s: if it is a script, say what runs it with --runtime, or with runtime in its manifest: %s "+
			"(polyvoke runtime ls tells more); else compile it to .wasm",
			s.Path, what, strings.Join(interpreters.Names(), ", "))}
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

// readManifest reads a TOML file: the function, and where its module or script is.
func (s *Source) readManifest(path, name string) error {
	m, err := project.ReadManifest(path, name)
	var refused *protocol.Error
	switch {
	case errors.As(err, &refused):
		return &exit.Error{Code: exit.Of(err), Msg: err.Error(), Err: err}
	case err != nil:
		return Missing(path, err)
	}
	s.Function, s.Path = m.Function, m.File()
	return nil
}

// check lets the protocol judge what would be sent.
func (s *Source) check(path string) error {
	err := s.Function.Check()
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
