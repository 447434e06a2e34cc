// Package backend gives functions what their manifests grant, as files. In goes a manifest; out come, for each run, the
// trees that its process sees, and a transaction that carries out what the run has written.
//
// A call is a transaction. What a run reads is noted with its revision, what it writes stays in memory. After exit 0
// Commit writes it, if nothing that it depends on has changed meanwhile. After anything else it is dropped. Each folder
// below has one kind of grant, and knows nothing of the others; standard assembles them.
package backend

import (
	"context"
	"errors"
	"fmt"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// Kind opens grants of one kind. Its methods may be called from several goroutines.
type Kind interface {
	// Open makes ready what the grants of one version name: handles, caches, connections. All grants are of this kind,
	// and there is at least one. It returns a Resource for each mount that they have.
	//
	// # Errors
	//
	// A *protocol.Error says what is missing and what to do: 422 for what cannot be granted, 503 for what is not there
	// for now.
	Open(ctx context.Context, f *protocol.Function, grants []protocol.Grant) ([]Resource, error)
}

// Resource is what is behind one mount, for all runs of a version. Its methods may be called from several goroutines.
type Resource interface {
	// Mount returns where processes see it (protocol.Grant.Mount).
	Mount() string
	// Begin returns it as one run sees it. It returns at once and does not fail: what is wrong is found by the
	// operations of the tree.
	Begin(t *Transaction) Session
	// Close lets go of it. There is no run any more.
	Close()
}

// Session is a resource as one run sees it. One goroutine at a time uses it. If it has more to it than files, it is a
// Committer, a Sender or an Effector, too.
type Session interface {
	// Tree returns the files. Their operations wait by files.Wait and by nothing else, see files.Inline.
	Tree() files.Tree
	// End lets go of what the run holds. Nothing is committed after it. It is called once, after the run.
	End()
}

// Committer is a Session that carries out what the run has written when it has succeeded.
type Committer interface {
	Session
	// Stage says in which order sessions commit: the lowest first.
	Stage() Stage
	// Changed reports whether there is anything to commit or to check.
	Changed() bool
	// Commit writes what the run has written, as one as far as the kind can. m, if not nil, is written with it, by a
	// session that can do that in the same step; then it says so by m.Done.
	//
	// # Errors
	//
	// A *Conflict means that nothing was written, because something that the run has seen is no longer so. Any other
	// error is a *protocol.Error: 413 for what does not fit, 507 for what is over a quota, 503 if NATS is gone. Then
	// something may have been written only if the error says so.
	Commit(ctx context.Context, m *Mark) error
}

// Undoer is a Committer that can take back what it has committed, as long as nobody else has changed it since.
type Undoer interface {
	Committer
	// Undo takes it back, because a later session could not commit. It is called at most once, after Commit.
	Undo(ctx context.Context)
}

// Stage is when a session commits.
type Stage int

// The stages.
const (
	StageObjects Stage = iota // what keys may name is there before they do
	StageKeys                 // the step by which a call has happened
)

// Sender is a Session with messages to send when all sessions have committed.
type Sender interface {
	Session
	// Send sends them. An error is that of the call, although it is committed: its code says so by 502.
	Send(ctx context.Context) error
}

// Effector is a Session whose operations have effects at once, such as calls of other functions.
type Effector interface {
	Session
	// Effective reports whether the run has had such an effect: then it is not run again by itself.
	Effective() bool
}

// Marker is a Resource that can keep marks.
type Marker interface {
	Resource
	// Find returns the value of the mark with an id, if there is one.
	Find(ctx context.Context, id string) (value []byte, found bool, err error)
}

// Mark says that a request was committed. Whoever gets the same request again finds it.
type Mark struct {
	ID    string // identifies the request among those of all functions: 43 bytes, which a key of NATS can have
	Value []byte // what the reply was
	Done  bool   // it has been written
}

// Conflict is why a transaction was not committed: something that the run has seen is no longer so.
type Conflict struct {
	Path string // of the file, as the process sees it
}

// Error says what has changed.
func (c *Conflict) Error() string { return fmt.Sprintf("%s was changed meanwhile", c.Path) }

// ErrUnknown is in the chain of an error of Commit after which nobody knows whether the change was made.
var ErrUnknown = errors.New("it may have been committed")
