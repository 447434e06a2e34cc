// Package kv shows KV buckets to functions as folders. In goes a grant of the manifest; out comes a tree for each run,
// whose files are the keys, and the commit of what the run has written.
//
// A key is a path: eu/tea is the file tea in the folder eu. A folder exists if a key is below it, or if the run has
// made it. So nobody has to make one, and one in which there is nothing is gone after the run. What polyvoke keeps in
// a bucket is below _fn/, which does not exist for processes.
//
// A run reads a key once, and notes its revision; what it writes stays in memory. At its end Commit writes what has
// changed: one key by one message, several as an atomic batch (ADR-50), or one by one if the grant does not ask for
// that. A key that the run has read, or knows not to exist, is written by its revision; one that it has only written is
// written whatever it is by then.
//
// Small buckets are read from memory, where a watcher keeps them. Of larger ones a watcher keeps the names.
package kv

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/protocol"
)

// Kind opens grants of KV buckets. Its methods may be called from several goroutines. Its fields are not changed after
// the first call.
type Kind struct {
	// JetStream is where the buckets are. It must be set.
	JetStream jetstream.JetStream
	// Log is told of buckets that are lost, found again, or too large to be kept in memory. Nil is slog.Default().
	Log *slog.Logger
	// Replicas is how many copies a bucket has that is made for a grant with create = true. 0 is one.
	Replicas int
	// Memory has such a bucket kept in memory by NATS.
	Memory bool

	mu      sync.Mutex
	buckets map[string]*bucket // that are granted to a version
	every   time.Duration      // tests: how often caches are compared with the server
	most    limits             // tests: what caches hold
}

var _ backend.Kind = (*Kind)(nil)

// log returns where the operator reads.
func (k *Kind) log() *slog.Logger { return cmp.Or(k.Log, slog.Default()) }

// Open implements backend.Kind. Buckets are made if the grant says so, and set up for what their grants need.
func (k *Kind) Open(ctx context.Context, f *protocol.Function, grants []protocol.Grant) ([]backend.Resource, error) {
	byMount := map[string]*mount{}
	var all []backend.Resource
	fail := func(err error) ([]backend.Resource, error) {
		for _, r := range all {
			r.Close()
		}
		return nil, err
	}
	for _, g := range grants {
		m := byMount[g.Mount()]
		if m == nil {
			if err := checkBucket(f, g.KV); err != nil {
				return fail(err)
			}
			b, err := k.use(ctx, f, g.KV, merge(g.KV, grants))
			if err != nil {
				return fail(err)
			}
			m = &mount{path: g.Mount(), bucket: b}
			byMount[g.Mount()] = m
			all = append(all, m)
		}
		m.add(g)
	}
	return all, nil
}

// checkBucket refuses names that are none, and those of buckets that are polyvoke's own.
func checkBucket(f *protocol.Function, name string) error {
	op := "load " + f.Ref().String()
	other := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}
	switch {
	case name == "" || len(name) > protocol.MaxBucket || strings.ContainsFunc(name, other):
		return protocol.Errorf(protocol.CodeRefused, op,
			"grant kv = %.80q: the name of a bucket has letters, digits, - and _ only, and at most %d of them",
			name, protocol.MaxBucket)
	case strings.HasPrefix(name, "fn_"), strings.HasPrefix(name, "FN_"), strings.HasPrefix(name, "_"):
		return protocol.Errorf(protocol.CodeRefused, op,
			"grant kv = %q: this bucket is not for functions: choose one of yours", name)
	}
	return nil
}

// needs is what the grants of a bucket want it to be.
type needs struct {
	create, write, atomic bool
}

// merge returns what all grants of a bucket need together.
func merge(name string, grants []protocol.Grant) (n needs) {
	for _, g := range grants {
		if g.KV == name {
			n.create = n.create || g.Create
			n.write = n.write || g.CanWrite()
			n.atomic = n.atomic || g.CanWrite() && (g.Atomic || g.Serializable)
		}
	}
	return n
}

// use returns the bucket with a name, which is shared by all versions that are granted it. The caller gives it back
// with leave.
func (k *Kind) use(ctx context.Context, f *protocol.Function, name string, n needs) (*bucket, error) {
	settings, err := k.prepare(ctx, f, name, n)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	b := k.buckets[name]
	if b == nil {
		b = newBucket(k, name)
		if k.buckets == nil {
			k.buckets = map[string]*bucket{}
		}
		k.buckets[name] = b
		b.settings.Store(settings)
		b.cache.start(b)
	}
	b.settings.Store(settings)
	b.users++
	return b, nil
}

// leave gives back a bucket. When its last user leaves, its cache ends.
func (k *Kind) leave(b *bucket) {
	k.mu.Lock()
	b.users--
	last := b.users == 0
	if last {
		delete(k.buckets, b.name)
	}
	k.mu.Unlock()
	if last {
		b.cache.stop()
	}
}

// prepare makes the bucket if it is to be made, sets it up for batches and marks if it is to be written, and returns
// what it is.
func (k *Kind) prepare(ctx context.Context, f *protocol.Function, name string, n needs) (*settings, error) {
	op := "load " + f.Ref().String()
	stream, err := k.JetStream.Stream(ctx, streamOf(name))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if !n.create {
			return nil, protocol.Errorf(protocol.CodeRefused, op,
				"grant kv = %q: there is no such bucket: make it (nats kv add %s), or write create = true into the grant",
				name, name)
		}
		if err = k.create(ctx, name); err == nil {
			stream, err = k.JetStream.Stream(ctx, streamOf(name))
		}
	}
	if err != nil {
		return nil, away(op, name, err)
	}
	config := stream.CachedInfo().Config
	if n.write && config.Mirror != nil {
		return nil, protocol.Errorf(protocol.CodeRefused, op,
			"grant kv = %q: the bucket is a mirror, which cannot be written: grant its origin, or take off access", name)
	}
	if err := k.setUp(ctx, op, name, &config, n); err != nil {
		return nil, err
	}
	return settingsOf(stream.CachedInfo(), config), nil
}

// create makes a bucket, if nobody else does at the same time.
func (k *Kind) create(ctx context.Context, name string) error {
	storage := jetstream.FileStorage
	if k.Memory {
		storage = jetstream.MemoryStorage
	}
	_, err := k.JetStream.CreateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: name, Storage: storage, Replicas: max(k.Replicas, 1),
	})
	if errors.Is(err, jetstream.ErrBucketExists) {
		return nil
	}
	return err
}

// errOld is why a server cannot write batches.
var errOld = errors.New("the NATS server is older than 2.12")

// setUp allows batches and messages that end by themselves, which marks are, in a bucket that is to be written.
func (k *Kind) setUp(ctx context.Context, op, name string, config *jetstream.StreamConfig, n needs) error {
	if !n.write || config.AllowAtomicPublish && config.AllowMsgTTL {
		return nil
	}
	had := *config
	config.AllowAtomicPublish, config.AllowMsgTTL = true, true
	stream, err := k.JetStream.UpdateStream(ctx, *config)
	if err == nil {
		if c := stream.CachedInfo().Config; c.AllowAtomicPublish && c.AllowMsgTTL {
			return nil
		}
		err = errOld // it does not know them, and would store what belongs to a batch piece by piece
	}
	*config = had
	var api *jetstream.APIError
	if err != errOld && !errors.As(err, &api) {
		return away(op, name, err)
	}
	if n.atomic {
		return protocol.Errorf(protocol.CodeRefused, op, "grant kv = %q: the bucket cannot be set to allow atomic batches, "+
			"which atomic and serializable need (nats stream edit %s --allow-batch): %w", name, streamOf(name), err)
	}
	k.log().Warn("a bucket cannot be set up for durable jobs: those that write to it fail", "bucket", name, "err", err)
	return nil
}

// away returns the error for a bucket that NATS does not answer for.
func away(op, bucket string, err error) error {
	var known *protocol.Error
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return protocol.Errorf(protocol.CodeUnavailable, op, "the bucket %s is gone: make it again: %w", bucket, err)
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrJetStreamNotEnabled):
		return protocol.Errorf(protocol.CodeUnavailable, op,
			"the bucket %s does not answer: it was deleted, or JetStream is away: %w", bucket, err)
	}
	return protocol.Errorf(protocol.CodeUnavailable, op, "the bucket %s does not answer: %w", bucket, err)
}

// mount is a bucket as the versions of one function see it. It is a backend.Resource.
type mount struct {
	path   string
	bucket *bucket
	rules  []rule
	writes bool // any rule lets keys be written
	atomic bool
	serial bool // any rule is serializable
	backend.Quota
}

var (
	_ backend.Resource = (*mount)(nil)
	_ backend.Marker   = (*mount)(nil)
)

// rule is what one grant says of keys.
type rule struct {
	keys                            pattern
	write, consistent, serializable bool
}

// add adds what a grant says.
func (m *mount) add(g protocol.Grant) {
	m.rules = append(m.rules, rule{pattern(g.Keys), g.CanWrite(), g.Consistent, g.Serializable})
	m.writes = m.writes || g.CanWrite()
	m.atomic = m.atomic || g.Atomic
	m.serial = m.serial || g.Serializable
	m.Quota = m.Quota.With(g)
}

// all reports whether every key is granted.
func (m *mount) all() bool {
	return slices.ContainsFunc(m.rules, func(r rule) bool { return r.keys == "" || r.keys == "*" })
}

// has reports whether one of the grants that cover a key says something. No grant covers keys of polyvoke's own.
func (m *mount) has(key string, says func(r rule) bool) bool {
	for _, r := range m.rules {
		if says(r) && r.keys.matches(key) {
			return !isInternal(key)
		}
	}
	return false
}

// sees reports whether a key is granted.
func (m *mount) sees(key string) bool { return m.has(key, func(rule) bool { return true }) }

// canWrite reports whether a key may be written.
func (m *mount) canWrite(key string) bool { return m.has(key, func(r rule) bool { return r.write }) }

// Mount implements backend.Resource.
func (m *mount) Mount() string { return m.path }

// Close implements backend.Resource.
func (m *mount) Close() { m.bucket.kind.leave(m.bucket) }

// Begin implements backend.Resource.
func (m *mount) Begin(t *backend.Transaction) backend.Session { return &session{on: m, t: t} }
