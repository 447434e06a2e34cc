package objects

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"
)

// Seen is what a watch has seen of a KV bucket between two losses of the connection. It finds out whether that is what
// the bucket has: a server does not tell a watch that the bucket was emptied, made anew, or put back to an older state.
// One goroutine uses it.
type Seen struct {
	Created int64  // when the bucket was, as State.Created
	Last    uint64 // the newest revision that has come

	keys   map[string]uint64 // the revision of each of the bucket's keys, deleted ones too
	looked uint64            // what Last was at the last look at the bucket
	gap    Gap               // what was missing then
}

// Gap is the difference between what a bucket has and what was Seen of it. Its zero value means that they agree.
type Gap struct {
	created int64
	keys    int    // how many the bucket has more
	behind  uint64 // the revision that does not come
}

// NewSeen returns what has been seen of a bucket before the first key: that it is in a state.
func NewSeen(created int64, last uint64) *Seen {
	return &Seen{Created: created, Last: last, keys: map[string]uint64{}}
}

// Saw takes note of a revision, and reports whether it is news.
func (s *Seen) Saw(key string, revision uint64) (news bool) {
	if was, known := s.keys[key]; known && revision <= was {
		return false
	}
	s.keys[key] = revision
	s.Last = max(s.Last, revision)
	return true
}

// Agrees reports whether the bucket, whose stream that is, has what was seen of it. What differs may be on its way, so
// it must differ at two looks. What was read again, and differs all the same, is in accepted, and is accepted. A bucket
// that does not answer agrees: the connection's status tells of that.
func (s *Seen) Agrees(ctx context.Context, stream jetstream.Stream, accepted *Gap) bool {
	now, err := StateOf(ctx, stream)
	if err != nil {
		return !Gone(err)
	}
	if now.Created != s.Created || now.Last < s.Last {
		return false
	}
	var is Gap
	if is.keys = int(now.Subjects) - len(s.keys); is.keys != 0 {
		is.created = now.Created
	}
	if now.Last > s.Last && s.Last == s.looked {
		is.created, is.behind = now.Created, now.Last
	}
	again := is != Gap{} && is.keys == s.gap.keys && (is.behind > 0) == (s.gap.behind > 0) && is != *accepted
	s.gap, s.looked = is, s.Last
	if again {
		*accepted = is
	}
	return !again
}
