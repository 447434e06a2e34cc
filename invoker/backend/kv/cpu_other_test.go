//go:build !unix

package kv

import "time"

// cpu returns 0: there is no portable way to ask for processor time.
func cpu() time.Duration { return 0 }
