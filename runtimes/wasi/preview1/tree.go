package preview1

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/polyvoke/polyvoke/runtimes/files"
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
const MaxMounts = 16

// Mount is a folder besides /request; "/" is what else there is in the topmost folder. If it has a Tree, that never
// changes, so it does not matter whether a process has looked at it. If it has none, each run has one of its own, see
// State.Own.
type Mount = files.Mount

// foldersOf returns the preopens: /request, the mounts, and the topmost folder, which comes last so that the others have
// the numbers that they had before there was one. But if there are mounts with trees, those without one come behind it:
// an interpreter that was set up once for all functions, with its own mounts, has taken down the numbers that it has
// seen. It reaches what a function has besides from the topmost folder.
func foldersOf(mounts []Mount) []string {
	all, own := []string{requestFolder}, []string(nil)
	for _, m := range mounts {
		switch {
		case m.Path == "/":
		case m.Tree == nil:
			own = append(own, m.Path)
		default:
			all = append(all, m.Path)
		}
	}
	if len(all) == 1 {
		return append(append(all, own...), "/")
	}
	return append(append(all, "/"), own...)
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

// holder returns the tree that a path is in, if it is in one, and its name there.
func (s *State) holder(p string) (in files.Tree, name string) {
	if name, ok := below(requestFolder, p); ok {
		if s.isNoName(name) {
			return nil, name
		}
		return s.Files, name
	}
	if m, name := s.mount(p); m != nil {
		return s.treeOf(m), name
	}
	return nil, ""
}

// mount returns the mount that a path is in, or nil, and its name there.
func (s *State) mount(p string) (in *Mount, name string) {
	for i := range s.Mounts {
		m := &s.Mounts[i]
		if n, ok := below(m.Path, p); ok && (in == nil || len(m.Path) > len(in.Path)) {
			in, name = m, n
		}
	}
	return in, name
}

// treeOf returns what is in a mount, in this run.
func (s *State) treeOf(m *Mount) files.Tree {
	if m.Tree != nil {
		return m.Tree
	}
	for _, own := range s.Own {
		if own.Path == m.Path {
			return own.Tree
		}
	}
	return nil
}

// rootOf returns where the tree begins that a path is in, or "" for the folders that lead to trees.
func (s *State) rootOf(p string) string {
	for _, root := range [...]string{requestFolder, deviceFolder} {
		if _, ok := below(root, p); ok {
			return root
		}
	}
	if m, _ := s.mount(p); m != nil {
		return m.Path
	}
	return ""
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
	if name, ok := below(requestFolder, p); ok {
		s.seen.Files = s.seen.Files || !s.isNoName(name)
	} else if m, _ := s.mount(p); m != nil && m.Tree == nil {
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
	tree, name := s.holder(p)
	if tree == nil {
		return stat{}, s.missing(p)
	}
	info, err := s.statIn(tree, name, follow)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return stat{}, s.missing(p)
	case err != nil:
		return stat{}, errnoOf(err)
	}
	return statOf(info, p), 0
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
	tree, name := s.holder(p)
	if tree == nil {
		return enoent
	}
	info, err := s.statIn(tree, name, true)
	if err == nil && !info.IsDir() {
		return enotdir
	}
	return errnoOf(err)
}

// openAt opens what is at a path, as at describes it, and follows links. Only what is no folder stays open on the host's
// side. In a tree that can only be read it is opened to be read, whatever the flags.
func (s *State) openAt(p string, how files.Flags) (*file, errno) {
	s.work(workPath)
	if s.isFixed(p) {
		return &file{path: p, folder: true}, 0
	}
	s.note(p)
	tree, name := s.holder(p)
	switch {
	case tree == nil:
		return nil, s.missing(p)
	case files.IsReadOnly(tree):
		how = files.Read
	}
	d, err := s.openIn(tree, name, how)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, s.missing(p)
	case errors.Is(err, files.ErrIsDir):
		return &file{path: p, folder: true}, 0
	case err != nil:
		return nil, errnoOf(err)
	}
	return &file{path: p, f: d.f, tree: tree, inline: files.IsInline(tree), stream: d.info.Stream, how: how,
		end: d.info.Size}, 0
}

// isLink reports whether there is a link at a path. Trees without links are not asked.
func (s *State) isLink(p string) bool {
	tree, name := s.holder(p)
	if _, ok := tree.(files.Linker); !ok || s.isFixed(p) {
		return false
	}
	s.note(p)
	info, err := s.statIn(tree, name, false)
	return err == nil && info.Mode&fs.ModeSymlink != 0
}

// entriesOf returns what is in a folder, sorted.
func (s *State) entriesOf(p string) ([]files.Entry, errno) {
	var all []files.Entry
	s.note(p)
	if tree, name := s.holder(p); tree != nil {
		var err error
		all, err = do(s, tree, func(ctx context.Context) ([]files.Entry, error) { return tree.ReadDir(ctx, name) })
		if err != nil && !(errors.Is(err, fs.ErrNotExist) && s.isFixed(p)) {
			return nil, errnoOf(err)
		}
	}
	fixed := s.fixedIn(p)
	all = slices.DeleteFunc(all, func(e files.Entry) bool {
		return p == requestFolder && s.isNoName(e.Name) ||
			slices.ContainsFunc(fixed, func(f files.Entry) bool { return f.Name == e.Name })
	})
	all = append(all, fixed...)
	slices.SortFunc(all, func(a, b files.Entry) int { return strings.Compare(a.Name, b.Name) })
	return all, 0
}

// fixedIn returns the folders and devices that are in a folder whatever the files are.
func (s *State) fixedIn(p string) (all []files.Entry) {
	add := func(to string, mode fs.FileMode) {
		name, ok := below(p, to)
		if !ok || name == "." {
			return
		}
		name, _, deeper := strings.Cut(name, "/")
		if deeper {
			mode = fs.ModeDir
		}
		if e := (files.Entry{Name: name, Mode: mode}); !slices.Contains(all, e) {
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

// place is where a path leads.
type place struct {
	path  string // of what is there, or would be
	in    string // the folder in which the last name of the path is looked up
	dots  string // the last name of the path, if that is "." or ".."
	slash bool   // only a folder can be there: the path ends with a slash
}

// walk follows a path from a folder, and returns where it leads. It never leaves the folder. It looks for a folder
// only where the path has "." or "..": what has something in it is one.
func (s *State) walk(from, p string) (to place, e errno) {
	to = place{path: from, in: from}
	depth, sure := 0, true // names below from; there is a folder at to
	for more := true; more; {
		var name string
		name, p, more = strings.Cut(p, "/")
		if name == "" {
			to.slash = !more
			continue
		}
		to.in = to.path
		if name != "." && name != ".." {
			to.path, to.dots, depth, sure = join(to.path, name), "", depth+1, false
			continue
		}
		if !sure {
			if e := s.folderAt(to.path); e != 0 {
				return place{}, e
			}
		}
		to.dots, sure = name, true
		if name == ".." {
			if depth == 0 {
				return place{}, eperm
			}
			to.path, depth = parentOf(to.path), depth-1
		}
	}
	return to, 0
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
