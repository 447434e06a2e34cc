package objects

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// settleTime bounds how long it takes to delete what nobody refers to any more.
const settleTime = 10 * time.Second

// Stage implements backend.Committer.
func (s *session) Stage() backend.Stage { return backend.StageObjects }

// Changed implements backend.Committer.
func (s *session) Changed() bool {
	for _, n := range s.nodes {
		if n.writes() {
			return true
		}
	}
	return false
}

// writes reports whether something is to be written under the name.
func (n *node) writes() bool { return n.changed && (n.now != nil || !n.known || n.base.Live()) }

// Commit implements backend.Committer. All chunks are put before the first object changes, and all that must not have
// changed is then looked at once more. After that the descriptions follow one by one. If one of them fails, those
// before it are put back: another client can have seen them for that moment.
func (s *session) Commit(ctx context.Context, _ *backend.Mark) error {
	if err := s.quotas(ctx); err != nil {
		return err
	}
	var all objects.Changes
	for _, n := range s.nodes {
		if n.writes() {
			all = append(all, s.change(ctx, n))
		}
	}
	slices.SortFunc(all, func(a, b *objects.Change) int { return strings.Compare(a.Name, b.Name) })
	failed, err := all.Prepare(ctx)
	if err == nil {
		failed, err = all.Apply(ctx)
	}
	if err != nil {
		return s.refused(ctx, failed, err)
	}
	for range all {
		s.t.Write()
	}
	s.done = all
	return nil
}

// change returns what is to be written under the name.
func (s *session) change(ctx context.Context, n *node) *objects.Change {
	c := &objects.Change{Bucket: s.r.bucket.store, Name: n.name, Base: n.base, Exact: n.exact && n.known}
	if n.now != nil {
		c.Body = n.now.reader(ctx)
	}
	return c
}

// reader returns what reads the content from its beginning on, in the goroutine of the commit.
func (c *content) reader(ctx context.Context) io.Reader {
	if c.memory != nil {
		return io.NewSectionReader(inMemory{ctx, c.memory}, 0, math.MaxInt64)
	}
	return &stream{ctx: ctx, chunks: c.s.r.bucket.store.Chunks(c.home.base), c: c}
}

// inMemory is a file in memory as an io.ReaderAt.
type inMemory struct {
	ctx context.Context
	f   files.File
}

// ReadAt implements io.ReaderAt.
func (m inMemory) ReadAt(b []byte, at int64) (int, error) { return m.f.ReadAt(m.ctx, b, at) }

// stream reads an object that has got another name, chunk by chunk.
type stream struct {
	ctx    context.Context
	chunks *objects.Chunks
	c      *content
	at     int64
	rest   []byte
}

// moved is the error of an object that cannot be read any more.
type moved struct {
	home *node
	error
}

// Unwrap returns why.
func (m moved) Unwrap() error { return m.error }

// Read implements io.Reader.
func (r *stream) Read(b []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.at == r.c.size {
			return 0, io.EOF
		}
		chunk, _, err := r.chunks.At(r.ctx, r.at)
		if err != nil {
			return 0, moved{r.c.home, err}
		}
		r.rest, r.at = chunk, r.at+int64(len(chunk))
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// refused returns the error of a commit.
func (s *session) refused(ctx context.Context, failed *objects.Change, err error) error {
	var from moved
	switch {
	case errors.Is(err, objects.ErrChanged) && failed.Exact:
		return &backend.Conflict{Path: s.r.path(failed.Name)}
	case errors.As(err, &from):
		if now, err := s.r.bucket.store.Stat(ctx, from.home.name); err == nil && now.Seq != from.home.base.Seq {
			return &backend.Conflict{Path: s.r.path(from.home.name)}
		}
	}
	return unavailable("commit "+s.r.path(failed.Name), s.r.bucket.name, err)
}

// Undo implements backend.Undoer.
func (s *session) Undo(ctx context.Context) {
	s.done.Undo(ctx)
	s.done = nil
}

// End implements backend.Session. What was replaced is deleted when nobody waits for it.
func (s *session) End() {
	if all := s.done; all != nil {
		s.r.after.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), settleTime)
			defer cancel()
			all.Settle(ctx)
		})
	}
	s.nodes, s.folders, s.room, s.done = nil, nil, nil, nil
}

// another returns why there cannot be another object.
func (s *session) another(ctx context.Context) error {
	if s.r.maxKeys() == 0 {
		return nil
	}
	if err := s.list(ctx); err != nil {
		return err
	}
	if count, _ := s.total(); count+1 > s.r.maxKeys() {
		s.log(".", "there are %d objects in the bucket, which is its quota: see max_keys", s.r.maxKeys())
		return files.ErrNoSpace
	}
	return nil
}

// fits returns why some more bytes cannot be written.
func (s *session) fits(ctx context.Context, c *content, more int64) error {
	most := s.r.maxBytes()
	if most == 0 || c.node == nil {
		return nil
	}
	if err := s.list(ctx); err != nil {
		return err
	}
	if _, bytes := s.total(); bytes+more > most {
		s.log(".", "the bucket would have more than %d bytes, which is its quota: see max_bytes", most)
		return files.ErrNoSpace
	}
	return nil
}

// total returns how many objects and bytes there would be in the bucket after the commit, as far as the list is known.
func (s *session) total() (count, bytes int64) {
	x := &s.r.bucket.list
	x.mu.Lock()
	defer x.mu.Unlock()
	count, bytes = x.count, x.bytes
	for _, n := range s.nodes {
		if !n.changed {
			continue
		}
		if _, e, was := x.get(n.name); was {
			count, bytes = count-1, bytes-e.size
		}
		if n.now != nil {
			info, _ := n.now.info(context.Background()) // which is in memory
			count, bytes = count+1, bytes+info.Size
		}
	}
	return count, bytes
}

// quotas compares what there would be after the commit with the quotas.
func (s *session) quotas(ctx context.Context) error {
	keys, most := s.r.maxKeys(), s.r.maxBytes()
	if keys == 0 && most == 0 {
		return nil
	}
	op := "commit " + s.r.Mount()
	if err := s.r.bucket.list.update(ctx); errors.Is(err, errTooMany) {
		return protocol.Errorf(protocol.CodeMemory, op, "the bucket has more than %d objects, of which no quota is kept",
			maxNames)
	} else if err != nil {
		return unavailable(op, s.r.bucket.name, err)
	}
	switch count, bytes := s.total(); {
	case keys > 0 && count > keys:
		return protocol.Errorf(protocol.CodeMemory, op, "there would be %d objects in the bucket, and its quota is %d: "+
			"delete some, or raise max_keys of the grant", count, keys)
	case most > 0 && bytes > most:
		return protocol.Errorf(protocol.CodeMemory, op, "there would be %d bytes in the bucket, and its quota is %d: "+
			"delete some, or raise max_bytes of the grant", bytes, most)
	}
	return nil
}
