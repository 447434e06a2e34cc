// Package objects grants buckets of the JetStream Object Store, as /obj/BUCKET/NAME. In goes the name of a bucket; out
// come its objects as files, and at the end of a run that has succeeded, what it has written.
//
// A name is that of the object, with the slashes that it has: "a/b" is a file b in a folder a. What is read comes by
// chunks from NATS, small objects as a whole. What is written is kept in memory until the run has succeeded. Then all
// chunks are put, which nobody sees, and after them one description an object, by compare-and-set for what the run has
// read. The form on the wire is that of all clients of the Object Store.
package objects

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/protocol"
)

// Kind opens grants of obj. It keeps once what all versions share of a bucket: the list of its objects, and small
// objects that were read. Its methods may be called from several goroutines.
type Kind struct {
	js       jetstream.JetStream
	replicas int
	small    cache
	mu       sync.Mutex
	buckets  map[string]*bucket
}

var _ backend.Kind = (*Kind)(nil)

// New returns a Kind for the buckets of a JetStream. replicas is how many copies the buckets that it makes have; 0
// means 1.
func New(js jetstream.JetStream, replicas int) *Kind {
	return &Kind{js: js, replicas: replicas, buckets: map[string]*bucket{}}
}

// bucket is what all versions share of a bucket.
type bucket struct {
	name  string
	users int
	store *objects.Bucket
	list  index
}

// Open opens the buckets. A bucket that is missing is made if one of its grants has Create.
func (k *Kind) Open(ctx context.Context, f *protocol.Function, grants []protocol.Grant) ([]backend.Resource, error) {
	by := map[string][]protocol.Grant{}
	var names []string
	for _, g := range grants {
		if by[g.Obj] == nil {
			names = append(names, g.Obj)
		}
		by[g.Obj] = append(by[g.Obj], g)
	}
	var all []backend.Resource
	for _, name := range names {
		b, err := k.open(ctx, name, by[name])
		if err != nil {
			for _, r := range all {
				r.Close()
			}
			return nil, missing("load "+f.Ref().String(), name, err)
		}
		r := &resource{kind: k, bucket: b, grants: by[name]}
		for _, g := range r.grants {
			r.quota = r.quota.With(g)
		}
		all = append(all, r)
	}
	return all, nil
}

// plainName is what NATS takes as the name of a bucket.
var plainName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,200}$`)

// errInternal is why a bucket is not granted.
var errInternal = errors.New("it is polyvoke's own, or no name of a bucket")

// open returns the shared state of a bucket. The caller gives it back with close.
func (k *Kind) open(ctx context.Context, name string, grants []protocol.Grant) (*bucket, error) {
	if !plainName.MatchString(name) || strings.HasPrefix(name, "fn_") || strings.HasPrefix(name, "FN_") ||
		strings.HasPrefix(name, "_") {
		return nil, errInternal
	}
	store, err := objects.Open(ctx, k.js, name)
	create := slices.ContainsFunc(grants, func(g protocol.Grant) bool { return g.Create })
	if errors.Is(err, objects.ErrNoBucket) && create {
		store, err = objects.Create(ctx, k.js, jetstream.ObjectStoreConfig{Bucket: name, Replicas: k.replicas})
	}
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	b := k.buckets[name]
	if b == nil {
		b = &bucket{name: name, store: store, list: newIndex(store)}
		k.buckets[name] = b
	}
	b.users++
	return b, nil
}

// close gives back a bucket. When its last user does, it is forgotten.
func (k *Kind) close(b *bucket) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if b.users--; b.users == 0 {
		delete(k.buckets, b.name)
	}
}

// missing returns the error of a bucket that cannot be granted.
func missing(op, name string, err error) error {
	switch {
	case errors.Is(err, errInternal):
		return protocol.Errorf(protocol.CodeRefused, op, "bucket %q cannot be granted: %w", name, err)
	case errors.Is(err, objects.ErrNoBucket):
		return protocol.Errorf(protocol.CodeRefused, op, "there is no object store bucket %s: make it by "+
			"`nats object add %s`, or say create = true in its grant: %w", name, name, err)
	}
	return unavailable(op, name, err)
}

// unavailable returns the error of a bucket that does not do what it should, for now.
func unavailable(op, name string, err error) error {
	if objects.Gone(err) {
		return protocol.Errorf(protocol.CodeUnavailable, op, "the object store bucket %s does not exist any more: "+
			"make it by `nats object add %s`: %w", name, name, err)
	}
	return protocol.Errorf(protocol.CodeUnavailable, op, "object store bucket %s: %w", name, objects.Error("", err))
}

// resource is a bucket as the grants of one version let it be used.
type resource struct {
	kind   *Kind
	bucket *bucket
	grants []protocol.Grant
	quota  backend.Quota
	after  sync.WaitGroup // what goes on after the end of a run
}

// Mount implements backend.Resource.
func (r *resource) Mount() string { return "/" + protocol.GrantObj + "/" + r.bucket.name }

// Begin implements backend.Resource.
func (r *resource) Begin(t *backend.Transaction) backend.Session { return &session{r: r, t: t} }

// Close implements backend.Resource.
func (r *resource) Close() {
	r.after.Wait()
	r.kind.close(r.bucket)
}

// canWrite reports whether anything can be written.
func (r *resource) canWrite() bool { return slices.ContainsFunc(r.grants, protocol.Grant.CanWrite) }

// may reports whether an object of some name exists for the function, and whether it can be written.
func (r *resource) may(name string) (read, write bool) {
	for _, g := range r.grants {
		if g.Covers(name) {
			read, write = true, write || g.CanWrite()
		}
	}
	return read, write
}

// maxKeys, maxBytes and maxOps are quotas.
func (r *resource) maxKeys() int64  { return int64(r.quota.Keys) }
func (r *resource) maxBytes() int64 { return r.quota.Bytes }
func (r *resource) maxOps() int64   { return int64(r.quota.Ops) }

// path returns where a process sees an object.
func (r *resource) path(name string) string { return fmt.Sprintf("%s/%s", r.Mount(), name) }
