// Package said keeps what a process writes before it reads stdin, for each process that goes on from there to say again.
package said

import (
	"errors"
	"io"
	"slices"
)

// room is how much a process may write, in bytes.
const room = 64 << 10

// ErrTooMuch is the error of a Write that is too much.
var ErrTooMuch = errors.New("it writes more than 64 KiB before it reads stdin")

// Record is what was written, in its order. The zero value is empty. One goroutine at a time writes to it; any number may repeat it then.
type Record struct {
	chunks []chunk
	size   int
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

// Stdout and Stderr return where the process writes.
func (r *Record) Stdout() io.Writer { return stream{r, false} }
func (r *Record) Stderr() io.Writer { return stream{r, true} }

// Write implements io.Writer.
func (s stream) Write(b []byte) (int, error) {
	if s.size += len(b); s.size > room {
		return 0, ErrTooMuch
	}
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
