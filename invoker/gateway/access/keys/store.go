// Package keys makes keys of clients, keeps them on JetStream, and knows which are valid now.
//
// In goes what a key shall open; out comes its text, once: the bucket has only a digest of it. A Table follows the
// bucket, so that a key opens doors as soon as it is made and no longer when it is revoked.
package keys

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/protocol"
)

// Bucket is the KV bucket of keys: key.ID has what a key is, used.ID when it was used last.
const Bucket = "fn_keys"

const (
	keyPrefix  = "key."
	usedPrefix = "used."
	listing    = 10 * time.Second // for what reads all keys, if ctx sets no deadline
)

// Store keeps keys on JetStream. Its methods may be called from several goroutines. Their errors are *protocol.Error:
// 400 for a description that is wrong, 404 for a key that is not there, 503 if JetStream does not answer.
type Store struct {
	js jetstream.JetStream
}

// NewStore returns the store on js. It makes nothing: the first Create makes the bucket.
func NewStore(js jetstream.JetStream) *Store { return &Store{js} }

// Create makes a key that opens what k says, and returns its description and its text, which nobody can
// learn again. It sets k's ID, and Created if it is zero.
func (s *Store) Create(ctx context.Context, k Key) (Key, string, error) {
	const op = "make a key"
	ctx, cancel := objects.Bound(ctx, listing)
	defer cancel()
	if k.Created.IsZero() {
		k.Created = time.Now()
	}
	k.Created = k.Created.UTC().Truncate(time.Second)
	if err := k.Check(); err != nil {
		return k, "", protocol.Errorf(protocol.CodeBadRequest, op, "%w", err)
	}
	id, text := newKey()
	k.ID = id
	b, err := encode(k, digestOf(text))
	if err != nil {
		return k, "", protocol.Errorf(protocol.CodeBadRequest, op, "%w", err)
	}
	kv, err := s.make(ctx)
	if err == nil {
		_, err = kv.Create(ctx, keyPrefix+id, b)
	}
	if err != nil {
		return k, "", objects.Error(op, err)
	}
	return k, text, nil
}

// make opens the bucket, and makes it if it is missing, with as many copies as the functions have.
func (s *Store) make(ctx context.Context) (jetstream.KeyValue, error) {
	kv, err := s.js.KeyValue(ctx, Bucket)
	if !objects.Gone(err) {
		return kv, err
	}
	copies := 1
	if functions, err := s.js.Stream(ctx, "KV_fn_functions"); err == nil {
		copies = functions.CachedInfo().Config.Replicas
	}
	kv, err = s.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: Bucket, History: 1, Replicas: copies,
		Description: "polyvoke: keys of the gateway's clients, hashed"})
	if errors.Is(err, jetstream.ErrBucketExists) {
		return s.js.KeyValue(ctx, Bucket)
	}
	return kv, err
}

// Listed is a key in a list.
type Listed struct {
	Key
	Used    time.Time `json:"used,omitzero"`     // an hour in which it was used last, about; zero: never
	Problem string    `json:"problem,omitempty"` // why its record cannot be read; then it opens nothing
}

// List returns all keys, the newest first. Those whose records cannot be read are last.
func (s *Store) List(ctx context.Context) ([]Listed, error) {
	const op = "list keys"
	ctx, cancel := objects.Bound(ctx, listing)
	defer cancel()
	all, err := readAll(ctx, s.js)
	if err != nil && !objects.Gone(err) {
		return nil, objects.Error(op, err)
	}
	var list []Listed
	used := map[string]time.Time{}
	for key, e := range all {
		if id, ok := strings.CutPrefix(key, keyPrefix); ok && !e.deleted {
			list = append(list, listed(id, e.value))
		}
		if id, ok := strings.CutPrefix(key, usedPrefix); ok && !e.deleted {
			used[id] = parseUse(e.value)
		}
	}
	for i := range list {
		list[i].Used = used[list[i].ID]
	}
	slices.SortFunc(list, func(a, b Listed) int {
		return cmp.Or(cmp.Compare(a.Problem, b.Problem), b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID))
	})
	return list, nil
}

// listed returns what a list says of a record.
func listed(id string, b []byte) Listed {
	k, _, err := decode(id, b)
	if err != nil {
		return Listed{Key: Key{ID: protocol.CleanValue(id, 40)}, Problem: protocol.CleanValue(err.Error(), MaxNote)}
	}
	return Listed{Key: k}
}

// Find returns what is known of a key. A record that cannot be read is one with a Problem.
func (s *Store) Find(ctx context.Context, id string) (Listed, error) {
	op := "show key " + protocol.CleanValue(id, 40)
	ctx, cancel := objects.Bound(ctx, listing)
	defer cancel()
	e, err := s.get(ctx, id)
	if err != nil {
		return Listed{}, objects.Error(op, err)
	}
	l := listed(id, e.value)
	if u, err := last(ctx, s.js, usedPrefix+id); err == nil && !u.deleted {
		l.Used = parseUse(u.value)
	}
	return l, nil
}

// get returns the entry of a key, as the store's leader knows it.
func (s *Store) get(ctx context.Context, id string) (stored, error) {
	missing := protocol.Errorf(protocol.CodeNotFound, "", "there is no key %q, or it is revoked: polyvoke key ls lists them",
		protocol.CleanValue(id, 40))
	if len(id) != idSize || !plain(id) {
		return stored{}, missing
	}
	e, err := last(ctx, s.js, keyPrefix+id)
	if objects.Gone(err) || errors.Is(err, jetstream.ErrMsgNotFound) || err == nil && e.deleted {
		return stored{}, missing
	}
	return e, err
}

// Revoke removes a key for good, also one whose record cannot be read, and returns what it was.
func (s *Store) Revoke(ctx context.Context, id string) (Listed, error) {
	op := "revoke key " + protocol.CleanValue(id, 40)
	ctx, cancel := objects.Bound(ctx, listing)
	defer cancel()
	e, err := s.get(ctx, id)
	if err != nil {
		return Listed{}, objects.Error(op, err)
	}
	kv, err := s.js.KeyValue(ctx, Bucket)
	if err == nil {
		err = kv.Delete(ctx, keyPrefix+id)
	}
	if err != nil {
		return Listed{}, objects.Error(op, err)
	}
	if err := kv.Purge(ctx, usedPrefix+id); err != nil {
		return Listed{}, objects.Error(op, fmt.Errorf("the key is revoked, but when it was used is kept: %w", err))
	}
	return listed(id, e.value), nil
}

// parseUse reads when a key was used; zero for what cannot be read.
func parseUse(b []byte) time.Time {
	t, err := time.Parse(time.RFC3339, string(b[:min(len(b), 64)]))
	if err != nil {
		return time.Time{}
	}
	return t
}
