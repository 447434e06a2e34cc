// Package tmp grants room in memory, as /tmp. In goes a size; out comes, for each run, a folder that is empty when the
// run begins and gone when it ends: no run sees what another has left.
package tmp

import (
	"context"
	"sync"
	"time"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// Kind opens grants of tmp. What a run keeps in /tmp is memory of the invoker beside that of the process, so the
// manifest's size is what a run takes at most, and up to twice as much while files grow (see files.NewMemory).
type Kind struct{}

var (
	_ backend.Kind = Kind{}
	_ files.Inline = (*session)(nil)
)

// Open returns a folder with room for the largest of the sizes.
func (Kind) Open(_ context.Context, _ *protocol.Function, grants []protocol.Grant) ([]backend.Resource, error) {
	var room int64
	for _, g := range grants {
		room = max(room, int64(g.Tmp))
	}
	return []backend.Resource{resource{room}}, nil
}

// resource is the room that each run has.
type resource struct{ room int64 }

// Mount implements backend.Resource.
func (resource) Mount() string { return "/" + protocol.GrantTmp }

// Begin implements backend.Resource. It makes next to nothing: most runs do not look at /tmp.
func (r resource) Begin(*backend.Transaction) backend.Session { return &session{room: r.room} }

// Close implements backend.Resource.
func (resource) Close() {}

// session is the folder of one run. It is made when it is first used.
type session struct {
	room   int64
	mu     sync.Mutex
	memory *files.Memory
}

// Tree implements backend.Session.
func (s *session) Tree() files.Tree { return s }

// End implements backend.Session.
func (s *session) End() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.memory, s.room = nil, 0
}

// get returns the folder.
func (s *session) get() *files.Memory {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.memory == nil {
		s.memory = files.NewMemory(s.room)
	}
	return s.memory
}

// Inline implements files.Inline.
func (s *session) Inline() {}

// Open implements files.Tree.
func (s *session) Open(ctx context.Context, name string, how files.Flags) (files.File, error) {
	return s.get().Open(ctx, name, how)
}

// Stat implements files.Tree.
func (s *session) Stat(ctx context.Context, name string) (files.Info, error) {
	return s.get().Stat(ctx, name)
}

// ReadDir implements files.Tree.
func (s *session) ReadDir(ctx context.Context, name string) ([]files.Entry, error) {
	return s.get().ReadDir(ctx, name)
}

// Mkdir implements files.Tree.
func (s *session) Mkdir(ctx context.Context, name string) error { return s.get().Mkdir(ctx, name) }

// Remove implements files.Tree.
func (s *session) Remove(ctx context.Context, name string) error { return s.get().Remove(ctx, name) }

// Rename implements files.Tree.
func (s *session) Rename(ctx context.Context, from, to string) error {
	return s.get().Rename(ctx, from, to)
}

// SetTime implements files.Tree.
func (s *session) SetTime(ctx context.Context, name string, at time.Time) error {
	return s.get().SetTime(ctx, name, at)
}
