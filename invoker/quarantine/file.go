package quarantine

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"sync/atomic"
	"unsafe"
)

// The files of a process: its journal, and what Go writes when it crashes.
const (
	runEnding   = ".run"
	crashEnding = ".crash"
)

// The journal's file is a page with the magic and the slots. It is in the machine's own byte order: nobody else
// reads it.
const (
	headerSize = 4096
	slotSize   = int(unsafe.Sizeof(slot{}))
	slotCount  = 4096 // modules that can be watched at a time; 256 KiB
	fileSize   = headerSize + slotCount*slotSize
)

// magic is how the file begins, with the version of its layout.
const magic = "plyvkj02"

// overflow is the digest of the slot that modules share for which no other is left.
var overflow = digest(bytes.Repeat([]byte{0xff}, len(digest{})))

// slot says what a module is doing. It fills a cache line, so that modules do not slow each other down.
type slot struct {
	digest  digest        // zero: the slot is free
	crc     uint32        // of the digest
	running atomic.Int32  // its calls, and its loads under way
	suspect atomic.Uint32 // 1: it is a suspect, and no call of it has ended in this process
	unused  [20]byte      // zero
}

// take gives a slot to a module.
func (s *slot) take(d digest) {
	s.suspect.Store(0)
	s.digest, s.crc = d, crc32.Checksum(d[:], castagnoli)
}

// whole reports whether a slot can be what a process left. No process has 1<<24 goroutines.
func (s *slot) whole() bool {
	n := s.running.Load()
	return s.crc == crc32.Checksum(s.digest[:], castagnoli) &&
		n >= 0 && n < 1<<24 && s.suspect.Load() <= 1 && zero(s.unused[:])
}

// zero reports whether there is nothing in b.
func zero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

// file is the journal's file of this process, mapped into memory, where it stays: a call that is late does no harm.
type file struct {
	f     *os.File
	slots []slot
}

// create fills an empty file, locks it and maps it. The file is as long as it will be from the start, and written
// to, so that no slot can be without room on the disk later.
func create(f *os.File) (*file, error) {
	b := make([]byte, fileSize)
	copy(b, magic)
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
	return &file{f: f, slots: unsafe.Slice((*slot)(unsafe.Pointer(&mapped[headerSize])), slotCount)}, nil
}

// entry is a module that ran when a process ended.
type entry struct {
	digest  string
	suspect bool
}

// errDamaged says that a file has something that no process wrote.
var errDamaged = errors.New("it is damaged")

// readFile returns what ran in another process when that ended. If it is alive, there is nothing else to know. With an
// error, ran is what can still be read.
func readFile(path string) (ran []entry, alive bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	free, err := tryLock(f)
	if err != nil || !free {
		return nil, err == nil, err
	}
	b, err := readMost(path, int64(fileSize)+1)
	if err != nil {
		return nil, false, err
	}
	ran, err = parse(b)
	return ran, false, err
}

// parse reads the contents of a file.
func parse(b []byte) (ran []entry, err error) {
	if len(b) != fileSize || string(b[:len(magic)]) != magic {
		return nil, fmt.Errorf("%d bytes are not a journal of this version", len(b))
	}
	if !zero(b[len(magic):headerSize]) {
		err = errDamaged
	}
	b = bytes.Clone(b) // aligned
	slots := unsafe.Slice((*slot)(unsafe.Pointer(&b[headerSize])), slotCount)
	for i := range slots {
		s := &slots[i]
		switch {
		case !s.whole() && !zero(b[headerSize+i*slotSize:][:slotSize]):
			err = errDamaged
		case s.digest != digest{} && s.running.Load() > 0:
			ran = append(ran, entry{s.digest.String(), s.suspect.Load() == 1})
		}
	}
	return ran, err
}
