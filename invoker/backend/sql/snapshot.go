package sql

import (
	"context"
	"errors"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
)

// piece is how many bytes of a database are kept, shared and copied as one.
const piece = 16 << 10

// database is what all versions share of a database.
type database struct {
	kind  *Kind
	name  string
	store *objects.Bucket
	turn  chan struct{} // holds one value while a run loads it

	// The mutex of the kind guards these.
	users int
	last  *snapshot // nil: none is kept
	used  uint64    // when last was used
}

// snapshot is a database at one moment. It is never changed. Two of them share the pieces in which they are the same.
type snapshot struct {
	at     objects.Object
	size   int64
	pieces [][]byte // nil for one of zeros
}

// object returns the name of the object that the database is.
func (d *database) object() string { return d.name + ".db" }

// attempts is how often a database is loaded that others replace meanwhile.
const attempts = 10

// get returns the database as it is now, which may have to be loaded. One that does not exist is empty. The error is
// objects.ErrTooLarge if it has more than max bytes.
func (d *database) get(ctx context.Context, max int64) (s *snapshot, err error) {
	seen := uint64(0)
	for range attempts {
		at, err := d.store.Stat(ctx, d.object())
		switch {
		case err != nil:
			return nil, err
		case !at.Live():
			return &snapshot{at: at}, nil
		case at.Info.Size > uint64(max):
			return nil, objects.ErrTooLarge
		}
		if s = d.kept(at); s == nil {
			s, err = d.load(ctx, at, max)
		}
		if !errors.Is(err, objects.ErrDamaged) || at.Seq == seen {
			return s, err
		}
		seen = at.Seq
	}
	return nil, objects.ErrChanged
}

// load loads a database of one moment. One run at a time does that.
func (d *database) load(ctx context.Context, at objects.Object, max int64) (*snapshot, error) {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s := d.kept(at); s != nil {
		return s, nil
	}
	body, err := d.store.Load(ctx, at, max)
	if err != nil {
		return nil, err
	}
	s := &snapshot{at: at, size: int64(len(body))}
	for rest := body; len(rest) > 0; rest = rest[min(piece, len(rest)):] {
		n := min(piece, len(rest))
		s.pieces = append(s.pieces, rest[:n:n])
	}
	d.keep(s)
	return s, nil
}

// kept returns the snapshot of a moment, if it is kept.
func (d *database) kept(at objects.Object) *snapshot {
	d.kind.mu.Lock()
	defer d.kind.mu.Unlock()
	if d.last == nil || d.last.at.Seq != at.Seq || d.last.at.Info.NUID != at.Info.NUID {
		return nil
	}
	d.kind.clock++
	d.used = d.kind.clock
	return d.last
}

// keep keeps a snapshot, and forgets those that were not used for the longest time.
func (d *database) keep(s *snapshot) {
	k := d.kind
	k.mu.Lock()
	defer k.mu.Unlock()
	if d.users == 0 || s.size > maxCache {
		return
	}
	k.drop(d)
	k.clock++
	d.last, d.used = s, k.clock
	k.cached += s.size
	for k.cached > maxCache {
		oldest := d
		for _, other := range k.databases {
			if other.last != nil && other.used < oldest.used {
				oldest = other
			}
		}
		k.drop(oldest)
	}
}

// drop forgets the snapshot of a database. The caller holds the mutex.
func (k *Kind) drop(d *database) {
	if d.last != nil {
		k.cached -= d.last.size
		d.last = nil
	}
}
