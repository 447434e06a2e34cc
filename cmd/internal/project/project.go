// Package project knows a function's folder: how to begin one, and how to build what is in it.
//
// In goes a language and a name, and out comes a folder with a program that works, which is one of the samples; or in
// goes a folder, and out comes the module that its manifest names, made by the tool chain of this machine and rid of
// what a run does not need. How a language is built is said once, by the build.sh of its sample. To add a language,
// add its sample and a row to the table in language.go.
package project

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

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
	Optimize int    // how far the module's code is optimized, see protocol.Function
	// Module is the file that is built, and Script the script or the folder of scripts. One of them is empty. They are
	// below Dir unless the manifest has an absolute path.
	Module, Script string

	source  string   // that is built, or "" if command says it all
	command []string // to run instead of the build script of the language
	chain   []string // the variables of the tool chain, once it was found
}

// Open reads the polyvoke.toml of a folder, or the one that path names. The error's code is 404 if there is none, and
// 422 if it says nothing that can be built.
func Open(path string) (*Project, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, ManifestName)
	}
	m, err := ReadManifest(path, "")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, protocol.Errorf(protocol.CodeNotFound, "",
			"%s: there is no such file: polyvoke new makes a folder with one", path)
	}
	if err != nil {
		return nil, err
	}
	return &Project{
		Manifest: path, Dir: filepath.Dir(path), Name: cmp.Or(m.Function.Name, m.base()), Language: m.Function.Language,
		Optimize: m.Function.Optimization(),
		Module:   m.below(m.Module), Script: m.below(m.Script), source: m.Source, command: m.Command,
	}, nil
}

// below returns where a file of the folder is, or "" for none.
func (p *Project) below(name string) string { return (&Manifest{Path: p.Manifest}).below(name) }

// Request returns the file with a request that the folder was begun with, or that has its name.
func (p *Project) Request() string {
	plain := filepath.Join(p.Dir, "in.txt")
	if _, err := os.Stat(plain); err == nil {
		return plain
	}
	return filepath.Join(p.Dir, "in.json")
}
