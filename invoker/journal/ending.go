package journal

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// circumstances are what a process knew when it began.
type circumstances struct {
	Boot   string `json:"boot"`   // of the machine's kernel; empty if unknown
	Killed uint64 `json:"killed"` // see killedForMemory
}

// circumstancesNow returns the circumstances.
func circumstancesNow() circumstances {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // Linux only
	return circumstances{Boot: strings.TrimSpace(string(boot)), Killed: killedForMemory()}
}

// killedForMemory returns how many processes Linux has killed since it began because there was no memory left. It is 0
// on other systems.
func killedForMemory() uint64 {
	b, _ := os.ReadFile("/proc/vmstat")
	_, after, _ := bytes.Cut(b, []byte("\noom_kill "))
	line, _, _ := bytes.Cut(after, []byte("\n"))
	n, _ := strconv.ParseUint(string(line), 10, 64)
	return n
}

// ending is how a process came to its end, as far as that can be known.
type ending int

const (
	inOrder ending = iota // nobody is to blame
	crashed               // Go itself gave up: a fault in native code, a fatal error, a stack or a memory that was too large
	memory                // killed, and Linux has killed somebody for want of memory meanwhile
	killed                // killed by somebody, or ended by something that says nothing
)

// String returns the ending in words that follow "the invoker's process".
func (e ending) String() string {
	return [...]string{"ended in order", "crashed", "was killed, probably for want of memory", "was killed"}[e]
}

// ending says how the process ended that left the record, given how things are now, and whether Go has
// written about a crash.
func (r *record) ending(now circumstances, crash []byte) ending {
	switch {
	case bytes.HasPrefix(crash, []byte("SIGQUIT")): // somebody wanted to know what it was doing
		return inOrder
	case len(crash) > 0:
		return crashed
	case r.Boot != now.Boot, r.stopping:
		return inOrder // the machine went down, or an operator did not want to wait
	case now.Killed > r.Killed:
		return memory
	}
	return killed
}
