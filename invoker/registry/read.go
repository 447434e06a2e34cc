package registry

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
)

// record is the state of a function in the bucket.
type record struct {
	raw     []byte    // as it is stored; nil if there is none
	entry   Entry     // empty if there is none or it cannot be read
	err     error     // why it cannot be read
	seq     uint64    // what a compare-and-set compares; 0 if there never was one
	created time.Time // by the server's clock
	deleted bool      // there was one, and it was removed
}

// there reports whether there is a record, sound or not.
func (rec record) there() bool { return rec.raw != nil || rec.err != nil }

// rotten reports whether nobody can read the record any more, whatever he knows.
func (rec record) rotten() bool { return errors.Is(rec.err, errRotten) }

// foreign reports whether the record is a newer invoker's, which this one must neither serve nor change.
func (rec record) foreign() bool {
	unknown, _ := UnknownNeeds(rec.err)
	return unknown != nil
}

// torn reports whether the server still has the bytes that it cannot read.
func (rec record) torn() bool { return rec.rotten() && rec.raw == nil }

// subject returns the subject of a record.
func (r *JetStream) subject(name string) string { return "$KV." + r.bucket + "." + name }

// nameOf returns the function whose record is on a subject.
func (r *JetStream) nameOf(subject string) string { return strings.TrimPrefix(subject, r.subject("")) }

// read asks the leader for a function's record.
func (r *JetStream) read(ctx context.Context, name string) (record, error) {
	m, err := objects.Last(ctx, r.js, "KV_"+r.bucket, r.subject(name))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return r.unread(ctx, name)
	}
	if err != nil {
		return record{}, err
	}
	rec := record{seq: m.Sequence, created: m.Time}
	if m.Header.Get("KV-Operation") != "" {
		rec.deleted = true
		return rec, nil
	}
	rec.raw = slices.Concat([]byte{}, m.Data)
	rec.entry, rec.err = decodeEntry(name, m.Data, r.cfg.knows)
	return rec, nil
}

// unread returns the record that the leader has not found: there is none, or it is rotten.
func (r *JetStream) unread(ctx context.Context, name string) (record, error) {
	subjects, err := objects.Subjects(ctx, r.records, r.subject(name))
	if err != nil || len(subjects) == 0 {
		return record{}, err
	}
	return record{err: errRotten}, nil
}

// readAll asks the leader for all records, also those that say that their functions were removed. One that cannot be
// read holds up no other, which a consumer, such as that of a KV watch, does not promise: it waits for what the
// server has counted and cannot deliver.
func (r *JetStream) readAll(ctx context.Context) (map[string]record, error) {
	subjects, err := objects.Subjects(ctx, r.records, r.subject(">"))
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	all := make(map[string]record, len(subjects))
	err = objects.Each(ctx, maps.Keys(subjects), func(ctx context.Context, subject string) error {
		rec, err := r.read(ctx, r.nameOf(subject))
		mu.Lock()
		defer mu.Unlock()
		all[r.nameOf(subject)] = rec
		return err
	})
	return all, err
}
