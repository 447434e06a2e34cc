// Package recording keeps what a process writes (Record), and what it is given of time and entropy (Draws), to be
// repeated.
package recording

import (
	"io"
	"slices"
)

// Record is what was written, in its order. One goroutine at a time writes to it; any number may repeat it then.
type Record struct {
	// Room is how much may be written, in bytes, and TooMuch the error of a Write that is more.
	Room    int
	TooMuch error

	chunks []chunk
}

// chunk is bytes that were written to the same place in a row.
type chunk struct {
	stderr bool
	b      []byte
}

// stream is stdout or stderr of a process that is recorded.
type stream struct {
	*Record
	stderr bool
}

// Stdout returns where the process writes to stdout.
func (r *Record) Stdout() io.Writer { return stream{r, false} }

// Stderr returns where it writes to stderr.
func (r *Record) Stderr() io.Writer { return stream{r, true} }

// Write implements io.Writer.
func (s stream) Write(b []byte) (int, error) {
	if len(b) > s.Room {
		return 0, s.TooMuch
	}
	s.Room -= len(b)
	if n := len(s.chunks); n > 0 && s.chunks[n-1].stderr == s.stderr {
		s.chunks[n-1].b = append(s.chunks[n-1].b, b...)
	} else {
		s.chunks = append(s.chunks, chunk{s.stderr, slices.Clone(b)})
	}
	return len(b), nil
}

// Repeat writes what was recorded; nil discards. It stops at the first error.
func (r *Record) Repeat(stdout, stderr io.Writer) error {
	for _, c := range r.chunks {
		w := stdout
		if c.stderr {
			w = stderr
		}
		if w == nil {
			continue
		}
		if n, err := w.Write(c.b); err != nil {
			return err
		} else if n < len(c.b) {
			return io.ErrShortWrite
		}
	}
	return nil
}
