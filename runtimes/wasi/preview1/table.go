package preview1

import "github.com/polyvoke/polyvoke/runtimes/files"

const (
	// maxOpen is how many descriptors a process can have open at once, those included that it begins with;
	// they may be descriptors of the host.
	maxOpen = 68
	// maxDescriptors is one more than the highest descriptor.
	maxDescriptors = 128
	// firstFolder is the first descriptor of a folder.
	firstFolder = 3
)

// kind is what a descriptor stands for.
type kind uint8

const (
	closed kind = iota
	stdin
	stdout
	stderr
	null
	zero
	random
	urandom
	preopen // a folder that is open from the start
	opened  // a file or folder that the process has opened
)

// descriptor is an entry of the table.
type descriptor struct {
	kind  kind
	flags uint8 // see flagAppend
	*file
}

// isStream reports whether the descriptor is stdin, stdout or stderr, by whatever number.
func (d *descriptor) isStream() bool { return d.kind >= stdin && d.kind <= stderr }

// isDevice reports whether the descriptor is a device that has no position.
func (d *descriptor) isDevice() bool { return d.kind >= null && d.kind <= urandom }

// isFolder reports whether there are paths below the descriptor.
func (d *descriptor) isFolder() bool { return d.file != nil && d.folder }

// file is an open file or folder.
type file struct {
	path   string // absolute, when it was opened
	folder bool

	// Of a file.
	f      files.File
	tree   files.Tree // that it is in
	inline bool       // its operations are made where the guest runs
	stream bool       // it has no positions
	how    files.Flags
	at     int64 // the position
	end    int64 // the largest size that is known of

	// Of a folder.
	entries []files.Entry
	listed  bool // the entries have been read
}

// table holds the descriptors of a run.
type table struct {
	initial bool // nothing has been changed since reset, but perhaps the flags of stdio
	flagged bool // these have been
	open    int  // how many descriptors are not closed
	list    [maxDescriptors]descriptor
	folders []file // the preopens
}

// reset puts the table into its initial state: stdin, stdout, stderr and folders with the given paths.
func (t *table) reset(folders []string) {
	t.list = [maxDescriptors]descriptor{{kind: stdin}, {kind: stdout}, {kind: stderr}}
	if t.folders == nil {
		t.folders = make([]file, len(folders))
	}
	for i, p := range folders {
		t.folders[i] = file{path: p, folder: true}
		t.list[firstFolder+i] = descriptor{kind: preopen, file: &t.folders[i]}
	}
	t.open, t.initial, t.flagged = firstFolder+len(folders), true, false
}

// flags are those of descriptors 0, 1 and 2.
type flags [firstFolder]uint8

// flags returns the flags of stdio.
func (t *table) flags() (all flags) {
	for i := range all {
		all[i] = t.list[i].flags
	}
	return all
}

// setFlags sets the flags of stdio.
func (t *table) setFlags(all flags) {
	for i, f := range all {
		t.list[i].flags = f
	}
	t.flagged = all != flags{}
}

// changed reports whether other descriptors are open than in the initial state, with that many folders. The flags of
// stdio do not count.
func (t *table) changed(folders int) bool {
	if t.initial {
		return false
	}
	for i := range t.list {
		want := descriptor{}
		switch {
		case i < firstFolder:
			want = descriptor{kind: stdin + kind(i), flags: t.list[i].flags}
		case i < firstFolder+folders:
			want = descriptor{kind: preopen, file: &t.folders[i-firstFolder]}
		}
		if t.list[i] != want {
			return true
		}
	}
	return false
}

// end closes what is open and resets the table. It waits for nothing.
func (t *table) end(folders []string) {
	if t.initial {
		if t.flagged {
			t.setFlags(flags{})
		}
		return
	}
	for f := t.leaveOne(); f != nil; f = t.leaveOne() {
		if f.inline {
			_ = f.f.Close(ended()) // nobody can be told
		} else {
			letGo(f.f)
		}
	}
	t.reset(folders)
}

// get returns a descriptor, or nil if it is not open.
func (t *table) get(fd uint64) *descriptor {
	n := uint32(fd)
	if n >= maxDescriptors || t.list[n].kind == closed {
		return nil
	}
	return &t.list[n]
}

// add puts a descriptor into the lowest free place.
func (t *table) add(d descriptor) uint32 {
	n := 0
	for t.list[n].kind != closed { // there are more places than open descriptors
		n++
	}
	t.list[n] = d
	t.open++
	t.initial = false
	return uint32(n)
}

// close frees a descriptor, and returns what is open behind it, or nil.
func (t *table) close(d *descriptor) *file {
	if d.kind == closed {
		return nil
	}
	f := d.file
	*d = descriptor{}
	t.open--
	t.initial = false
	return f
}

// leaveOne frees the descriptor of a file that is open, and returns the file. Nil means that there is none any more.
func (t *table) leaveOne() *file {
	for i := range t.list {
		if d := &t.list[i]; d.file != nil && d.f != nil {
			return t.close(d)
		}
	}
	return nil
}

// fdClose implements fd_close. Everything can be closed, stdio and the folders too.
func fdClose(s *State, _ memory, p []uint64) errno {
	d := s.table.get(p[0])
	if d == nil {
		return ebadf
	}
	return s.closeFile(s.table.close(d))
}

// fdRenumber implements fd_renumber. Both descriptors must be open: only one that is can be replaced without a race.
func fdRenumber(s *State, _ memory, p []uint64) errno {
	from, to := s.table.get(p[0]), s.table.get(p[1])
	switch {
	case from == nil || to == nil:
		return ebadf
	case from == to:
		return 0
	}
	f := s.table.close(to)
	*to, *from = *from, descriptor{}
	_ = s.closeFile(f) // as on Linux
	return 0
}
