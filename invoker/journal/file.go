package journal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"
)

// The files of a process: its journal, and what Go writes when it crashes.
const (
	runEnding   = ".run"
	crashEnding = ".crash"
)

// The journal's file is a header of one page and the slots. It is in the machine's own byte order: nobody else reads it.
const (
	headerSize = 4096
	slotSize   = int(unsafe.Sizeof(slot{}))
	slotCount  = 4096 // modules that can be watched at a time; 256 KiB
	fileSize   = headerSize + slotCount*slotSize
)

// magic is how the file begins, with the version of its layout.
const magic = "plyvkj01"

// header is the beginning of the file. What follows it in the first page are the circumstances, as JSON and NUL bytes.
type header struct {
	magic    [8]byte
	killed   atomic.Uint64 // see killedForMemory
	stopping atomic.Uint32 // 1: the process has been told to end
	_        [44]byte
}

// slot says what a module is doing. It fills a cache line, so that modules do not slow each other down.
type slot struct {
	digest  digest        // zero: the slot is free
	running atomic.Int32  // calls of it
	loading atomic.Int32  // it is being compiled or loaded
	worked  atomic.Uint32 // 1: a call of it has ended, in this process
	_       [20]byte
}

// file is the journal's file of this process, mapped into memory, where it stays: a call that is late does no harm.
type file struct {
	f      *os.File
	header *header
	slots  []slot
}

// create fills an empty file, locks it and maps it. The file is as long as it will be from the start, and written
// to, so that no slot can be without room on the disk later.
func create(f *os.File, c circumstances) (*file, error) {
	meta, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	b := make([]byte, fileSize)
	copy(b, magic)
	copy(b[unsafe.Sizeof(header{}):headerSize-1], meta)
	if _, err := f.Write(b); err != nil {
		return nil, err
	}
	if _, err := tryLock(f); err != nil { // nobody else knows it
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	mapped, err := mapFile(f, fileSize)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", f.Name(), err)
	}
	out := &file{f: f, header: (*header)(unsafe.Pointer(&mapped[0]))}
	out.slots = unsafe.Slice((*slot)(unsafe.Pointer(&mapped[headerSize])), slotCount)
	out.header.killed.Store(c.Killed)
	return out, nil
}

// record is what the file of a dead process says.
type record struct {
	circumstances
	stopping bool
	entries  []entry // of modules that were doing something
}

// entry is a module in a record.
type entry struct {
	digest           string
	running, loading bool
	worked           bool
}

// readFile reads the file of another process. If it is alive, there is nothing else to know.
func readFile(path string) (r *record, alive bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	free, err := tryLock(f)
	if err != nil || !free {
		return nil, err == nil, err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, false, err
	}
	r, err = parse(b)
	return r, false, err
}

// parse reads the contents of a file.
func parse(b []byte) (*record, error) {
	if len(b) != fileSize || string(b[:len(magic)]) != magic {
		return nil, fmt.Errorf("%d bytes are not a journal of this version", len(b))
	}
	b = bytes.Clone(b) // aligned
	h := (*header)(unsafe.Pointer(&b[0]))
	meta, _, _ := bytes.Cut(b[unsafe.Sizeof(*h):headerSize], []byte{0})
	r := &record{stopping: h.stopping.Load() != 0}
	if err := json.Unmarshal(meta, &r.circumstances); err != nil {
		return nil, err
	}
	r.Killed = h.killed.Load()
	slots := unsafe.Slice((*slot)(unsafe.Pointer(&b[headerSize])), slotCount)
	for i := range slots {
		s := &slots[i]
		e := entry{s.digest.String(), s.running.Load() > 0, s.loading.Load() > 0, s.worked.Load() != 0}
		if s.digest != (digest{}) && (e.running || e.loading) {
			r.entries = append(r.entries, e)
		}
	}
	return r, nil
}
