package wasi

import (
	"errors"
	"io"
	"slices"
)

// startOutput is how much a process may write, in bytes, before it reads stdin, for its sandbox to be parked there.
const startOutput = 64 << 10

// recorder keeps what a process writes before it reads stdin.
type recorder struct {
	chunks []chunk
	room   int // bytes left
}

// chunk is bytes that were written to the same place in a row.
type chunk struct {
	stderr bool
	b      []byte
}

// errTalkative ends a start that writes too much.
var errTalkative = errors.New("it writes more than 64 KiB before it reads stdin")

// recording is stdout or stderr of a recorder.
type recording struct {
	*recorder
	stderr bool
}

// Write implements io.Writer.
func (r recording) Write(b []byte) (int, error) {
	if len(b) > r.room {
		return 0, errTalkative
	}
	r.room -= len(b)
	if n := len(r.chunks); n > 0 && r.chunks[n-1].stderr == r.stderr {
		r.chunks[n-1].b = append(r.chunks[n-1].b, b...)
	} else {
		r.chunks = append(r.chunks, chunk{r.stderr, slices.Clone(b)})
	}
	return len(b), nil
}

// repeat writes what was recorded. An error ends the process, as if it had written that itself.
func (s *sandbox) repeat(said []chunk) {
	for _, c := range said {
		w := s.state.Stdout
		if c.stderr {
			w = s.state.Stderr
		}
		if w == nil {
			continue
		}
		if n, err := w.Write(c.b); err != nil {
			s.state.Stop(err)
		} else if n < len(c.b) {
			s.state.Stop(io.ErrShortWrite)
		}
	}
}
