package objects

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"sort"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"
)

// maxChunks is the most chunks that an object can be read by in any order. The place of each is kept.
const maxChunks = 1 << 17

// Chunks reads an object by its chunks, in any order. Forward it costs a request a chunk, and what it has come by once
// is found again by its place in the stream. One goroutine at a time uses it.
type Chunks struct {
	b      *Bucket
	o      Object
	places []place // of chunks from the beginning on, without a gap
	sum    hash.Hash
	summed int64 // how many bytes from the beginning on are in sum
	bad    error // the digest is another one
}

// place is where a chunk is: its bytes in the object, and its message in the stream.
type place struct {
	start, end int64
	seq        uint64
}

// Chunks returns a reader of an object that Stat has told about.
func (b *Bucket) Chunks(o Object) *Chunks { return &Chunks{b: b, o: o, sum: sha256.New()} }

// At returns the chunk that the byte at a position is in, and the position at which it begins. The bytes are the
// caller's. If all were read in their order, the last one comes only if they have the object's digest.
//
// # Errors
//
// ErrDamaged for an object that is not complete, or that somebody has replaced since.
func (c *Chunks) At(ctx context.Context, at int64) (chunk []byte, start int64, err error) {
	switch {
	case c.bad != nil:
		return nil, 0, c.bad
	case !c.o.Live(), c.o.Info.NUID == "":
		return nil, 0, fmt.Errorf("%w: it has no readable description", ErrDamaged)
	case at < 0 || uint64(at) >= c.o.Info.Size:
		return nil, 0, fmt.Errorf("%w: it ends before byte %d", ErrDamaged, at)
	}
	if at > c.known() {
		if err := c.locate(ctx); err != nil {
			return nil, 0, err
		}
	}
	p, found := c.find(at)
	if chunk, err = c.fetch(ctx, &p, found); err != nil {
		return nil, 0, err
	}
	if !found {
		c.places = append(c.places, p)
	}
	return chunk, p.start, c.check(p, chunk)
}

// known returns how many bytes from the beginning on are in chunks with known places.
func (c *Chunks) known() int64 {
	if len(c.places) == 0 {
		return 0
	}
	return c.places[len(c.places)-1].end
}

// find returns the place of the chunk with some byte, or what is known of it if it is the next one.
func (c *Chunks) find(at int64) (p place, found bool) {
	i := sort.Search(len(c.places), func(i int) bool { return c.places[i].end > at })
	if i < len(c.places) {
		return c.places[i], true
	}
	p = place{start: c.known(), seq: 1}
	if i > 0 {
		p.seq = c.places[i-1].seq + 1
	}
	return p, false
}

// fetch reads a chunk, and completes its place if it was not found.
func (c *Chunks) fetch(ctx context.Context, p *place, found bool) ([]byte, error) {
	m, err := c.next(ctx, p.seq)
	if err != nil {
		return nil, err
	}
	size := int64(len(m.Data))
	if found && (m.Sequence != p.seq || size != p.end-p.start) || size == 0 ||
		uint64(p.start+size) > c.o.Info.Size {
		return nil, fmt.Errorf("%w: its chunks do not have the sizes that they should have", ErrDamaged)
	}
	p.seq, p.end = m.Sequence, p.start+size
	return m.Data, nil
}

// next returns the first message of the object from a sequence on.
func (c *Chunks) next(ctx context.Context, seq uint64) (*jetstream.RawStreamMsg, error) {
	subject := c.b.chunkSubject(c.o.Info.NUID)
	m, err := direct{c.b.stream}.next(ctx, subject, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) { // by a replica that is behind, perhaps
		m, err = leader{c.b.js, "OBJ_" + c.b.name}.next(ctx, subject, seq)
	}
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, fmt.Errorf("%w: some of its %d bytes are missing", ErrDamaged, c.o.Info.Size)
	}
	return m, err
}

// check compares the digest when all was read in its order.
func (c *Chunks) check(p place, chunk []byte) error {
	if p.start != c.summed {
		return nil
	}
	c.sum.Write(chunk)
	c.summed = p.end
	if uint64(p.end) == c.o.Info.Size &&
		c.o.Info.Digest != digestPrefix+base64.URLEncoding.EncodeToString(c.sum.Sum(nil)) {
		c.bad = fmt.Errorf("%w: its bytes do not have its digest", ErrDamaged)
	}
	return c.bad
}

// locate finds the places of all chunks.
func (c *Chunks) locate(ctx context.Context) error {
	if c.o.Info.Chunks > maxChunks {
		return fmt.Errorf("%w: it has %d chunks, and by more than %d it can only be read forward", ErrTooLarge,
			c.o.Info.Chunks, maxChunks)
	}
	first, err := c.next(ctx, 1)
	if err != nil {
		return err
	}
	last, err := leader{c.b.js, "OBJ_" + c.b.name}.last(ctx, first.Subject)
	if err != nil {
		return err
	}
	count, size := uint64(c.o.Info.Chunks), uint64(len(first.Data))
	if last.Sequence-first.Sequence+1 != count || size == 0 || (count-1)*size+uint64(len(last.Data)) != c.o.Info.Size {
		return c.walk(ctx, first.Subject)
	}
	c.places = make([]place, count) // they stand in a row
	for i := range c.places {
		start := int64(i) * int64(size)
		c.places[i] = place{start, min(start+int64(size), int64(c.o.Info.Size)), first.Sequence + uint64(i)}
	}
	return nil
}

// walk finds the places of all chunks when others stand between them: it has the server send their headers.
func (c *Chunks) walk(ctx context.Context, subject string) error {
	cons, err := c.b.js.OrderedConsumer(ctx, "OBJ_"+c.b.name, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{subject}, HeadersOnly: true})
	if err != nil {
		return err
	}
	var all []place
	at := int64(0)
	for at < int64(c.o.Info.Size) && len(all) < maxChunks {
		batch, err := cons.FetchNoWait(1000)
		if err != nil {
			return err
		}
		before := at
		for m := range batch.Messages() {
			meta, err := m.Metadata()
			size, bad := strconv.ParseInt(m.Headers().Get("Nats-Msg-Size"), 10, 64)
			if err != nil || bad != nil || size <= 0 || size > int64(c.o.Info.Size)-at {
				return fmt.Errorf("%w: it has chunks of no size", ErrDamaged)
			}
			all = append(all, place{at, at + size, meta.Sequence.Stream})
			at += size
		}
		if err := errors.Join(batch.Error(), ctx.Err()); err != nil {
			return err
		}
		if at == before {
			return fmt.Errorf("%w: %d of its %d bytes are missing", ErrDamaged, int64(c.o.Info.Size)-at, c.o.Info.Size)
		}
	}
	c.places = all
	return nil
}
