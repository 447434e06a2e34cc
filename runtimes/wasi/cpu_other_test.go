//go:build !unix

package wasi_test

import "time"

// cpuTime returns 0: there is no portable way to ask for processor time.
func cpuTime() time.Duration { return 0 }
