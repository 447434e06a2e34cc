// Package bodies carries what is too large for a message: claim checks.
//
// In goes a body; out comes a claim, a few headers that travel in the body's place. A claim takes the body out again.
// Bodies are objects in the bucket protocol.BucketBodies of the JetStream Object Store, and expire.
package bodies

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/protocol"
)

// DefaultTTL is how long a body is kept if Config does not say.
const DefaultTTL = time.Hour

// limit is how long a Put, Get or Delete may take if ctx has no deadline.
const limit = 10 * time.Minute

// Config configures the bucket when it is created. The zero value is for a single server.
type Config struct {
	Bucket   string        // its name; empty: protocol.BucketBodies
	TTL      time.Duration // how long a body is kept; 0: DefaultTTL
	Replicas int           // 0: 1
	Expire   bool          // bodies may have a TTL of their own, see Store.PutFor
	MaxBytes int64         // of all bodies together, beyond which none is taken until some expire; 0: no limit
}

// Store holds bodies. Its methods may be called from several goroutines; their errors are
// *protocol.Error, with code 503 if the store does not answer or is full.
type Store struct {
	js     jetstream.JetStream
	name   string                       // of the bucket
	create *jetstream.ObjectStoreConfig // how to make the bucket if it is missing; nil: not at all
	expire bool                         // see Config.Expire
	bucket atomic.Pointer[objects.Bucket]
}

// New returns the store on js, which makes its bucket when that is needed and missing, at any time. A bucket that
// exists keeps its settings. The connection stays the caller's.
func New(js jetstream.JetStream, cfg Config) *Store {
	if cfg.TTL == 0 {
		cfg.TTL = DefaultTTL
	}
	if cfg.Bucket == "" {
		cfg.Bucket = protocol.BucketBodies
	}
	return &Store{js: js, name: cfg.Bucket, expire: cfg.Expire, create: &jetstream.ObjectStoreConfig{
		Bucket: cfg.Bucket, Description: "polyvoke: bodies too large for a message",
		TTL: cfg.TTL, Replicas: cfg.Replicas, MaxBytes: cfg.MaxBytes,
	}}
}

// Open is New for callers that want to know at once whether the store can be used.
func Open(ctx context.Context, js jetstream.JetStream, cfg Config) (*Store, error) {
	s := New(js, cfg)
	if err := s.Make(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Stream is the name of the stream that the bucket is made of.
const Stream = "OBJ_" + protocol.BucketBodies

// Make makes the bucket if it is missing.
func (s *Store) Make(ctx context.Context) error {
	b, err := objects.Create(ctx, s.js, *s.create)
	if err == nil && s.expire {
		err = b.Expire(ctx)
	}
	if err != nil {
		return objects.Error("open store of bodies", err)
	}
	s.bucket.Store(b)
	return nil
}

// Existing opens the store as a client does, which creates nothing. If invokers have not created the bucket, the error
// has code 503.
func Existing(ctx context.Context, js jetstream.JetStream) (*Store, error) {
	return ExistingIn(ctx, js, protocol.BucketBodies)
}

// ExistingIn is Existing for another bucket.
func ExistingIn(ctx context.Context, js jetstream.JetStream, bucket string) (*Store, error) {
	b, err := objects.Open(ctx, js, bucket)
	if err != nil {
		return nil, objects.Error("open store of bodies", err)
	}
	s := &Store{js: js, name: bucket}
	s.bucket.Store(b)
	return s, nil
}

// TTL returns how long the store keeps a body. Zero means for ever.
func (s *Store) TTL() time.Duration {
	if b := s.bucket.Load(); b != nil {
		return b.TTL()
	}
	return s.create.TTL
}

// do uses the bucket, made before if it is not there yet. If it turns out to be gone, it is made and used once more.
func (s *Store) do(ctx context.Context, use func(*objects.Bucket) error) error {
	b := s.bucket.Load()
	if b == nil {
		if err := s.Make(ctx); err != nil {
			return err
		}
		return use(s.bucket.Load())
	}
	err := use(b)
	if s.create == nil || !objects.Gone(err) {
		return err
	}
	if err := s.Make(ctx); err != nil {
		return err
	}
	return use(s.bucket.Load())
}

// Put stores what r has to say, size bytes, or -1 if that is not known, and returns the claim. The error is 413 for
// more than protocol.MaxBody bytes and 400 if r fails or says more or less than size. Of a Put that
// fails nothing stays.
func (s *Store) Put(ctx context.Context, r io.Reader, size int64) (*protocol.Claim, error) {
	return s.PutFor(ctx, 0, r, size)
}

// PutFor is Put for a body that is kept for that time at most, if the store has Config.Expire; 0: as long as any.
func (s *Store) PutFor(ctx context.Context, ttl time.Duration, r io.Reader, size int64) (*protocol.Claim, error) {
	const op = "store body"
	ctx, cancel := objects.Bound(ctx, limit)
	defer cancel()
	id, err := uuid.NewV7()
	if err != nil {
		return nil, objects.Error(op, err)
	}
	in := &input{r: r, size: size}
	o := objects.Object{TTL: ttl}
	o.Info.Name = id.String()
	put := func(b *objects.Bucket) (err error) {
		if err = in.rewind(); err == nil {
			o, err = b.Put(ctx, o, in)
		}
		return err
	}
	if err = s.do(ctx, put); in.err != nil {
		return nil, in.err
	} else if err != nil {
		return nil, objects.Error(op, err)
	}
	return &protocol.Claim{Object: o.Info.Name, Size: int64(o.Info.Size), Digest: o.Digest()}, nil
}

// PutBytes stores a body and returns the claim.
func (s *Store) PutBytes(ctx context.Context, body []byte) (*protocol.Claim, error) {
	return s.Put(ctx, bytes.NewReader(body), int64(len(body)))
}

// Get returns the body that a claim stands for, checked against it. The error is 413 if it has more than
// max bytes, whatever the claim says, and they are not read then; 404 if it is gone; 400 if
// it is not what the claim says.
func (s *Store) Get(ctx context.Context, c *protocol.Claim, max int64) ([]byte, error) {
	ctx, cancel := objects.Bound(ctx, limit)
	defer cancel()
	if c.Size > max {
		return nil, tooLarge(c, max)
	}
	var body []byte
	err := s.do(ctx, func(b *objects.Bucket) (err error) {
		body, err = b.Get(ctx, c.Object, max)
		return err
	})
	switch {
	case errors.Is(err, objects.ErrTooLarge):
		return nil, tooLarge(c, max)
	case errors.Is(err, objects.ErrNotFound), errors.Is(err, objects.ErrDamaged):
		return nil, protocol.Errorf(protocol.CodeNotFound, "",
			"object %.80s is no longer in bucket %s (%w): bodies expire %v after they are stored",
			c.Object, s.name, err, s.TTL())
	case err != nil:
		return nil, objects.Error("read body", err)
	}
	return body, c.Check(body)
}

func tooLarge(c *protocol.Claim, max int64) error {
	return protocol.Errorf(protocol.CodeTooLarge, "", "object %.80s is longer than the limit of %d bytes", c.Object, max)
}

// Delete deletes a body before it expires. It is no error if it is gone already.
func (s *Store) Delete(ctx context.Context, c *protocol.Claim) error {
	ctx, cancel := objects.Bound(ctx, limit)
	defer cancel()
	err := s.do(ctx, func(b *objects.Bucket) error {
		o, err := b.Stat(ctx, c.Object)
		if err == nil && o.Live() {
			err = b.Delete(ctx, o)
		}
		return err
	})
	if errors.Is(err, objects.ErrChanged) || objects.Gone(err) {
		return nil // only another Delete changes it, and without the bucket it is gone
	}
	return objects.Error("delete body", err)
}

// input reads a body and keeps it to its size.
type input struct {
	r    io.Reader
	size int64 // -1 if not known
	n    int64 // bytes read
	err  error // why the body is refused
}

// rewind begins from the beginning, if reading has begun. Not every body can do that.
func (in *input) rewind() error {
	if in.n == 0 {
		return nil
	}
	s, ok := in.r.(io.Seeker)
	if !ok {
		return objects.ErrNoBucket // that is why it was to be read again
	}
	in.n = 0
	_, err := s.Seek(0, io.SeekStart)
	return err
}

// Read implements io.Reader.
func (in *input) Read(p []byte) (int, error) {
	if in.err != nil {
		return 0, in.err
	}
	n, err := in.r.Read(p)
	in.n += int64(n)
	switch {
	case in.n > int64(protocol.MaxBody):
		in.err = protocol.Errorf(protocol.CodeTooLarge, "store body", "the body is longer than %s", protocol.MaxBody)
	case in.size >= 0 && (in.n > in.size || err == io.EOF && in.n < in.size):
		in.err = protocol.Errorf(protocol.CodeBadRequest, "store body",
			"the body was announced with %d bytes, but has %d or more", in.size, in.n)
	case err != nil && err != io.EOF:
		in.err = protocol.Errorf(protocol.CodeBadRequest, "store body",
			"the body cannot be read after %d bytes: %w", in.n, err)
	}
	if in.err != nil {
		return 0, in.err // with n bytes, a reader that wants no more than n would drop the error
	}
	return n, err
}
