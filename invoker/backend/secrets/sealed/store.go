// Package sealed keeps secrets on JetStream, sealed so that only invokers can read them.
//
// A [Store] is the side of whoever has a secret: it seals a value to a public key of the invokers, and can read
// nothing. A [Source] is the side of an invoker: it has the [Keys], opens what functions are granted, and seals it anew
// when a key is exchanged. Section 20 of the protocol has the form.
package sealed

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/protocol"
)

// The stream that the bucket is made of, and what its subjects begin with.
const (
	stream   = "KV_" + protocol.BucketSecrets
	subjects = "$KV." + protocol.BucketSecrets + "."
)

// patience bounds what reads or writes one secret, and listing what reads all, if ctx sets no deadline.
const (
	patience = 10 * time.Second
	listing  = time.Minute
)

// maxReason bounds the reasons that lists give, in bytes.
const maxReason = 256

// Store seals secrets. Its methods may be called from several goroutines. Their errors are *protocol.Error: 400 for
// what can be no secret, 404 for one that is not there, 503 if JetStream does not answer.
type Store struct {
	js jetstream.JetStream
}

// NewStore returns the store on js. It makes nothing: invokers make the bucket, or the first Set.
func NewStore(js jetstream.JetStream) *Store { return &Store{js} }

// Listed is a secret in a list: all that is known of one without a key.
type Listed struct {
	Function string    `json:"function,omitempty"` // empty: all
	Name     string    `json:"name"`
	Key      string    `json:"key,omitempty"` // that it is sealed to
	Created  time.Time `json:"created,omitzero"`
	Revision uint64    `json:"revision"`          // of the bucket
	Problem  string    `json:"problem,omitempty"` // why no invoker can open it
}

// Set seals a value to a public key, and puts it into the bucket as the secret of a function, or of
// protocol.AllFunctions.
func (s *Store) Set(ctx context.Context, function, name, to string, value []byte) (Listed, error) {
	const op = "set a secret"
	ctx, cancel := objects.Bound(ctx, patience)
	defer cancel()
	key, err := protocol.SecretKey(function, name)
	if err != nil {
		return Listed{}, err
	}
	b, err := seal(key, to, value, time.Now())
	if err != nil {
		return Listed{}, err
	}
	kv, err := makeBucket(ctx, s.js, 0)
	if err != nil {
		return Listed{}, objects.Error(op, err)
	}
	revision, err := kv.Put(ctx, key, b)
	return listed(key, b, revision), objects.Error(op, err)
}

// Remove removes a secret, also one that nobody can open.
func (s *Store) Remove(ctx context.Context, function, name string) error {
	const op = "remove a secret"
	ctx, cancel := objects.Bound(ctx, patience)
	defer cancel()
	key, err := protocol.SecretKey(function, name)
	if err != nil {
		return err
	}
	_, _, err = last(ctx, s.js, key)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return protocol.Errorf(protocol.CodeNotFound, "", "there is no secret %s: polyvoke secret ls lists them", key)
	}
	if err != nil {
		return objects.Error(op, err)
	}
	kv, err := s.js.KeyValue(ctx, protocol.BucketSecrets)
	if err == nil {
		err = kv.Purge(ctx, key)
	}
	return objects.Error(op, err)
}

// List returns all secrets, by function and name.
func (s *Store) List(ctx context.Context) ([]Listed, error) {
	ctx, cancel := objects.Bound(ctx, listing)
	defer cancel()
	all, err := readAll(ctx, s.js)
	if err != nil {
		return nil, objects.Error("list secrets", err)
	}
	list := make([]Listed, 0, len(all))
	for _, key := range slices.Sorted(maps.Keys(all)) {
		list = append(list, listed(key, all[key].value, all[key].revision))
	}
	slices.SortStableFunc(list, func(a, b Listed) int {
		return cmp.Or(cmp.Compare(a.Function, b.Function), cmp.Compare(a.Name, b.Name))
	})
	return list, nil
}

// listed returns what a list says of a record.
func listed(key string, b []byte, revision uint64) Listed {
	l := Listed{Revision: revision}
	var err error
	if l.Function, l.Name, err = protocol.ParseSecretKey(key); err != nil {
		l.Name, l.Problem = protocol.CleanValue(key, maxReason), "its key in the bucket is none of a secret"
		return l
	}
	if l.Function == protocol.AllFunctions {
		l.Function = ""
	}
	r, err := protocol.ParseSealedSecret(b)
	if err != nil {
		l.Problem = protocol.CleanValue(err.Error(), maxReason)
		return l
	}
	l.Key, l.Created = r.Key, r.Created
	return l
}

// makeBucket opens the bucket, and makes it if it is missing. With 0 copies it has as many as the functions.
func makeBucket(ctx context.Context, js jetstream.JetStream, copies int) (jetstream.KeyValue, error) {
	kv, err := js.KeyValue(ctx, protocol.BucketSecrets)
	if !objects.Gone(err) {
		return kv, err
	}
	if copies == 0 {
		copies = 1
		if functions, err := js.Stream(ctx, "KV_fn_functions"); err == nil {
			copies = functions.CachedInfo().Config.Replicas
		}
	}
	kv, err = js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: protocol.BucketSecrets, History: 1,
		Replicas: copies, MaxValueSize: protocol.MaxSealed, Description: "polyvoke: sealed secrets of functions"})
	if errors.Is(err, jetstream.ErrBucketExists) {
		return js.KeyValue(ctx, protocol.BucketSecrets)
	}
	return kv, err
}

// last returns what the bucket has under a key, as its leader knows it. The error is jetstream.ErrMsgNotFound if there
// is nothing.
func last(ctx context.Context, js jetstream.JetStream, key string) (value []byte, revision uint64, err error) {
	m, err := objects.Last(ctx, js, stream, subjects+key)
	switch {
	case objects.Gone(err), err == nil && m.Header.Get("KV-Operation") != "":
		return nil, 0, jetstream.ErrMsgNotFound
	case err != nil:
		return nil, 0, err
	}
	return m.Data, m.Sequence, nil
}

// stored is what the bucket has under one key.
type stored struct {
	value    []byte
	revision uint64
}

// readAll returns all that the bucket has.
func readAll(ctx context.Context, js jetstream.JetStream) (map[string]stored, error) {
	s, err := js.Stream(ctx, stream)
	if objects.Gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	counts, err := objects.Subjects(ctx, s, subjects+">")
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	all := make(map[string]stored, len(counts))
	err = objects.Each(ctx, maps.Keys(counts), func(ctx context.Context, subject string) error {
		key := strings.TrimPrefix(subject, subjects)
		value, revision, err := last(ctx, js, key)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			all[key] = stored{value, revision}
		}
		return err
	})
	return all, err
}
