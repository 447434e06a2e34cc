package backend

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/polyvoke/polyvoke/invoker/backend/journal"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// Call is the run that a transaction belongs to.
type Call struct {
	Function *protocol.Function
	ID       func() string     // the id of the request
	Header   protocol.Header   // of the request
	Hops     int               // of the request
	Deadline time.Time         // of the request
	Output   int64             // limits.output in bytes: what a run may hold of what it writes
	Again    int               // how often the request was run before because of conflicts: then caches are not asked
	Log      func(text string) // a platform line to the function's log; any goroutine may call it, and at any time
	Record   *journal.Record   // takes down what the run does; nil: nothing is
}

// Transaction is what one run reads and writes by its grants. One goroutine at a time uses it, except for Read, Write,
// Reads and Writes.
type Transaction struct {
	Call
	ctx           context.Context
	cancel        context.CancelFunc
	sessions      []place // by stage
	reads, writes atomic.Int64
}

// place is a session and the path of its mount.
type place struct {
	path string
	Session
}

// stage returns when the session commits. What does not commit comes first.
func (p place) stage() Stage {
	if c, ok := p.Session.(Committer); ok {
		return c.Stage()
	}
	return -1
}

// Mounts returns the trees of the run.
func (t *Transaction) Mounts() []files.Mount {
	all := make([]files.Mount, len(t.sessions))
	for i, s := range t.sessions {
		all[i] = files.Mount{Path: s.path, Tree: s.Tree()}
		if t.Record != nil {
			all[i].Tree = t.Record.Tree(s.path, all[i].Tree)
		}
	}
	return all
}

// Context returns the context of the transaction, which ends with End, at the deadline, or when the invoker gives up
// what it still runs. It may be kept, which that of an operation must not be.
func (t *Transaction) Context() context.Context { return t.ctx }

// Do runs do in a goroutine of its own, while the process waits as files.Wait says. ctx is the context of the
// operation; do gets that of the transaction. Do returns the error of files.Wait. After an error do may still be
// running, so whatever it uses must be its own.
func (t *Transaction) Do(ctx context.Context, do func(ctx context.Context)) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do(t.ctx)
	}()
	return files.Wait(ctx, done)
}

// Read counts a read that went outside, or found in a cache what would have. Kinds call it.
func (t *Transaction) Read() { t.reads.Add(1) }

// Write counts something that the run changes outside. Kinds call it when it commits or happens.
func (t *Transaction) Write() { t.writes.Add(1) }

// Reads returns how often Read was called. Any goroutine may call it.
func (t *Transaction) Reads() int64 { return t.reads.Load() }

// Writes returns how often Write was called. Any goroutine may call it.
func (t *Transaction) Writes() int64 { return t.writes.Load() }

// Repeatable reports whether the run had no effect that another run of the same request would have twice.
func (t *Transaction) Repeatable() bool {
	for _, s := range t.sessions {
		if e, ok := s.Session.(Effector); ok && e.Effective() {
			return false
		}
	}
	return true
}

// Pending reports whether Commit or Send may have something to do, and so may take some time.
func (t *Transaction) Pending() bool {
	for _, s := range t.sessions {
		if _, ok := s.Session.(Sender); ok {
			return true
		}
		if c, ok := s.Session.(Committer); ok && c.Changed() {
			return true
		}
	}
	return false
}

// Commit carries out what the run has written. m is the mark of the request, or nil if it cannot come again. If a
// session cannot commit, those before it that are Undoers take back what they have. See Committer for errors.
func (t *Transaction) Commit(ctx context.Context, m *Mark) error {
	var undo []Undoer
	for _, s := range t.sessions {
		c, ok := s.Session.(Committer)
		if !ok || !c.Changed() {
			continue
		}
		if err := c.Commit(ctx, m); err != nil {
			if !errors.Is(err, ErrUnknown) { // else it may be the keys that name what was committed
				for _, u := range undo {
					u.Undo(context.WithoutCancel(ctx))
				}
			}
			return err
		}
		if u, ok := c.(Undoer); ok {
			undo = append(undo, u)
		}
	}
	return nil
}

// Send sends the messages of the run, after Commit.
func (t *Transaction) Send(ctx context.Context) error {
	for _, s := range t.sessions {
		if c, ok := s.Session.(Sender); ok {
			if err := c.Send(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// End lets go of what the run holds.
func (t *Transaction) End() {
	t.cancel()
	for _, s := range t.sessions {
		s.End()
	}
}
