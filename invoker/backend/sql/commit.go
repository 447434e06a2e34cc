package sql

import (
	"context"
	"errors"
	"time"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/protocol"
)

// settleTime bounds how long it takes to delete what nobody refers to any more.
const settleTime = 10 * time.Second

// Stage implements backend.Committer. Databases come before keys, since a database can be put back.
func (s *session) Stage() backend.Stage { return backend.StageObjects }

// Changed implements backend.Committer.
func (s *session) Changed() bool {
	for _, m := range s.images {
		if m.changed {
			return true
		}
	}
	return false
}

// Commit implements backend.Committer.
func (s *session) Commit(ctx context.Context, _ *backend.Mark) error {
	var all objects.Changes
	for _, g := range s.r.all {
		m := s.images[g.name]
		if m == nil || !m.changed {
			continue
		}
		if err := s.finish(ctx, g, m); err != nil {
			return err
		}
		if !m.differs() {
			continue
		}
		c := &objects.Change{Bucket: g.store, Name: g.object(), Base: m.from.at, Exact: true}
		if m.exists {
			c.Body = &reader{image: m}
		}
		all = append(all, c)
	}
	failed, err := all.Prepare(ctx)
	if err == nil {
		failed, err = all.Apply(ctx)
	}
	switch {
	case errors.Is(err, objects.ErrChanged):
		return &backend.Conflict{Path: "/sql/" + failed.Name}
	case err != nil:
		return unavailable("commit /sql/"+failed.Name, failed.Name[:len(failed.Name)-len(".db")], err)
	}
	for range all {
		s.t.Write()
	}
	s.done = all
	return nil
}

// finish rolls back the transaction of SQLite that the run has not finished. It refuses a database that is not whole
// without a file beside it.
func (s *session) finish(ctx context.Context, g granted, m *image) error {
	if m.rollback() {
		s.log(g.database, "the run has ended within a transaction of SQLite, which was rolled back: say COMMIT")
	}
	if s.beside == nil {
		return nil
	}
	if info, err := s.beside.Stat(ctx, g.object()+"-wal"); err == nil && info.Size > 0 {
		return protocol.Errorf(protocol.CodeFailed, "commit /sql/"+g.object(), "the run has left changes in %s-wal, which "+
			"is gone with it: close the database, or say PRAGMA journal_mode=DELETE", g.object())
	}
	return nil
}

// Undo implements backend.Undoer.
func (s *session) Undo(ctx context.Context) {
	s.done.Undo(ctx)
	s.done = nil
}

// End implements backend.Session. What was committed is kept for runs to come.
func (s *session) End() {
	if all := s.done; all != nil {
		for _, c := range all {
			s.keep(c)
		}
		s.r.after.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), settleTime)
			defer cancel()
			all.Settle(ctx)
		})
	}
	s.images, s.beside, s.done = nil, nil, nil
}

// keep keeps a database that was committed.
func (s *session) keep(c *objects.Change) {
	for _, g := range s.r.all {
		m := s.images[g.name]
		if m == nil || g.object() != c.Name || !c.Put().Live() {
			continue
		}
		at := c.Put()
		at.Stored = m.when
		g.database.keep(&snapshot{at: at, size: m.size, pieces: m.pieces})
	}
}
