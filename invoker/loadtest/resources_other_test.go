//go:build !linux

package loadtest

import "time"

// processorTime returns a clock that stands still: there is no portable way to ask for it.
func processorTime(int) func() time.Duration { return func() time.Duration { return 0 } }

// resident returns 0: there is no portable way to ask for it.
func resident() (uint64, error) { return 0, nil }

// descriptors returns 0: there is no portable way to count them.
func descriptors() (int, error) { return 0, nil }
