//go:build linux || darwin

package exhausted

import (
	"bytes"
	"math"
	"os"
	"strconv"
	"syscall"
)

// Limit returns how many descriptors the process may have, or 0 if there is no limit. Go has raised it as far as it
// may.
func Limit() int { return int(min(limit(syscall.RLIMIT_NOFILE), math.MaxInt)) }

// addresses returns how many bytes of address space the process may have, or 0 if there is no limit.
func addresses() uint64 { return limit(syscall.RLIMIT_AS) }

// limit returns a limit of the process, or 0 if there is none.
func limit(which int) uint64 {
	var l syscall.Rlimit
	if syscall.Getrlimit(which, &l) != nil || uint64(l.Cur) >= math.MaxInt64 {
		return 0
	}
	return uint64(l.Cur)
}

// mappings returns how many mappings the process has and may have, or zeros if that cannot be known.
func mappings() (have, most int) {
	all, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return 0, 0
	}
	text, err := os.ReadFile("/proc/sys/vm/max_map_count")
	if err != nil {
		return 0, 0
	}
	most, _ = strconv.Atoi(string(bytes.TrimSpace(text)))
	return bytes.Count(all, []byte("\n")), most
}
