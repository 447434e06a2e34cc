//go:build !unix

package compiler

import "time"

// cpuTime returns the time since the process began: a process that compiles does nothing else.
func cpuTime() time.Duration { return time.Since(began) }
