package wasi

import (
	"bytes"
	"log/slog"
	"os"
	"testing"
	"unsafe"

	"github.com/polyvoke/polyvoke/runtimes"
	"golang.org/x/sys/unix"
)

// TestDistrustMemory puts a page into a sandbox's memory that is not found when it is put back.
func TestDistrustMemory(t *testing.T) {
	page := os.Getpagesize()
	f, err := os.CreateTemp(t.TempDir(), "page")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(bytes.Repeat([]byte{0xee}, page)); err != nil {
		t.Fatal(err)
	}
	all := Possible(runtimes.StartReset, runtimes.StartCheckpoint, runtimes.StartPrefork, runtimes.StartFresh)
	for _, kind := range all {
		var log bytes.Buffer
		g := newTestProgram(t, newTestRuntime(t, Config{Verify: 1, Log: slog.New(slog.NewTextHandler(&log, nil))}), kind)
		echoes(t, g)
		waitReady(t, g)
		s, _ := g.pool(kind).Take()
		if s == nil && kind == runtimes.StartPrefork { // the one that was idle may have been parked
			if s, err = g.openKept(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if s == nil {
			t.Fatalf("%s: nothing is idle", kind)
		}
		b := s.memory.region.Bytes(s.memory.size)
		at := unsafe.Pointer(&b[len(b)-page])
		_, err := unix.MmapPtr(int(f.Fd()), 0, at, uintptr(page), unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_FIXED)
		if err != nil {
			t.Fatal(err)
		}
		if b[len(b)-1] != 0xee {
			t.Fatal("the page is not there")
		}
		checkDistrust(t, g, s, &log)
	}
}
