package objects

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

const digestPrefix = "SHA-256="

// Get returns an object's bytes, checked against its digest. The error is ErrNotFound, ErrDamaged, or
// ErrTooLarge if there are more than max bytes, which then are not read.
func (b *Bucket) Get(ctx context.Context, name string, max int64) ([]byte, error) {
	// A replica that is behind may miss what exists, so only the leader's word is final; and even an
	// object that the leader has can be replaced between its first chunk and its last.
	body, o, err := b.get(ctx, name, max, direct{b.stream})
	for range 3 {
		if err == nil || !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrDamaged) {
			return body, err
		}
		seen := o.Seq
		body, o, err = b.get(ctx, name, max, leader{b.js, "OBJ_" + b.name})
		if o.Seq == seen {
			break
		}
	}
	return body, err
}

// Load returns the bytes of an object that Stat has told about. The errors are those of Get.
func (b *Bucket) Load(ctx context.Context, o Object, max int64) ([]byte, error) {
	body, err := b.load(ctx, o, max, direct{b.stream})
	if errors.Is(err, ErrDamaged) {
		return b.load(ctx, o, max, leader{b.js, "OBJ_" + b.name})
	}
	return body, err
}

// get reads an object from one source.
func (b *Bucket) get(ctx context.Context, name string, max int64, from source) ([]byte, Object, error) {
	o, err := b.stat(ctx, name, from)
	if err != nil {
		return nil, o, err
	}
	body, err := b.load(ctx, o, max, from)
	return body, o, err
}

// load reads an object's chunks from one source.
func (b *Bucket) load(ctx context.Context, o Object, max int64, from source) ([]byte, error) {
	switch {
	case !o.Live():
		return nil, ErrNotFound
	case o.Info.Size > uint64(max):
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, o.Info.Size)
	case o.Info.NUID == "":
		return nil, fmt.Errorf("%w: it has no readable description", ErrDamaged)
	}
	body := make([]byte, 0, o.Info.Size)
	subject := b.chunkSubject(o.Info.NUID)
	for seq := uint64(1); uint64(len(body)) < o.Info.Size; {
		m, err := from.next(ctx, subject, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil, fmt.Errorf("%w: %d of its %d bytes are missing", ErrDamaged, o.Info.Size-uint64(len(body)), o.Info.Size)
		}
		if err != nil {
			return nil, err
		}
		if uint64(len(body)+len(m.Data)) > o.Info.Size {
			return nil, fmt.Errorf("%w: it has more than its %d bytes", ErrDamaged, o.Info.Size)
		}
		body, seq = append(body, m.Data...), m.Sequence+1
	}
	sum := sha256.Sum256(body)
	if o.Info.Digest != digestPrefix+base64.URLEncoding.EncodeToString(sum[:]) {
		return nil, fmt.Errorf("%w: its bytes do not have its digest", ErrDamaged)
	}
	return body, nil
}
