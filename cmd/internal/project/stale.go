package project

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// mostFiles is how many files of a folder are looked at for one that is newer than the module.
const mostFiles = 100_000

// generated are the folders of a project that tools fill, and people do not edit.
var generated = []string{"node_modules", "target", "zig-cache", "zig-out", "__pycache__"}

// errEnough ends a walk.
var errEnough = errors.New("enough")

// Stale says why the module must be built before it is used: it is not there, or a file of the folder, whose name it
// returns, is newer. It returns "" if nothing is to be built, as for a script, or for a module that the manifest does
// not say how to build.
func (p *Project) Stale() (why string, err error) {
	if p.Module == "" || p.source == "" && p.command == nil {
		return "", nil
	}
	module, err := os.Stat(p.Module)
	if errors.Is(err, fs.ErrNotExist) {
		return filepath.Base(p.Module) + " is not built", nil
	}
	if err != nil {
		return "", err
	}
	newer, err := p.newer(module.ModTime())
	if newer != "" {
		why = newer + " is newer than " + filepath.Base(p.Module)
	}
	return why, err
}

// newer returns a file of the folder that was changed after a moment, or "". What builds and tools make is left out.
func (p *Project) newer(than time.Time) (name string, err error) {
	n := 0
	err = filepath.WalkDir(p.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(p.Dir, path) // it is below
		switch n++; {
		case rel == ".":
			return nil
		case n > mostFiles:
			return errEnough
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") || slices.Contains(generated, d.Name()) || p.Output(path)):
			return fs.SkipDir
		case d.IsDir() || incidental(rel):
			return nil
		}
		info, err := d.Info()
		if err != nil || !info.Mode().IsRegular() || !info.ModTime().After(than) || p.Output(path) {
			return nil // what is gone by now is no source
		}
		name = rel
		return errEnough
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return name, err
}

// incidental reports whether a file of the folder has nothing to do with the module: what is hidden, the request to
// try, and the text about the function.
func incidental(rel string) bool {
	return strings.HasPrefix(filepath.Base(rel), ".") || slices.Contains([]string{"in.json", "in.txt", "README.md"},
		rel)
}
