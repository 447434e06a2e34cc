package fuel

import (
	"os"

	"golang.org/x/sys/unix"
)

// thread returns the calling thread. A goroutine that runs a guest does not leave it.
func thread() int { return unix.Gettid() }

// interrupt interrupts a thread for a microsecond or two. Go uses the same signal to preempt goroutines, and takes no
// offence at one more.
func interrupt(thread int) { _ = unix.Tgkill(os.Getpid(), thread, unix.SIGURG) }
