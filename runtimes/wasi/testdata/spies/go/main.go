// spy looks for what another call has left, says what it found, hides its own secret in every place it
// knows and ends as it was told. ../README.md says what it reads and writes.
package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"hash/maphash"
	"io"
	insecure "math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"
)

const (
	page       = 65536
	run        = 15
	secretSize = 16
	recordSize = 32
	block      = 64 << 10
)

// memoryPages returns the size of the memory in pages of 64 KiB.
func memoryPages() int64

// unreachable traps.
func unreachable()

//go:wasmimport wasi_snapshot_preview1 fd_fdstat_get
func fdStat(fd int32, stat unsafe.Pointer) uint32

//go:wasmimport wasi_snapshot_preview1 fd_fdstat_set_flags
func fdSetFlags(fd int32, flags uint32) uint32

//go:wasmimport wasi_snapshot_preview1 fd_renumber
func fdRenumber(from, to int32) uint32

//go:wasmimport wasi_snapshot_preview1 fd_pread
func fdPread(fd int32, list unsafe.Pointer, count int32, offset int64, n unsafe.Pointer) uint32

//go:wasmimport wasi_snapshot_preview1 fd_close
func fdClose(fd int32) uint32

// The places that a call leaves things in.
var (
	half    byte = 0x11 // of the mark, which is computed so that it is nowhere in the module's own data
	mark    byte
	count   = 41
	vault   [32 << 10]byte
	drawer  = [8 << 10]byte{1}
	kept    [][]byte
	table   = map[string]int{}
	pool    sync.Pool
	writer  = bufio.NewWriter(os.Stdout)
	reader  = bufio.NewReader(os.Stdin)
	waiting = make(chan string)
)

// spy is a call: what it was told.
type spy struct{ mode, secret string }

func main() {
	mark = half ^ 0xa6
	pages := memoryPages()
	start := hex.EncodeToString(word(insecure.Uint64())) + hex.EncodeToString(word(maphash.String(maphash.MakeSeed(), "x")))
	var header [32]byte
	if _, err := io.ReadFull(os.Stdin, header[:]); err != nil {
		os.Exit(64)
	}
	s := spy{strings.TrimSpace(string(header[:16])), string(header[16:])}
	var b [16]byte
	rand.Read(b[:])
	text := "spy " + s.secret + "\nstart " + start + "\ncall " + hex.EncodeToString(b[:]) + "\n"
	os.Stdout.WriteString(text + state(pages) + s.lookAtMemory(pages) + s.lookAtFiles())
	s.hide()
	s.end()
}

// word returns a number's bytes.
func word(x uint64) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(&x)), 8) }

// state is what can be said in a word each.
func state(pages int64) string {
	variable := os.Getenv("LEAK")
	n := strconv.Itoa
	s := "state count=" + n(count) + " kept=" + n(len(kept)) + " pages=" + n(int(pages)) + " table=" + n(len(table)) +
		" goroutines=" + n(runtime.NumGoroutine()) + " unwritten=" + n(writer.Buffered()) + " unread=" + n(reader.Buffered()) +
		" variable=" + variable + " pool=" + strconv.FormatBool(pool.Get() != nil) + " open="
	for fd := range int32(128) {
		var stat [3]uint64
		if fdStat(fd, unsafe.Pointer(&stat)) == 0 {
			s += n(int(fd)) + "/" + n(int(uint16(stat[0]>>16))) + ","
		}
	}
	f, err := os.Open("/request/id")
	if err != nil {
		return s + err.Error()
	}
	defer f.Close()
	at, _ := f.Seek(0, io.SeekCurrent)
	return s + " descriptor=" + n(int(f.Fd())) + " position=" + n(int(at)) + "\n"
}

// search returns the first secret of another call in a part of memory, or "". 15 equal bytes in a row hold a whole
// word, so looking at words is enough.
func (s spy) search(b []byte) string {
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) & 7)
	if len(b) < skip+8 {
		return ""
	}
	words := unsafe.Slice((*uint64)(unsafe.Pointer(&b[skip])), (len(b)-skip)/8)
	var want uint64
	for range 8 {
		want = want<<8 | uint64(mark)
	}
	for i := 0; i < len(words); i++ {
		if words[i] != want {
			continue
		}
		first, last := skip+8*i, skip+8*i
		for first > 0 && b[first-1] == mark {
			first--
		}
		for last < len(b) && b[last] == mark {
			last++
		}
		if last-first >= run && last+secretSize <= len(b) && string(b[last:last+secretSize]) != s.secret {
			return strings.Clone(string(b[last : last+secretSize]))
		}
		i = (last - skip) / 8
	}
	return ""
}

// lookAt says what it finds in a part of memory.
func (s spy) lookAt(place string, b []byte) string {
	other := s.search(b)
	if other == "" {
		return ""
	}
	return "found " + place + " " + strings.Map(func(r rune) rune {
		if r <= ' ' {
			return '?'
		}
		return r
	}, other) + "\n"
}

// lookAtMemory looks at all there is, and at what is added.
func (s spy) lookAtMemory(pages int64) string {
	text := s.lookAt("static", vault[:]) + s.lookAt("data", drawer[:])
	null := uintptr(8)
	text += s.lookAt("memory", unsafe.Slice((*byte)(unsafe.Pointer(null)), int(pages)*page-8))
	for range 16 { // all new, or said to be
		b := make([]byte, block)
		if other := s.lookAt("allocated", b); other != "" {
			return text + other
		}
		kept = append(kept, b)
	}
	kept = nil
	now := memoryPages()
	grown := uintptr(pages * page)
	return text + s.lookAt("grown", unsafe.Slice((*byte)(unsafe.Pointer(grown)), int(now-pages)*page))
}

// lookAtFiles reads what should be this call's own, and what other calls may have left open.
func (s spy) lookAtFiles() string {
	text := ""
	for fd := int32(4); fd < 128; fd++ {
		b := make([]byte, 256)
		list := [2]uint32{uint32(uintptr(unsafe.Pointer(&b[0]))), uint32(len(b))}
		var n uint32
		if fdPread(fd, unsafe.Pointer(&list), 1, 0, unsafe.Pointer(&n)) == 0 {
			text += s.lookAt("descriptors", b)
		}
		runtime.KeepAlive(b)
	}
	b, err := os.ReadFile("/request/headers/Secret")
	if err != nil {
		return text + err.Error() + "\n"
	}
	return text + s.lookAt("files", b)
}

// record is 15 marks, the secret, one mark.
func (s spy) record() []byte {
	return append(append(bytes.Repeat([]byte{mark}, run), s.secret...), mark)
}

// fill fills memory with records.
func (s spy) fill(b []byte) []byte {
	for n := copy(b, s.record()); n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
	return b
}

// hide hides the secret.
func (s spy) hide() {
	count++
	s.fill(vault[:])
	s.fill(drawer[:])
	for range 8 {
		kept = append(kept, s.fill(make([]byte, block)))
		pool.Put(s.fill(make([]byte, block))) // and all but the last freed
	}
	table[s.secret] = 1
	s.deep(20)
	os.Setenv("LEAK", s.secret)
	s.hideInDescriptors()
	go func() { waiting <- s.secret }()
	time.AfterFunc(time.Hour, func() { os.Stdout.WriteString(s.secret) })
	runtime.AddCleanup(&kept[0][0], func(secret string) { os.Stdout.WriteString(secret) }, s.secret)
	reader.Peek(1) // and the buffer is full
	if s.mode != "unread" {
		io.Copy(io.Discard, os.Stdin)
	}
	writer.Write(s.record())
	os.Stdout.WriteString("hidden\n")
}

// deep leaves the secret on a stack.
func (s spy) deep(n int) byte {
	var frame [1024]byte
	s.fill(frame[:])
	if n > 0 {
		return s.deep(n-1) + frame[n]
	}
	return frame[0]
}

// hideInDescriptors leaves files open, here and there, moved and with other flags.
func (s spy) hideInDescriptors() {
	for _, to := range []int32{0, 2} {
		f, err := os.Open("/request/id")
		if err != nil {
			os.Stdout.WriteString(err.Error() + "\n")
			continue
		}
		f.Seek(5, io.SeekStart)
		if to != 0 {
			fdRenumber(int32(f.Fd()), to)
		}
		files = append(files, f)
	}
	for fd := range int32(4) {
		fdSetFlags(fd, 1)
	}
}

// files stay open.
var files []*os.File

// end ends, or not.
func (s spy) end() {
	switch s.mode {
	case "exit":
		os.Exit(7)
	case "trap":
		unreachable()
	case "panic":
		var m map[string]string
		m[s.secret] = s.secret
	case "loop":
		for {
		}
	case "sleep":
		time.Sleep(time.Hour)
	case "recurse":
		s.recurse(1)
	case "hoard":
		for {
			kept = append(kept, s.fill(make([]byte, block)))
		}
	case "flood":
		for {
			os.Stdout.Write(vault[:])
		}
	case "close":
		for fd := range int32(4) {
			fdClose(fd)
		}
	}
}

// recurse calls itself until the stack is used up.
func (s spy) recurse(n int) byte {
	var frame [1024]byte
	s.fill(frame[:])
	if n == 0 {
		return 0
	}
	return s.recurse(n+1) + frame[n&1023]
}
