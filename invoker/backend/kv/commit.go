package kv

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/protocol"
)

var _ backend.Committer = (*session)(nil)

// message is what a commit writes of one key.
type message struct {
	key      string
	put      bool // or else it is deleted
	data     []byte
	check    bool   // only if a revision is still
	revision uint64 // this one
	of       string // another key of which that is the revision, or nothing
	stream   bool   // only if the last message of the bucket is still
	last     uint64 // this one
	life     string // it is gone after this long, if that is not empty
}

// maxBatch is how many messages a server takes as one.
const maxBatch = 1000

// Stage implements backend.Committer.
func (s *session) Stage() backend.Stage { return backend.StageKeys }

// Changed implements backend.Committer.
func (s *session) Changed() bool { return s.changes > 0 || s.listed || len(s.checks()) > 0 }

// checks returns the keys that a serializable grant wants to be as they were read, and that are not written.
func (s *session) checks() (all []*entry) {
	if !s.on.serial {
		return nil
	}
	for _, e := range s.keys {
		if e.known && !e.changed && s.on.has(e.key, func(r rule) bool { return r.serializable }) {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b *entry) int { return cmp.Compare(a.key, b.key) })
	return all
}

// writes returns what the run has written, in the order of the first change of each key.
func (s *session) writes() []*message {
	var changed []*entry
	for _, e := range s.keys {
		if e.changed {
			changed = append(changed, e)
		}
	}
	slices.SortFunc(changed, func(a, b *entry) int { return cmp.Compare(a.order, b.order) })
	all := make([]*message, 0, len(changed)+1)
	for _, e := range changed {
		m := &message{key: e.key, check: e.known, revision: e.revision}
		if e.now != nil {
			m.put, m.data = true, e.now.data
		}
		all = append(all, m)
	}
	return all
}

// Commit implements backend.Committer. See the comment of the package for how.
func (s *session) Commit(ctx context.Context, m *backend.Mark) error {
	ctx, cancel := context.WithTimeout(ctx, maxCommit)
	defer cancel()
	checks := s.checks()
	if s.changes == 0 && (m == nil || m.Done || !s.on.writes) {
		return s.verify(ctx, checks)
	}
	if err := s.checkQuota(ctx); err != nil {
		return err
	}
	all := s.writes()
	whole := s.on.atomic || s.on.bucket.settings.Load().quick && len(all) <= maxBatch
	if m != nil && !m.Done {
		all, whole = append(all, s.markOf(m)), true
	} else {
		m = nil
	}
	if s.listed || len(checks) > 0 {
		all, whole = s.withChecks(all, checks), true
	}
	c := &commit{bucket: s.on.bucket, path: s.on.path, id: s.t.ID, token: newToken()}
	if whole && !s.on.bucket.settings.Load().whole {
		if err := c.allow(ctx); err != nil {
			return err
		}
	}
	if err := c.write(ctx, all, whole); err != nil {
		return err
	}
	for range s.changes {
		s.t.Write()
	}
	if m != nil {
		m.Done = true
	}
	return nil
}

// maxCommit is how long a commit tries, whatever the context of the call is.
const maxCommit = time.Minute

// withChecks has messages check keys that are not written. A message can check one key: its own, or another if it does
// not check its own. For what is left there are messages that change nothing anybody sees.
func (s *session) withChecks(all []*message, checks []*entry) []*message {
	rest := checks
	for _, m := range all {
		if len(rest) > 0 && !m.check {
			m.check, m.revision, m.of = true, rest[0].revision, rest[0].key
			rest = rest[1:]
		}
	}
	for _, e := range rest {
		all = append(all, &message{key: keyCheck, check: true, revision: e.revision, of: e.key})
	}
	if s.listed && len(all) > 0 { // that only the first of a batch can check
		all[0].stream, all[0].last = true, s.last
	}
	return all
}

// verify checks what was read of a bucket to which nothing is written: if nothing has changed since, it was all so at
// the moment at which the first is looked at again.
func (s *session) verify(ctx context.Context, checks []*entry) error {
	b := s.on.bucket
	if s.listed {
		info, err := b.state(ctx)
		switch {
		case err != nil:
			return away("commit", b.name, err)
		case info.State.LastSeq != s.last:
			return &backend.Conflict{Path: s.on.path}
		}
	}
	for _, e := range checks {
		v, err := b.get(ctx, e.key, true)
		switch {
		case err != nil:
			return away("commit", b.name, err)
		case v.revision != e.revision:
			b.cache.note(e.key, v)
			return &backend.Conflict{Path: s.on.path + "/" + e.key}
		}
	}
	return nil
}

// commit writes messages to a bucket, each of them once, whatever happens to connections and answers.
type commit struct {
	bucket *bucket
	path   string        // of the mount
	id     func() string // of the request
	token  string        // that the messages are recognised by
}

// write writes messages: all or none if they are to be whole, else one by one.
func (c *commit) write(ctx context.Context, all []*message, whole bool) error {
	switch {
	case len(all) == 1:
		return c.single(ctx, all[0], 0)
	case whole && len(all) > maxBatch:
		return protocol.Errorf(protocol.CodeTooLarge, "commit", "%s: the call has changed and checked %d keys, and NATS "+
			"writes at most %d as one: change fewer in one call, or take atomic off its grant", c.path, len(all), maxBatch)
	case whole:
		return c.batch(ctx, all)
	}
	return c.inOrder(ctx, all)
}

// inOrder writes messages one by one. Those that check come first, for then the rest cannot fail for that; and what
// they check is looked at before the first is written.
func (c *commit) inOrder(ctx context.Context, all []*message) error {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b *message) int {
		switch {
		case a.check == b.check:
			return 0
		case a.check:
			return -1
		}
		return 1
	})
	for i, m := range all {
		if i == 0 || !m.check {
			continue
		}
		v, err := c.bucket.get(ctx, m.key, true)
		switch {
		case err != nil:
			return away("commit", c.bucket.name, err)
		case v.revision != m.revision:
			c.bucket.cache.note(m.key, v)
			return c.conflict(m)
		}
	}
	for i, m := range all {
		if err := c.single(ctx, m, i); err != nil {
			return c.partly(err, i, len(all))
		}
	}
	return nil
}

// partly returns the error of a commit that has written some of its messages. It is no *Conflict: the call must not run
// again.
func (c *commit) partly(err error, written, all int) error {
	const advice = "set atomic = true in the grant to have all of them written or none"
	var conflict *backend.Conflict
	switch {
	case written == 0:
		return err
	case errors.As(err, &conflict):
		return protocol.Errorf(protocol.CodeConflict, "commit", "%d of %d keys were written, then %s: %s",
			written, all, conflict, advice)
	}
	return protocol.Errorf(protocol.CodeOf(err), "commit", "%d of %d keys were written, then: %w: %s",
		written, all, err, advice)
}

// conflict returns the error for a message whose check has failed.
func (c *commit) conflict(m *message) error {
	return &backend.Conflict{Path: c.path + "/" + m.checked()}
}

// checked returns the key that a message checks.
func (m *message) checked() string { return cmp.Or(m.of, m.key) }

// done notes in the cache a message that was written, for the next run that reads the bucket.
func (c *commit) done(m *message, sequence uint64) {
	v := value{revision: sequence, exists: m.put, at: time.Now()}
	if m.put {
		v.data = m.data
	}
	c.bucket.cache.note(m.key, v)
}

// find returns the conflict of a batch, with the key that has changed if that can be found out.
func (c *commit) find(ctx context.Context, all []*message) error {
	var first *message
	for _, m := range all {
		if first == nil && (m.check || m.stream) {
			first = m
		}
		if m.check {
			c.bucket.cache.doubt(m.checked())
		}
	}
	for i, m := range all {
		if !m.check || i > maxLooks {
			continue
		}
		v, err := c.bucket.get(ctx, m.checked(), true)
		if err != nil {
			break
		}
		c.bucket.cache.note(m.checked(), v)
		if v.revision != m.revision {
			return c.conflict(m)
		}
	}
	if first == nil || first.stream {
		return &backend.Conflict{Path: c.path}
	}
	return c.conflict(first)
}

// maxLooks is how many keys of a batch are looked at for the one that has changed.
const maxLooks = 20

// refused returns the error for what the server says of a message, other than that something has changed.
func (c *commit) refused(code int, err error) error {
	return protocol.Errorf(code, "commit", "%s: NATS refuses it: %w", c.path, err)
}

// unknown returns the error of a commit whose outcome nobody knows.
func (c *commit) unknown(err error) error {
	return protocol.Errorf(protocol.CodeUnavailable, "commit", "%s: %w", c.path,
		fmt.Errorf("NATS has not answered (%w): %w", err, backend.ErrUnknown))
}
