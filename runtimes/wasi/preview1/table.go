package preview1

import (
	"io/fs"
)

const (
	// maxOpen is how many files and folders a process can have open at once, /request included;
	// they may be descriptors of the host.
	maxOpen = 64
	// maxDescriptors is one more than the highest descriptor.
	maxDescriptors = 128
	// folderName is the name of the folder, which is descriptor 3.
	folderName = "/request"
)

// kind is what a descriptor stands for.
type kind uint8

const (
	closed kind = iota
	stdin
	stdout
	stderr
	preopen // the folder /request
	opened  // a file or folder in it
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
	f       fs.File // nil for /request itself
	name    string  // below /request
	folder  bool
	entries []fs.DirEntry // of a folder; nil if they have not been listed
}

// table holds the descriptors of a run.
type table struct {
	initial bool // nothing has been changed since reset
	open    int  // how many descriptors have a file
	list    [maxDescriptors]descriptor
	request file
}

// reset puts the table into its initial state: stdin, stdout, stderr and /request.
func (t *table) reset() {
	t.list = [maxDescriptors]descriptor{{kind: stdin}, {kind: stdout}, {kind: stderr}, {kind: preopen, file: &t.request}}
	t.request = file{name: ".", folder: true}
	t.open, t.initial = 1, true
}

// end closes what is open and resets the table.
func (t *table) end() {
	if t.initial {
		return
	}
	for i := range t.list {
		if t.list[i].kind == opened {
			_ = t.close(&t.list[i])
		}
	}
	t.reset()
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

// fdClose implements fd_close. Everything can be closed, stdio and /request too.
func fdClose(s *State, _ memory, p []uint64) errno {
	d := s.table.get(p[0])
	if d == nil {
		return ebadf
	}
	return errnoOf(s.table.close(d))
}

// fdRenumber implements fd_renumber. Stdio and /request stay where they are.
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
