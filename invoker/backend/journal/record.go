package journal

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// Record takes down what a run does. The zero value is ready. Its methods may be called from several goroutines.
type Record struct {
	mu    sync.Mutex
	files protocol.RecordedFiles
	room  int // taken of protocol.MaxRecordedFiles
	lost  string
	ended bool
}

// Tree returns a tree as the run is to see it, at its place. What it is told by that is taken down.
func (r *Record) Tree(path string, of files.Tree) files.Tree {
	if path == "/"+protocol.GrantTmp || of == nil {
		return of
	}
	readOnly := files.IsReadOnly(of)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files.Mounts = append(r.files.Mounts, protocol.RecordedMount{Path: path, ReadOnly: readOnly})
	var s steps = r
	if path == "/"+protocol.GrantSecret {
		s = secrets{r}
	}
	return (&tree{path, s, of}).as(files.IsInline(of), readOnly)
}

// step implements steps. What ends with the process is not taken down, since nobody has seen it.
func (r *Record) step(ctx context.Context, op protocol.FileOp, do operation) (protocol.FileOp, error) {
	err := do(&op)
	if ctx.Err() == nil {
		r.add(op, nameOf(err))
	}
	return op, err
}

// add takes an operation down, if there is room.
func (r *Record) add(op protocol.FileOp, failed string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lost != "" || r.ended {
		return
	}
	r.room += op.Cost()
	if r.room > protocol.MaxRecordedFiles || len(r.files.Ops) == protocol.MaxRecordedOps {
		r.lose(fmt.Sprintf("what it did with them is more than the %d operations and %s that a recording keeps",
			protocol.MaxRecordedOps, protocol.Size(protocol.MaxRecordedFiles)))
		return
	}
	op.Error, op.Data = failed, bytes.Clone(op.Data) // which is memory of the process
	r.files.Ops = append(r.files.Ops, op)
}

// lose says that something is not kept. Then nothing is. r.mu is held.
func (r *Record) lose(why string) {
	if r.lost == "" {
		r.lost, r.files.Ops = why, nil
	}
}

// End returns what was taken down, or why that is not whole. Nothing is taken down any more.
func (r *Record) End() (kept *protocol.RecordedFiles, lost string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	if r.lost != "" {
		return nil, r.lost
	}
	return &r.files, ""
}

// secrets are steps of which no content is kept.
type secrets struct{ *Record }

// step implements steps. A run that has a secret can have it in all that it does from then on, so nothing is kept.
func (s secrets) step(ctx context.Context, op protocol.FileOp, do operation) (protocol.FileOp, error) {
	err := do(&op)
	s.mu.Lock()
	if op.Op == protocol.OpOpen && err == nil {
		s.lose("it has read a secret, and no recording keeps those")
	}
	s.mu.Unlock()
	op.Data = nil
	if ctx.Err() == nil {
		s.add(op, nameOf(err))
	}
	return op, err
}
