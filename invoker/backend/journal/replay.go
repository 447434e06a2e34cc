package journal

import (
	"context"
	"fmt"
	"io"
	"slices"
	"syscall"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// Replay plays back what a run was told. It is for one run, and for one goroutine at a time.
type Replay struct {
	files     *protocol.RecordedFiles
	cut       bool
	next      int // operation
	different string
}

// NewReplay returns a Replay of what was recorded, which may come from anybody. With cut, the run was ended from
// outside: what it was not told any more, it waits for. Nil has no files.
func NewReplay(f *protocol.RecordedFiles, cut bool) *Replay {
	if f == nil {
		f = &protocol.RecordedFiles{}
	}
	return &Replay{files: f, cut: cut}
}

// Mounts returns the trees.
func (r *Replay) Mounts() []files.Mount {
	var all []files.Mount
	for _, m := range r.files.Mounts {
		all = append(all, files.Mount{Path: m.Path, Tree: (&tree{path: m.Path, steps: r}).as(true, m.ReadOnly)})
	}
	return all
}

// Difference says what the run did first otherwise than the one that was recorded. It is empty if they did the same.
func (r *Replay) Difference() string {
	if r.different != "" || r.cut {
		return r.different
	}
	for i := r.next; i < len(r.files.Ops); i++ {
		if op := &r.files.Ops[i]; op.Op != protocol.OpClose {
			return fmt.Sprintf("operation %d was %s, and now there is none", i+1, describe(op))
		}
	}
	return ""
}

// step implements steps.
func (r *Replay) step(ctx context.Context, op protocol.FileOp, _ operation) (protocol.FileOp, error) {
	if err := ctx.Err(); err != nil && op.Op != protocol.OpClose {
		return op, err
	}
	if r.next < len(r.files.Ops) && same(&r.files.Ops[r.next], &op) {
		r.next++
		return answer(r.files.Ops[r.next-1])
	}
	if op.Op == protocol.OpClose { // at its end a process closes its files in any order
		if i := r.find(func(o *protocol.FileOp) bool { return same(o, &op) }); i >= 0 {
			return op, errorOf(r.files.Ops[i].Error)
		}
		return op, nil
	}
	if r.cut && r.next == len(r.files.Ops) {
		return op, files.Wait(ctx, make(chan struct{}))
	}
	r.differ(&op)
	for _, fits := range []func(*protocol.FileOp) bool{
		func(o *protocol.FileOp) bool { return same(o, &op) },
		func(o *protocol.FileOp) bool { return covers(o, &op) },
	} {
		if i := r.find(fits); i >= 0 {
			r.next = max(r.next, i+1)
			return adapt(r.files.Ops[i], &op)
		}
	}
	return op, syscall.EIO
}

// find returns an operation that fits: the next one from here on, or else the last one before. If there is none it
// returns -1.
func (r *Replay) find(fits func(*protocol.FileOp) bool) int {
	for i := r.next; i < len(r.files.Ops); i++ {
		if fits(&r.files.Ops[i]) {
			return i
		}
	}
	for i := r.next - 1; i >= 0; i-- {
		if fits(&r.files.Ops[i]) {
			return i
		}
	}
	return -1
}

// differ takes note of an operation that was not the next one.
func (r *Replay) differ(op *protocol.FileOp) {
	if r.different != "" {
		return
	}
	was := "none"
	if r.next < len(r.files.Ops) {
		was = describe(&r.files.Ops[r.next])
	}
	r.different = fmt.Sprintf("operation %d was %s, and now it is %s", r.next+1, was, describe(op))
}

// describe returns an operation for people.
func describe(op *protocol.FileOp) string {
	switch op.Op {
	case protocol.OpRead, protocol.OpWrite:
		return fmt.Sprintf("%s %.200q (%d bytes at %d)", op.Op, op.Path, op.N, op.At)
	case protocol.OpRename:
		return fmt.Sprintf("%s %.200q to %.200q", op.Op, op.Path, op.To)
	}
	return fmt.Sprintf("%s %.200q", op.Op, op.Path)
}

// same reports whether two operations ask for the same.
func same(a, b *protocol.FileOp) bool {
	return a.Op == b.Op && a.Path == b.Path && a.To == b.To && a.At == b.At && a.N == b.N && a.Digest == b.Digest
}

// covers reports whether the answer to an operation is one to another operation, which asks for about the same.
func covers(o, asked *protocol.FileOp) bool {
	if o.Op != asked.Op || o.Path != asked.Path || o.To != asked.To {
		return false
	}
	into, has := asked.At-o.At, int64(len(o.Data))
	return o.Op != protocol.OpRead || into >= 0 && (into < has || into == has && o.Error == "EOF")
}

// adapt returns the answer to an operation that asks for about the same as one that was recorded.
func adapt(o protocol.FileOp, asked *protocol.FileOp) (protocol.FileOp, error) {
	switch {
	case o.Op == protocol.OpWrite && o.Error == "":
		o.Done = asked.N
	case o.Op == protocol.OpRead && (o.Error == "" || o.Error == "EOF"):
		o.Data = o.Data[asked.At-o.At:]
		if o.Error = ""; len(o.Data) == 0 && asked.N > 0 {
			return o, io.EOF
		}
	}
	return answer(o)
}

// answer returns the result of an operation.
func answer(o protocol.FileOp) (protocol.FileOp, error) {
	o.Entries = slices.Clone(o.Entries)
	return o, errorOf(o.Error)
}
