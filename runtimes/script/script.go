package script

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

const (
	// MaxFiles is how many files a script may have.
	MaxFiles = 2000
	// MaxSize is how large a script's files may be, all together and unpacked, in bytes.
	MaxSize = 32 << 20

	// own is the folder of a script that is ours: what it is told by us is in there.
	own = ".polyvoke"
	// entryFile names the file that is run.
	entryFile = own + "/entry"
	// checkFile is there when the script is only to be checked.
	checkFile = own + "/check"
)

// scriptLimits bound a script.
func scriptLimits() limits { return limits{files: MaxFiles + 1, bytes: MaxSize} }

// Script is the source of a function.
type Script struct {
	// Entry is the path of the file that is run.
	Entry string
	files tree // .polyvoke/entry included
}

// Is reports whether a module is a script. It looks at the first bytes only.
func Is(module []byte) bool {
	return strings.HasPrefix(string(module[:min(len(module), len(magic))]), magic)
}

// Pack makes a script of the files in a folder, and a module of the script. Files and folders whose names begin with a
// dot stay out, and so do those for which leave says yes; leave may be nil. The same files give the same bytes.
func Pack(files fs.FS, entry string, leave func(name string) bool) ([]byte, error) {
	t, err := readTree(files, scriptLimits(), func(name string, _ bool) bool {
		return !strings.HasPrefix(path.Base(name), ".") && (leave == nil || !leave(name))
	})
	if err != nil {
		return nil, err
	}
	s := &Script{Entry: entry, files: t.with(entryFile, []byte(entry+"\n"))}
	if err := s.check(); err != nil {
		return nil, err
	}
	return s.files.archive(scriptLimits())
}

// Parse reads a script.
//
// # Errors
//
// The error says what is wrong with it. A script from a stranger takes no more time and memory than MaxFiles
// and MaxSize allow.
func Parse(module []byte) (*Script, error) {
	t, err := readArchive(module, scriptLimits(), all)
	if err != nil {
		return nil, fmt.Errorf("the script cannot be read: %w", err)
	}
	return newScript(t)
}

// newScript makes a script of unpacked files.
func newScript(t tree) (*Script, error) {
	entry, ok := t[entryFile]
	if !ok {
		return nil, errors.New("the script cannot be read: " + entryFile +
			" is missing, which names the file to run: polyvoke deploy makes it")
	}
	s := &Script{Entry: strings.TrimSuffix(string(entry), "\n"), files: t}
	return s, s.check()
}

// check refuses what cannot be run.
func (s *Script) check() error {
	for name := range s.files {
		if strings.HasPrefix(name, own+"/") && name != entryFile {
			return fmt.Errorf("the script has a file %.200q: the folder %s is not for scripts", name, own)
		}
	}
	if _, ok := s.files[s.Entry]; !ok || s.Entry == entryFile {
		return fmt.Errorf("the script has no file %.200q, which is the one to run", s.Entry)
	}
	return nil
}

// Files returns what processes of the script see as /script.
func (s *Script) Files() fs.FS { return s.files.fs() }
