package objects

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	chunkSize = 128 << 10 // as all Object Store clients have it, if NATS takes messages as long
	headers   = 512       // bytes that a message may have besides a chunk
	window    = 16        // chunks that may be unconfirmed at a time
)

// Put stores what r has to say under o's name, with o's metadata, in place of o, and returns what the bucket
// says then. To create an object, o is the answer of Stat, or a name and nothing else. The error is
// ErrChanged if the bucket holds something else than o under the name by now. An error of r is returned
// as it is. If Put fails, the bucket says what it said before; only when the very last
// confirmation is lost can the object be there all the same, and then it is whole.
func (b *Bucket) Put(ctx context.Context, o Object, r io.Reader) (Object, error) {
	old := o.Info.NUID
	o, err := b.Upload(ctx, o, r)
	if err != nil {
		return o, err
	}
	put, err := b.Set(ctx, o)
	var refused *jetstream.APIError
	switch {
	case err == nil:
		b.purge(ctx, old)
	case errors.Is(err, ErrChanged), errors.As(err, &refused):
		b.purge(ctx, o.Info.NUID) // for any other error it may have been stored
	}
	return put, err
}

// Upload stores the chunks of what r has to say, and returns o as it describes them. Nobody sees them before Set. If
// it fails, it has deleted them. An error of r is returned as it is.
func (b *Bucket) Upload(ctx context.Context, o Object, r io.Reader) (Object, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return o, err
	}
	o.Info.Bucket, o.Info.NUID, o.Info.Deleted = b.name, id.String(), false
	o.Info.Opts = &jetstream.ObjectMetaOptions{ChunkSize: uint32(b.chunkSize())}
	if err := b.upload(ctx, &o.Info, o.TTL, r); err != nil {
		b.purge(ctx, o.Info.NUID)
		o.Info.NUID = ""
		return o, err
	}
	return o, nil
}

// chunkSize returns how long chunks are, in bytes.
func (b *Bucket) chunkSize() int {
	return min(chunkSize, max(int(b.js.Conn().MaxPayload())-headers, headers))
}

// sent is one place of the window: a chunk and the promise of its confirmation. The chunk must not
// change before, as nats.go may send it again.
type sent struct {
	ack   jetstream.PubAckFuture
	chunk []byte
}

// upload publishes r's chunks, waits until all are confirmed, and completes info. If it fails, it still
// waits for those under way, so that whoever purges them purges all.
func (b *Bucket) upload(ctx context.Context, info *jetstream.ObjectInfo, ttl time.Duration, r io.Reader) error {
	var places [window]sent
	err := b.publish(ctx, info, b.header(ttl), r, &places)
	if err != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), RoundTrip)
		defer cancel()
	}
	for i := range places {
		if late := places[i].wait(ctx); err == nil {
			err = late
		}
	}
	return err
}

// publish publishes r's chunks, each with the headers, and completes info.
func (b *Bucket) publish(
	ctx context.Context, info *jetstream.ObjectInfo, h nats.Header, r io.Reader, places *[window]sent,
) error {
	info.Size, info.Chunks = 0, 0
	sum := sha256.New()
	for end := false; !end; {
		p := &places[info.Chunks%window]
		if err := p.wait(ctx); err != nil {
			return err
		}
		if p.chunk == nil {
			p.chunk = make([]byte, info.Opts.ChunkSize)
		}
		n, err := io.ReadFull(r, p.chunk)
		if end = err == io.EOF || err == io.ErrUnexpectedEOF; err != nil && !end {
			return err
		}
		if n == 0 {
			break
		}
		sum.Write(p.chunk[:n])
		p.ack, err = b.js.PublishMsgAsync(&nats.Msg{Subject: b.chunkSubject(info.NUID), Header: h, Data: p.chunk[:n]})
		if err != nil {
			return err
		}
		info.Size, info.Chunks = info.Size+uint64(n), info.Chunks+1
	}
	info.Digest = digestPrefix + base64.URLEncoding.EncodeToString(sum.Sum(nil))
	return nil
}

// wait waits until the chunk is confirmed.
func (s *sent) wait(ctx context.Context) error {
	if s.ack == nil {
		return nil
	}
	limit := time.NewTimer(RoundTrip)
	defer limit.Stop()
	select {
	case <-s.ack.Ok():
		s.ack = nil
		return nil
	case err := <-s.ack.Err():
		s.ack = nil
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-limit.C:
		return nats.ErrTimeout
	}
}
