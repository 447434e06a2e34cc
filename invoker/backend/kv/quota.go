package kv

import (
	"context"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// usage is what is in a bucket.
type usage struct{ keys, bytes int64 }

// usage asks the server what is in the bucket. Keys that were deleted count if the cache does not know better; bytes
// are those that NATS stores, with the names, headers and history of keys.
func (b *bucket) usage(ctx context.Context) (*usage, error) {
	info, err := b.state(ctx)
	if err != nil {
		return nil, err
	}
	u := &usage{int64(info.State.NumSubjects), int64(info.State.Bytes)}
	b.cache.index(func() { u.keys = int64(b.cache.live) })
	return u, nil
}

// quota returns an error if the run would have the bucket grow over a quota by so many more keys and bytes.
func (s *session) quota(ctx context.Context, keys, bytes int64) error {
	if s.on.Keys == 0 && s.on.Bytes == 0 {
		return nil
	}
	if s.used == nil {
		u, err := ask(ctx, s.on.bucket.usage)
		if err != nil {
			return s.broken(ctx, err)
		}
		s.used = u
	}
	if text := s.over(*s.used, keys, bytes); text != "" {
		return because(files.ErrNoSpace, "%s", text)
	}
	return nil
}

// over says over which quota a bucket would come, or nothing.
func (s *session) over(u usage, keys, bytes int64) string {
	moreKeys, moreBytes := s.growth()
	moreKeys += keys
	moreBytes += bytes
	switch {
	case s.on.Keys > 0 && moreKeys > 0 && u.keys+moreKeys > int64(s.on.Keys):
		return "the bucket has as many keys as the quota max_keys of its grant allows: remove some, or raise it"
	case s.on.Bytes > 0 && moreBytes > 0 && u.bytes+moreBytes > s.on.Bytes:
		return "the bucket has as many bytes as the quota max_bytes of its grant allows: remove some keys, or raise it"
	}
	return ""
}

// growth returns by how many keys and bytes the bucket grows by what the run has written so far.
func (s *session) growth() (keys, bytes int64) {
	for _, e := range s.keys {
		if !e.changed {
			continue
		}
		before, size := e.existed, e.size
		if !e.known {
			c := s.on.bucket.cache
			c.index(func() { before, size = c.items[e.key].exists, int64(len(c.items[e.key].data)) })
		}
		if before {
			keys--
			bytes -= size
		}
		if e.now != nil {
			keys++
			bytes += int64(len(e.now.data))
		}
	}
	return keys, bytes
}

// checkQuota looks again at what is in the bucket, before the commit.
func (s *session) checkQuota(ctx context.Context) error {
	if s.on.Keys == 0 && s.on.Bytes == 0 {
		return nil
	}
	u, err := s.on.bucket.usage(ctx)
	if err != nil {
		return away("commit", s.on.bucket.name, err)
	}
	if text := s.over(*u, 0, 0); text != "" {
		s.say(".", text)
		return protocol.Errorf(protocol.CodeMemory, "commit", "%s: %s", s.on.path, text)
	}
	return nil
}
