//go:build unix

package compiler

import (
	"syscall"
	"time"
)

// cpuTime returns the processor time that this process has taken. If the system does not say, it is
// the time since the process began to count.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return time.Since(began)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
