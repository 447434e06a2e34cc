package memory

import (
	"encoding/binary"
	"os"
)

// base returns where the thread keeps what is its own. No two threads that live have the same. It must not be called
// if that is not readable.
func base() uint64

// readable reports whether programs may execute the instruction RDFSBASE: the kernel says so in bit 1 of AT_HWCAP2
// (Linux 5.9, with a processor of 2012 or later).
var readable = func() bool {
	const hwcap2, fsgsbase = 26, 1 << 1
	list, _ := os.ReadFile("/proc/self/auxv")
	for ; len(list) >= 16; list = list[16:] {
		if binary.LittleEndian.Uint64(list) == hwcap2 {
			return binary.LittleEndian.Uint64(list[8:])&fsgsbase != 0
		}
	}
	return false
}()

// thread returns a number that no other living thread has, or 0 if it cannot be had cheaply.
func thread() uint64 {
	if !readable {
		return 0
	}
	return base()
}
