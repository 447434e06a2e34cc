//go:build unix

package measure

import (
	"syscall"
	"time"
)

// CPU returns the processor time that this process has used, and those children that it has waited
// for; user and system time together.
func CPU() time.Duration {
	return used(syscall.RUSAGE_SELF) + used(syscall.RUSAGE_CHILDREN)
}

// used returns the processor time of this process or of its children. It cannot fail with these two.
func used(who int) time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(who, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
