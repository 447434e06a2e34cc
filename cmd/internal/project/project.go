// Package project knows a function's folder: how to begin one, and how to build what is in it.
//
// In goes a language and a name, and out comes a folder with a program that works, which is one of the samples; or in
// goes a folder, and out comes the module that its manifest names, made by the tool chain of this machine and rid of
// what a run does not need. How a language is built is said once, by the build.sh of its sample. To add a language,
// add its sample and a row to the table in language.go.
package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/polyvoke/polyvoke/protocol"
)

// ManifestName is the manifest in a function's folder.
const ManifestName = "polyvoke.toml"

// Keys are those of a polyvoke.toml that say how a function comes to be and are no part of its manifest. Who sends
// the manifest takes them out.
func Keys() []string { return []string{"module", "script", "build"} }

// A Project is a function's folder. It is for one goroutine.
type Project struct {
	Manifest string // its polyvoke.toml
	Dir      string // the folder
	Name     string // of the function
	Language string // as the manifest has it, perhaps empty
	Module   string // the file that is built, below Dir unless the manifest names it by an absolute path; empty for a script
	Script   string // the script or the folder of scripts, likewise; empty for a module

	source  string   // that is built, or "" if command says it all
	command []string // to run instead of the build script of the language
	chain   []string // the variables of the tool chain, once it was found
}

// file is what is read of a polyvoke.toml here. The other keys are the protocol's to judge.
type file struct {
	Name     string `toml:"name"`
	Language string `toml:"language"`
	Module   string `toml:"module"`
	Script   string `toml:"script"`
	Build    struct {
		Source  string   `toml:"source"`
		Command []string `toml:"command"`
	} `toml:"build"`
}

// Open reads the polyvoke.toml of a folder, or the one that path names. The error's code is 404 if there is none, and
// 422 if it says nothing that can be built.
func Open(path string) (*Project, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, ManifestName)
	}
	var f file
	md, err := toml.DecodeFile(path, &f)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, protocol.Errorf(protocol.CodeNotFound, "", "%s: there is no such file: polyvoke new makes a folder with one", path)
	case err != nil:
		return nil, refuse(path, "%s", message(err))
	case f.Module == "" && f.Script == "":
		return nil, refuse(path, `module: say which file to build, such as module = "greet.wasm"`)
	case f.Module != "" && f.Script != "":
		return nil, refuse(path, "module and script: a function is one of the two")
	case f.Build.Source != "" && f.Build.Command != nil:
		return nil, refuse(path, "build.source and build.command: choose one")
	case f.Build.Command != nil && (len(f.Build.Command) == 0 || f.Build.Command[0] == ""):
		return nil, refuse(path, `build.command: name a program and its arguments, such as ["make", "greet.wasm"]`)
	}
	for _, key := range md.Undecoded() {
		if key[0] == "build" && len(key) > 1 {
			return nil, refuse(path, "unknown key %q: [build] has source and command", key.String())
		}
	}
	p := &Project{Manifest: path, Dir: filepath.Dir(path), Name: f.Name, Language: f.Language, source: f.Build.Source, command: f.Build.Command}
	p.Module, p.Script = p.below(f.Module), p.below(f.Script)
	if p.Name == "" {
		base := filepath.Base(p.Module + p.Script)
		p.Name = strings.TrimSuffix(base, filepath.Ext(base))
	}
	return p, nil
}

// refuse is the error for a manifest.
func refuse(path, format string, a ...any) error {
	return protocol.Errorf(protocol.CodeRefused, "", "%s: %s", path, fmt.Sprintf(format, a...))
}

// message says in one line what is wrong with a TOML file.
func message(err error) string {
	var p toml.ParseError
	if errors.As(err, &p) {
		return fmt.Sprintf("line %d: %s", p.Position.Line, p.Message)
	}
	return err.Error()
}

// below returns where a file of the manifest is, or "" for none.
func (p *Project) below(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(p.Dir, filepath.FromSlash(name))
}
