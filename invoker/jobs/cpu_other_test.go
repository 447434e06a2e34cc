//go:build !unix

package jobs

import "time"

// CPU returns the processor time that this process has used, where that is known.
func CPU() time.Duration { return 0 }
