package runtimes

import (
	"errors"
	"io"
)

// ErrMemory is in the chain of a run's error if the process failed after it was refused memory.
var ErrMemory = errors.New("memory limit reached")

// ErrFuel is in the chain of a run's error if the process was ended because its fuel was used up.
var ErrFuel = errors.New("fuel limit reached")

// Taker is a Writer for Process.Stdout or Process.Stderr that can be full, as a pipe can. A runtime that knows it makes a
// process wait for room by Process.Wait, and so not on a processor that others could use. Others call Write, which
// waits itself.
type Taker interface {
	io.Writer
	// Take takes as much of b as there is room for, copies it and does not wait. If that is not all, room is closed
	// when there is more room, or nothing is taken any more. An error ends the process, as that of Write does.
	Take(b []byte) (n int, room <-chan struct{}, err error)
}

// ErrOutput is what a CapWriter returns once its limit is passed.
var ErrOutput = errors.New("output limit reached")

// CapWriter passes at most N bytes on to W. A Write that does not fit wholly passes on
// what fits and returns ErrOutput, which ends the process behind it; later ones return it at
// once. It is for one goroutine at a time.
type CapWriter struct {
	W io.Writer // where the bytes go
	N int64     // how many more may pass; 0 or less is none
}

// Write implements io.Writer.
func (c *CapWriter) Write(p []byte) (int, error) {
	if int64(len(p)) <= c.N {
		n, err := c.W.Write(p)
		c.N -= int64(n)
		return n, err
	}
	if c.N <= 0 {
		return 0, ErrOutput
	}
	n, err := c.W.Write(p[:c.N])
	c.N -= int64(n)
	if err == nil {
		err = ErrOutput
	}
	return n, err
}
