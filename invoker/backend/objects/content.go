package objects

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// maxHeld is how many bytes of small objects a run holds that are open. What is more is read by chunks.
const maxHeld = 8 << 20

// content is what is in a file: of an object of the bucket, or in memory.
type content struct {
	s     *session
	node  *node // whose it is; nil if it has no name any more
	home  *node // of an object: under which name the bucket has it
	size  int64 // of an object
	users int   // that have it open

	memory files.File // not nil: it is in memory
	name   string     // there

	whole  []byte          // of a small object that is open
	chunks *objects.Chunks // of a large one
	chunk  []byte          // that was read last
	start  int64           // of chunk
}

// create makes content that is empty, in memory.
func (s *session) create() (*content, error) {
	if int64(s.made) >= s.r.maxOps() {
		s.log(".", "it makes more than %d objects: raise max_ops of its grant", s.r.maxOps())
		return nil, files.ErrNoSpace
	}
	c := &content{s: s}
	return c, c.toMemory()
}

// toMemory makes it a file in memory in which nothing is.
func (c *content) toMemory() (err error) {
	if c.s.room == nil {
		c.s.room = files.NewMemory(c.s.t.Output)
	}
	c.s.made++
	name := fmt.Sprint(c.s.made)
	how := files.Read | files.Write | files.Create
	f, err := c.s.room.Open(context.Background(), name, how)
	if err != nil {
		return c.full(err)
	}
	c.forget()
	c.memory, c.name = f, name
	return nil
}

// full tells the developer why there is no space.
func (c *content) full(err error) error {
	if errors.Is(err, files.ErrNoSpace) {
		c.s.log(".", "it writes more than there is room for: what a run writes is kept in memory until it has "+
			"succeeded, at most limits.output, which is %d bytes", c.s.t.Output)
	}
	return err
}

// write makes it one that can be written: what is in it is copied into memory.
func (c *content) write(ctx context.Context) error {
	if c.node != nil {
		c.node.changed = true
	}
	if c.memory != nil {
		return nil
	}
	if c.size > c.s.t.Output {
		return c.full(files.ErrNoSpace)
	}
	body, err := c.all(ctx)
	if err != nil {
		return err
	}
	if err := c.toMemory(); err != nil {
		return err
	}
	_, err = c.memory.WriteAt(ctx, body, 0)
	return c.full(err)
}

// all reads all of an object.
func (c *content) all(ctx context.Context) ([]byte, error) {
	body := make([]byte, 0, c.size)
	for int64(len(body)) < c.size {
		n, err := c.readAt(ctx, body[len(body):c.size], int64(len(body)))
		if err != nil {
			return nil, err
		}
		body = body[:len(body)+n]
	}
	c.home.exact = true
	return body, nil
}

// info describes it.
func (c *content) info(ctx context.Context) (files.Info, error) {
	if c.memory != nil {
		return c.memory.Stat(ctx)
	}
	return files.Info{Size: c.size, ModTime: c.home.base.Stored}, nil
}

// readAt reads from it.
func (c *content) readAt(ctx context.Context, b []byte, at int64) (int, error) {
	if c.memory != nil {
		return c.memory.ReadAt(ctx, b, at)
	}
	c.home.exact = true
	if at >= c.size {
		return 0, io.EOF
	}
	if c.size <= maxWhole && (c.whole != nil || c.s.held+c.size <= maxHeld) {
		if err := c.load(ctx); err != nil {
			return 0, err
		}
		return copy(b, c.whole[at:]), nil
	}
	if at < c.start || at >= c.start+int64(len(c.chunk)) {
		if err := c.next(ctx, at); err != nil {
			return 0, err
		}
	}
	return copy(b, c.chunk[at-c.start:]), nil
}

// load reads a small object as a whole.
func (c *content) load(ctx context.Context) error {
	if c.whole != nil {
		return nil
	}
	kind, base := c.s.r.kind, c.home.base
	body, ok := kind.small.get(base.Info.NUID)
	if !ok {
		c.s.t.Read()
		var found []byte
		err := c.s.fetch(ctx, c.home.name, func(ctx context.Context) (err error) {
			found, err = c.s.r.bucket.store.Load(ctx, base, maxWhole)
			return err
		})
		if err != nil {
			return err
		}
		body = found
		kind.small.put(base.Info.NUID, body)
	}
	c.whole, c.s.held = body, c.s.held+c.size
	return nil
}

// next reads the chunk of a large object that some byte is in.
func (c *content) next(ctx context.Context, at int64) error {
	if c.chunks == nil {
		c.s.t.Read()
		c.chunks = c.s.r.bucket.store.Chunks(c.home.base)
	}
	chunks := c.chunks
	var found []byte
	var start int64
	err := c.s.fetch(ctx, c.home.name, func(ctx context.Context) (err error) {
		found, start, err = chunks.At(ctx, at)
		return err
	})
	if err != nil {
		c.chunks = nil // the request may still go on, and use them
		return err
	}
	c.chunk, c.start = found, start
	return nil
}

// forget lets go of what was read of an object.
func (c *content) forget() {
	if c.whole != nil {
		c.s.held -= c.size
	}
	c.whole, c.chunks, c.chunk = nil, nil, nil
}

// release lets go of content that nothing refers to any more.
func (c *content) release() {
	if c.users > 0 {
		return
	}
	c.forget()
	if c.node == nil && c.memory != nil {
		_ = c.memory.Close(context.Background())
		_ = c.s.room.Remove(context.Background(), c.name)
		c.memory = nil
	}
}
