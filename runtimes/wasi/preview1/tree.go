package preview1

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"
)

// A process sees one tree of files, as in a container: /request, the mounts, the devices in /dev, and the folders that
// lead to them. Nothing else exists. A path that is absolute and clean says where in it something is.

const (
	// requestFolder is the folder of the request, which is descriptor 3.
	requestFolder = "/request"
	// deviceFolder is the folder of the devices.
	deviceFolder = "/dev"
	// numbersFolder is where stdin, stdout and stderr are found by number.
	numbersFolder = "/dev/fd"
	// maxName is how long a name may be, in bytes.
	maxName = 255
)

// MaxMounts is how many folders a State can have besides /request.
const MaxMounts = 4

// Mount is a read-only folder besides /request. Its files never change, so it does not
// matter whether a process has looked at them.
type Mount struct {
	Path string // absolute and clean, such as "/script"; "/" is what else there is in the topmost folder
	FS   fs.FS
}

// foldersOf returns the preopens: /request, the mounts, and the topmost folder, which comes last so that the others
// have the numbers that they had before there was one.
func foldersOf(mounts []Mount) []string {
	all := []string{requestFolder}
	for _, m := range mounts {
		if m.Path != "/" {
			all = append(all, m.Path)
		}
	}
	return append(all, "/")
}

// device is a file in /dev.
type device struct {
	path string
	kind kind
}

// devices are the files in /dev. The names of one file come one after the other, the one by which its inode is known
// first.
var devices = [...]device{
	{"/dev/stdin", stdin}, {"/dev/fd/0", stdin},
	{"/dev/stdout", stdout}, {"/dev/fd/1", stdout},
	{"/dev/stderr", stderr}, {"/dev/fd/2", stderr},
	{"/dev/null", null}, {"/dev/zero", zero}, {"/dev/random", random}, {"/dev/urandom", urandom},
}

// deviceAt returns the kind of the device at a path, or closed if there is none.
func deviceAt(p string) kind {
	if strings.HasPrefix(p, deviceFolder) {
		for _, d := range devices {
			if d.path == p {
				return d.kind
			}
		}
	}
	return closed
}

// deviceName returns the path by which a device's inode is known.
func deviceName(k kind) string {
	i := slices.IndexFunc(devices[:], func(d device) bool { return d.kind == k })
	return devices[i].path
}

// below returns what leads from a folder to a path: "." if it is the same.
func below(folder, p string) (name string, ok bool) {
	if p == folder {
		return ".", true
	}
	if folder != "/" {
		if p, ok = strings.CutPrefix(p, folder); !ok {
			return "", false
		}
	}
	return strings.CutPrefix(p, "/")
}

// holder returns the files that a path is in, if any are, and its name there.
func (s *State) holder(p string) (files fs.FS, name string) {
	if name, ok := below(requestFolder, p); ok {
		if s.isNoName(name) {
			return nil, name
		}
		return s.Files, name
	}
	longest := 0
	for _, m := range s.Mounts {
		if n, ok := below(m.Path, p); ok && len(m.Path) > longest {
			files, name, longest = m.FS, n, len(m.Path)
		}
	}
	return files, name
}

// isFixed reports whether a path is a folder whatever the files are: where some begin, or a folder that leads there.
func (s *State) isFixed(p string) bool {
	return p == "/" || p == requestFolder || p == deviceFolder || p == numbersFolder ||
		slices.ContainsFunc(s.Mounts, func(m Mount) bool { _, ok := below(p, m.Path); return ok })
}

// isNoName reports whether a name below /request cannot exist, whatever the request.
func (s *State) isNoName(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return s.Names != nil && name != "." && !slices.Contains(s.Names, first)
}

// note remembers that the guest looks at what may be different in the next run.
func (s *State) note(p string) {
	if name, ok := below(requestFolder, p); ok && !s.isNoName(name) {
		s.seen.Files = true
	}
}

// at describes what is at a path. A link that is the last element is followed if follow says so; others always are.
func (s *State) at(p string, follow bool) (stat, errno) {
	s.work(workPath)
	if k := deviceAt(p); k != closed {
		return statOfDevice(k), 0
	}
	if s.isFixed(p) {
		return stat{kind: typeFolder, inode: inodeOf(p)}, 0
	}
	s.note(p)
	files, name := s.holder(p)
	if files == nil {
		return stat{}, s.missing(p)
	}
	info, err := statIn(files, name, follow)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return stat{}, s.missing(p)
	case err != nil:
		return stat{}, errnoOf(err)
	}
	return statOf(info, p), 0
}

// statIn describes a file, or a link if it is not to be followed.
func statIn(files fs.FS, name string, follow bool) (fs.FileInfo, error) {
	if follow {
		return fs.Stat(files, name)
	}
	return fs.Lstat(files, name)
}

// folderAt returns 0 if there is a folder at a path.
func (s *State) folderAt(p string) errno {
	st, e := s.at(p, true)
	if e == 0 && st.kind != typeFolder {
		return enotdir
	}
	return e
}

// missing says why there is nothing at a path: nothing has that name, or what leads there is no folder.
func (s *State) missing(p string) errno {
	begin := 1
	for i := 1; i <= len(p); i++ { // from the top: what is not there ends the search
		switch {
		case i < len(p) && p[i] != '/':
			continue
		case i-begin > maxName:
			return enametoolong
		case i < len(p):
			if e := s.leadsOn(p[:i]); e != 0 {
				return e
			}
		}
		begin = i + 1
	}
	return enoent
}

// leadsOn returns 0 if there is a folder at a path whose parent is one.
func (s *State) leadsOn(p string) errno {
	switch {
	case s.isFixed(p):
		return 0
	case deviceAt(p) != closed:
		return enotdir
	}
	s.work(workPath)
	files, name := s.holder(p)
	if files == nil {
		return enoent
	}
	info, err := fs.Stat(files, name)
	if err == nil && !info.IsDir() {
		return enotdir
	}
	return errnoOf(err)
}

// openAt opens what is at a path, as at describes it. Only what is no folder stays open on the host's side.
func (s *State) openAt(p string, follow bool) (*file, errno) {
	s.work(workPath)
	if s.isFixed(p) {
		return &file{path: p, folder: true}, 0
	}
	s.note(p)
	files, name := s.holder(p)
	switch {
	case files == nil:
		return nil, s.missing(p)
	case !follow && isLink(files, name):
		return nil, eloop
	}
	f, err := files.Open(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, s.missing(p)
	case err != nil:
		return nil, errnoOf(err)
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, errnoOf(err)
	}
	if info.IsDir() {
		return &file{path: p, folder: true}, errnoOf(f.Close())
	}
	return &file{f: f, path: p, size: info.Size()}, 0
}

// isLink reports whether a file is a link. File systems without links are not asked.
func isLink(files fs.FS, name string) bool {
	links, ok := files.(fs.ReadLinkFS)
	if !ok {
		return false
	}
	info, err := links.Lstat(name)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// entriesOf returns what is in a folder, sorted.
func (s *State) entriesOf(p string) ([]fs.DirEntry, errno) {
	var all []fs.DirEntry
	s.note(p)
	if files, name := s.holder(p); files != nil {
		entries, err := fs.ReadDir(files, name)
		if err != nil && !(errors.Is(err, fs.ErrNotExist) && s.isFixed(p)) {
			return nil, errnoOf(err)
		}
		all = entries
		if p == requestFolder {
			all = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return s.isNoName(e.Name()) })
		}
	}
	fixed := s.fixedIn(p)
	if len(fixed) == 0 {
		return all, 0
	}
	all = slices.DeleteFunc(slices.Clone(all), func(e fs.DirEntry) bool {
		return slices.ContainsFunc(fixed, func(f fs.DirEntry) bool { return f.Name() == e.Name() })
	})
	all = append(all, fixed...)
	slices.SortFunc(all, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return all, 0
}

// fixedIn returns the folders and devices that are in a folder whatever the files are.
func (s *State) fixedIn(p string) (all []fs.DirEntry) {
	add := func(to string, mode fs.FileMode) {
		name, ok := below(p, to)
		if !ok || name == "." {
			return
		}
		name, _, deeper := strings.Cut(name, "/")
		if deeper {
			mode = fs.ModeDir
		}
		if e := (fixedEntry{name, mode}); !slices.Contains(all, fs.DirEntry(e)) {
			all = append(all, e)
		}
	}
	add(requestFolder, fs.ModeDir)
	for _, d := range devices {
		add(d.path, modeOfDevice(d.kind))
	}
	for _, m := range s.Mounts {
		add(m.Path, fs.ModeDir)
	}
	return all
}

// fixedEntry is a name in a folder that no files hold.
type fixedEntry struct {
	name string
	mode fs.FileMode
}

// Name implements fs.DirEntry.
func (e fixedEntry) Name() string { return e.name }

// IsDir implements fs.DirEntry.
func (e fixedEntry) IsDir() bool { return e.mode.IsDir() }

// Type implements fs.DirEntry.
func (e fixedEntry) Type() fs.FileMode { return e.mode }

// Info implements fs.DirEntry. Nobody asks for it.
func (e fixedEntry) Info() (fs.FileInfo, error) { return nil, fs.ErrInvalid }

// inodeOf returns the number by which the file at a path is told from all others. It is the same in every run and in
// every invoker, and whoever chooses names cannot make two that are the same.
func inodeOf(p string) uint64 {
	if k := deviceAt(p); k != closed {
		p = deviceName(k)
	}
	sum := sha256.Sum256([]byte(p))
	return max(binary.LittleEndian.Uint64(sum[:]), 1) // C libraries take 0 for unknown
}

// join returns the path of a name in a folder.
func join(folder, name string) string {
	if folder == "/" {
		return "/" + name
	}
	return folder + "/" + name
}

// parentOf returns the folder that a path is in. The topmost one is in itself.
func parentOf(p string) string { return p[:max(strings.LastIndexByte(p, '/'), 1)] }

// walk follows a path from a folder, and returns where it leads. It never leaves the folder. With slash, what is there
// must be a folder. It looks for a folder only where the path has "." or "..": what has something in it is one.
func (s *State) walk(from, p string) (to string, slash bool, e errno) {
	to = from
	depth, sure := 0, true // names below from; there is a folder at to
	for more := true; more; {
		var name string
		name, p, more = strings.Cut(p, "/")
		if name == "" {
			slash = !more
			continue
		}
		if name != "." && name != ".." {
			to, depth, sure = join(to, name), depth+1, false
			continue
		}
		if !sure {
			if e := s.folderAt(to); e != 0 {
				return "", false, e
			}
		}
		sure = true
		if name == ".." {
			if depth == 0 {
				return "", false, eperm
			}
			to, depth = parentOf(to), depth-1
		}
	}
	return to, slash, 0
}

// validPath reports why a guest's path cannot be one.
func validPath(b []byte) errno {
	switch {
	case len(b) == 0:
		return enoent
	case len(b) > maxPath:
		return enametoolong
	case slices.Contains(b, 0):
		return einval
	case !utf8.Valid(b):
		return eilseq
	case b[0] == '/':
		return eperm
	}
	return 0
}
