// Package interpreters has the interpreters of this machine, which users call runtimes: those in this program, and
// those that were built or fetched here. Commands that need no NATS use them, and others add them to one.
package interpreters

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/script"
)

// Folder is a folder of bundles, one file an interpreter. Several processes may use it at a time.
type Folder string

// suffix is how the files' names end.
const suffix = ".runtime.zip"

// List returns what is known about the interpreters that are there, sorted by name. A file that cannot be read is
// left out.
func (d Folder) List() []script.Info {
	if d == "" {
		return nil // there is no such folder
	}
	paths, _ := filepath.Glob(filepath.Join(string(d), "*"+suffix)) // the pattern is right
	var all []script.Info
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			continue
		}
		if i, err := script.ParseInfo(b); err == nil {
			all = append(all, i)
		}
	}
	return all
}

// Get returns the bundle of an interpreter. The error is fs.ErrNotExist in the sense of errors.Is if there is none.
func (d Folder) Get(name string) ([]byte, error) {
	if err := protocol.CheckName(name); err != nil {
		return nil, err
	}
	if d == "" {
		return nil, &fs.PathError{Op: "open", Path: name + suffix, Err: fs.ErrNotExist}
	}
	return os.ReadFile(d.path(name))
}

// Put keeps a bundle in place of another one of the same name.
func (d Folder) Put(bundle []byte) (script.Info, error) {
	if d == "" {
		return script.Info{}, errors.New("there is no folder for runtimes: set HOME")
	}
	b, err := script.CheckBundle(bundle)
	if err != nil {
		return b, err
	}
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return b, err
	}
	f, err := os.CreateTemp(string(d), "new-*")
	if err != nil {
		return b, err
	}
	defer os.Remove(f.Name()) // fails if it has its name
	_, err = f.Write(bundle)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), d.path(b.Name))
	}
	return b, err
}

func (d Folder) path(name string) string { return filepath.Join(string(d), name+suffix) }

// Describe returns how an interpreter is kept on NATS: as a function is, with what people want to know as its
// environment.
func Describe(bundle []byte) (protocol.Function, error) {
	b, err := script.CheckBundle(bundle)
	if err != nil {
		return protocol.Function{}, err
	}
	return protocol.Function{Name: b.Name, Language: b.Language, Limits: protocol.Limits{Memory: protocol.Size(b.Memory)},
		Env: map[string]string{VersionKey: b.Version, ExtensionsKey: strings.Join(b.Extensions, " ")}}, nil
}

// The keys of what Describe tells.
const (
	VersionKey    = "VERSION"    // the interpreter's own
	ExtensionsKey = "EXTENSIONS" // of its scripts, with blanks between
)

// Default returns the folder in a user's cache, or an error if there is no cache.
func Default() (Folder, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("there is no folder for runtimes: %w", err)
	}
	return Folder(filepath.Join(cache, "polyvoke", "runtimes")), nil
}
