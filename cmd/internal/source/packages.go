package source

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Packages of Python that pip has installed with --target lie in folders beside the script. pip writes beside each
// package what belongs to it: NAME.dist-info/RECORD, lines of path, digest and size (PyPA, "Recording installed
// projects").

const (
	// distInfo is how the folder about a package ends.
	distInfo = ".dist-info"
	// maxRecord is how much of a RECORD is read, in bytes.
	maxRecord = 4 << 20
	// requirements is where people write which packages a script needs.
	requirements = "requirements.txt"
	// mostNamed is how many files a warning names.
	mostNamed = 3
)

// native reports whether a file holds code for a machine, which no sandbox runs. It goes by the name.
func native(name string) bool {
	base := path.Base(name)
	switch path.Ext(base) {
	case ".so", ".pyd", ".dylib", ".dll", ".node":
		return true
	}
	return strings.Contains(base, ".so.") // libfoo.so.1
}

// compiled reports whether a path is, or is in, a cache of what another Python has compiled.
func compiled(name string) bool {
	return path.Base(name) == "__pycache__" || strings.Contains(name, "__pycache__/")
}

// installed returns the files of the packages that pip has installed into a folder, or into folders in it, for a script
// that lies there alone. Their paths are relative to the folder.
func installed(folder fs.FS) (map[string]bool, error) {
	all := map[string]bool{}
	for _, pattern := range []string{"*" + distInfo, "*/*" + distInfo} {
		infos, err := fs.Glob(folder, pattern)
		if err != nil {
			return nil, err // the pattern is right
		}
		for _, info := range infos {
			if strings.HasPrefix(info, ".") {
				continue
			}
			if err := recorded(folder, info, all); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// recorded adds the files of a package, by its RECORD.
func recorded(folder fs.FS, info string, all map[string]bool) error {
	f, err := folder.Open(path.Join(info, "RECORD"))
	if err != nil {
		return nil // then it is no package
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, maxRecord))
	for lines.Scan() {
		name, _, _ := strings.Cut(lines.Text(), ",")
		name = path.Join(path.Dir(info), strings.Trim(name, `"`))
		if fs.ValidPath(name) && name != "." && !compiled(name) {
			all[name] = true
		}
	}
	return lines.Err()
}

// chooser returns which files and folders stay out of a script. alone means that the entry lies in a folder that is not
// all its own. Files that cannot work are noted.
func (s *Source) chooser(folder fs.FS, entry, manifest string, alone bool) (leave func(name string) bool, err error) {
	packages := map[string]bool{}
	if alone && path.Ext(entry) == ".py" {
		if packages, err = installed(folder); err != nil {
			return nil, err
		}
	}
	parents := map[string]bool{}
	for name := range packages {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			parents[dir] = true
		}
	}
	var useless []string
	return func(name string) bool {
		switch {
		case name == entry:
			return false
		case alone && !packages[name] && !parents[name], !alone && (name == manifest || name == manifest+signatureSuffix), compiled(name):
			return true
		case native(name):
			if !slices.Contains(useless, name) { // it may be asked for twice
				s.noteNative(&useless, name)
			}
			return true
		}
		return false
	}, nil
}

// noteNative adds a file to those with code for a machine, of which there is one warning.
func (s *Source) noteNative(names *[]string, name string) {
	if *names = append(*names, name); len(*names) == 1 {
		s.Warnings = append(s.Warnings, "")
	}
	s.Warnings[len(s.Warnings)-1] = nativeWarning(*names)
}

// nativeWarning is about files with code for a machine.
func nativeWarning(names []string) string {
	shown := strings.Join(names[:min(len(names), mostNamed)], ", ")
	if more := len(names) - mostNamed; more > 0 {
		shown += fmt.Sprintf(" and %d more", more)
	}
	return shown + ": left out, because code for a machine does not run in the sandbox: " +
		"if the script fails to import its package, use one without such code"
}

// missingPackages warns of packages that a script in Python asks for and that are nowhere beside it.
func (s *Source) missingPackages(folder fs.FS, entry string) {
	if path.Ext(entry) != ".py" {
		return
	}
	list, err := fs.ReadFile(folder, requirements)
	if err != nil || !slices.ContainsFunc(strings.Split(string(list), "\n"), requires) {
		return
	}
	for _, pattern := range []string{"*" + distInfo, "*/*" + distInfo} {
		if found, _ := fs.Glob(folder, pattern); len(found) > 0 { // the pattern is right
			return
		}
	}
	file := filepath.Join(filepath.Dir(s.Path), requirements)
	s.Warnings = append(s.Warnings, fmt.Sprintf("%s names packages, and none is installed beside the script: "+
		"pip install --target %s -r %s", file, filepath.Dir(s.Path), file))
}

// requires reports whether a line of requirements.txt asks for a package.
func requires(line string) bool {
	line = strings.TrimSpace(line)
	return line != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "-")
}

// folderOf returns the folder of a script's entry.
func folderOf(dir string) fs.FS {
	if dir == "" {
		dir = "."
	}
	return os.DirFS(dir)
}
