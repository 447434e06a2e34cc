package loadtest

import (
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// processorTime returns a clock of the processor time that a process has used.
func processorTime(pid int) func() time.Duration {
	clock := int32(^pid<<3 | 2) // CPUCLOCK_SCHED of a process, as clock_getcpuclockid(3) makes it
	return func() time.Duration {
		var t unix.Timespec
		if unix.ClockGettime(clock, &t) != nil {
			return 0
		}
		return time.Duration(t.Nano())
	}
}

// resident returns how many bytes of this process are in memory, by Linux's VmRSS.
func resident() (uint64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	number, _, _ := strings.Cut(rest, "kB")
	kib, err := strconv.ParseUint(strings.TrimSpace(number), 10, 64)
	return kib << 10, err
}

// descriptors returns how many files this process has open.
func descriptors() (int, error) {
	list, err := os.ReadDir("/proc/self/fd")
	return len(list), err
}
