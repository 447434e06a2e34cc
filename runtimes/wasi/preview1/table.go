package preview1

import (
	"io/fs"
)

const (
	// maxOpen is how many files and folders a process can have open at once, the preopens included;
	// they may be descriptors of the host.
	maxOpen = 64
	// maxDescriptors is one more than the highest descriptor.
	maxDescriptors = 128
	// folderName is the name of the folder of the request, which is descriptor 3.
	folderName = "/request"
	// firstFolder is the first descriptor of a folder.
	firstFolder = 3
)

// MaxMounts is how many folders a State can have besides /request.
const MaxMounts = 4

// Mount is a read-only folder besides /request. Its files never change, so it does not
// matter whether a process has looked at them.
type Mount struct {
	Path string // absolute, such as "/script"
	FS   fs.FS
}

// kind is what a descriptor stands for.
type kind uint8

const (
	closed kind = iota
	stdin
	stdout
	stderr
	preopen // the folder /request, or a mount
	opened  // a file or folder in one of them
)

// descriptor is an entry of the table.
type descriptor struct {
	kind kind
	*file
}

// isFolder tells whether there are paths below the descriptor.
func (d *descriptor) isFolder() bool { return d.file != nil && d.folder }

// file is an open file or folder.
type file struct {
	f       fs.File // nil for a preopen
	root    int     // the preopen that it is in: 0 for /request, else the number of a mount, from 1
	name    string  // below the preopen
	folder  bool
	entries []fs.DirEntry // of a folder; nil if they have not been listed
}

// table holds the descriptors of a run.
type table struct {
	initial bool // nothing has been changed since reset
	open    int  // how many descriptors have a file
	list    [maxDescriptors]descriptor
	folders [1 + MaxMounts]file // the preopens
}

// reset puts the table into its initial state: stdin, stdout, stderr, /request and the mounts.
func (t *table) reset(mounts int) {
	t.list = [maxDescriptors]descriptor{{kind: stdin}, {kind: stdout}, {kind: stderr}}
	t.open, t.initial = 1+mounts, true
	for i := range t.open {
		t.folders[i] = file{root: i, name: ".", folder: true}
		t.list[firstFolder+i] = descriptor{preopen, &t.folders[i]}
	}
}

// changed tells whether other descriptors are open than in the initial state.
func (t *table) changed(mounts int) bool {
	if t.initial {
		return false
	}
	for i := range t.list {
		want := descriptor{}
		switch {
		case i < firstFolder:
			want.kind = stdin + kind(i)
		case i <= firstFolder+mounts:
			want = descriptor{preopen, &t.folders[i-firstFolder]}
		}
		if t.list[i] != want {
			return true
		}
	}
	return false
}

// end closes what is open and resets the table.
func (t *table) end(mounts int) {
	if t.initial {
		return
	}
	for i := range t.list {
		if t.list[i].kind == opened {
			_ = t.close(&t.list[i])
		}
	}
	t.reset(mounts)
}

// get returns a descriptor, or nil if it is not open.
func (t *table) get(fd uint64) *descriptor {
	n := uint32(fd)
	if n >= maxDescriptors || t.list[n].kind == closed {
		return nil
	}
	return &t.list[n]
}

// add gives a file the lowest free descriptor.
func (t *table) add(f *file) uint32 {
	n := 0
	for t.list[n].kind != closed { // there are more descriptors than open files
		n++
	}
	t.list[n] = descriptor{opened, f}
	t.open++
	t.initial = false
	return uint32(n)
}

// close frees a descriptor and closes its file.
func (t *table) close(d *descriptor) error {
	f := d.file
	*d = descriptor{}
	t.initial = false
	if f == nil {
		return nil
	}
	t.open--
	if f.f == nil {
		return nil
	}
	return f.f.Close()
}

// fdClose implements fd_close. Everything can be closed, stdio and the folders too.
func fdClose(s *State, _ memory, p []uint64) errno {
	d := s.table.get(p[0])
	if d == nil {
		return ebadf
	}
	return errnoOf(s.table.close(d))
}

// fdRenumber implements fd_renumber. Stdio and the folders stay where they are.
func fdRenumber(s *State, _ memory, p []uint64) errno {
	from, to := s.table.get(p[0]), uint32(p[1])
	if from == nil || to >= maxDescriptors {
		return ebadf
	}
	target := &s.table.list[to]
	switch {
	case from.kind != opened || target.kind != opened && target.kind != closed:
		return enotsup
	case from == target:
		return 0
	case target.kind == opened:
		_ = s.table.close(target)
	}
	*target, *from = *from, descriptor{}
	s.table.initial = false
	return 0
}
