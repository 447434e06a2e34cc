// Package buckets reads and writes buckets of keys and of objects for people: one at a time, or a folder at once. In
// goes a bucket's name; out come its entries, and errors that say what to do.
package buckets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/protocol"
)

// Entry is what is known of a key or an object.
type Entry struct {
	Name     string    `json:"name"`
	Size     int64     `json:"size"`               // in bytes; of a key in a list it is not known, and -1
	Revision uint64    `json:"revision,omitempty"` // of a key
	Digest   string    `json:"digest,omitempty"`   // of an object, as NATS has it
	Time     time.Time `json:"time,omitzero"`      // when it was written
}

// Bucket is what a list of buckets says of one.
type Bucket struct {
	Name    string `json:"name"`
	Entries int64  `json:"entries"` // keys with their history; of objects it is not known, and -1
	Bytes   int64  `json:"bytes"`
}

// Settings are those of a bucket that is made. Zero means the server's default.
type Settings struct {
	Replicas int
	Bytes    int64         // most that it has
	TTL      time.Duration // how long an entry is kept; 0: for ever
	History  int           // values that a key keeps; of keys only
	Memory   bool
}

// Store is a bucket. One goroutine uses it.
type Store interface {
	// List returns what begins with a prefix, sorted by name. What belongs to polyvoke is left out.
	List(ctx context.Context, prefix string) ([]Entry, error)
	// Get writes what is in an entry.
	Get(ctx context.Context, name string, w io.Writer) (Entry, error)
	// Put replaces what is in an entry, or makes it. r has size bytes, or as many as it has if that is -1.
	Put(ctx context.Context, name string, r io.Reader, size int64) (Entry, error)
	// Delete deletes an entry, which must be there.
	Delete(ctx context.Context, name string) error
	// Check returns why an entry cannot have such a name, or so many bytes.
	Check(name string, size int64) error
}

// Kind is what a command is about: keys or objects.
type Kind struct {
	Grant string // protocol.GrantKV or protocol.GrantObj
	What  string // "KV bucket" or "object store"
	Entry string // "key" or "object"
}

// KV and Objects are the kinds.
var (
	KV      = Kind{protocol.GrantKV, "KV bucket", "key"}
	Objects = Kind{protocol.GrantObj, "object store", "object"}
)

// Open opens a bucket. The error's code is 400 for one that is internal or has no name that NATS takes, and 404 for one
// that is not there.
func (k Kind) Open(ctx context.Context, js jetstream.JetStream, name string) (Store, error) {
	if err := k.check(name); err != nil {
		return nil, err
	}
	if k == Objects {
		store, err := js.ObjectStore(ctx, name)
		return objects{store, k, name}, k.failed(name, err)
	}
	store, err := js.KeyValue(ctx, name)
	return keys{store, k, name, js.Conn().MaxPayload()}, k.failed(name, err)
}

// check returns why nobody may use a bucket.
func (k Kind) check(name string) error {
	if err := protocol.CheckBucket(k.What, name); err != nil {
		return protocol.Errorf(protocol.CodeBadRequest, "", "%w", err)
	}
	return nil
}

// Create makes a bucket. The error's code is 409 if there is one.
func (k Kind) Create(ctx context.Context, js jetstream.JetStream, name string, s Settings) error {
	if err := k.check(name); err != nil {
		return err
	}
	storage := jetstream.FileStorage
	if s.Memory {
		storage = jetstream.MemoryStorage
	}
	var err error
	if k == Objects {
		_, err = js.CreateObjectStore(ctx, jetstream.ObjectStoreConfig{Bucket: name, Replicas: s.Replicas, TTL: s.TTL,
			MaxBytes: unbounded(s.Bytes), Storage: storage})
	} else {
		_, err = js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: name, Replicas: s.Replicas, TTL: s.TTL,
			MaxBytes: unbounded(s.Bytes), Storage: storage, History: uint8(min(s.History, jetstream.KeyValueMaxHistory))})
	}
	if errors.Is(err, jetstream.ErrBucketExists) {
		return protocol.Errorf(protocol.CodeConflict, "", "there is a %s %s already, with other settings", k.What, name)
	}
	return k.failed(name, err)
}

// unbounded returns a bound of bytes as NATS has it.
func unbounded(n int64) int64 {
	if n == 0 {
		return -1
	}
	return n
}

// Buckets returns all that may be used, sorted by name.
func (k Kind) Buckets(ctx context.Context, js jetstream.JetStream) ([]Bucket, error) {
	var all []Bucket
	add := func(name string, entries, bytes int64) {
		if !protocol.OwnBucket(name) {
			all = append(all, Bucket{name, entries, bytes})
		}
	}
	var err error
	if k == Objects {
		list := js.ObjectStores(ctx)
		for s := range list.Status() {
			add(s.Bucket(), -1, int64(s.Size()))
		}
		err = list.Error()
	} else {
		list := js.KeyValueStores(ctx)
		for s := range list.Status() {
			add(s.Bucket(), int64(s.Values()), int64(s.Bytes()))
		}
		err = list.Error()
	}
	slices.SortFunc(all, func(a, b Bucket) int { return strings.Compare(a.Name, b.Name) })
	return all, k.failed("", err)
}

// failed gives an error of NATS about a bucket its code, and says what to do.
func (k Kind) failed(bucket string, err error) error {
	var known *protocol.Error
	switch {
	case err == nil, errors.As(err, &known), errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, jetstream.ErrBucketNotFound), errors.Is(err, jetstream.ErrStreamNotFound):
		return protocol.Errorf(protocol.CodeNotFound, "", "there is no %s %s: make it first: polyvoke %s create %[2]s", k.What,
			bucket, k.Grant)
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrJetStreamNotEnabled),
		errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return protocol.Errorf(protocol.CodeUnavailable, "", "%s %s needs JetStream, which this NATS server does not have: "+
			"start it with -js", k.What, bucket)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return &protocol.Error{Code: protocol.CodeTimeout, Err: err,
			Msg: fmt.Sprintf("%s %s: NATS did not answer in time: may this user use it?", k.What, bucket)}
	}
	return &protocol.Error{Code: protocol.CodeUnavailable, Msg: fmt.Sprintf("%s %s: %v", k.What, bucket, err), Err: err}
}

// missing is the error for an entry that is not there.
func (k Kind) missing(bucket, name string) error {
	return protocol.Errorf(protocol.CodeNotFound, "", "there is no %s %.200q in %s: polyvoke %s ls %[3]s lists them", k.Entry,
		name, bucket, k.Grant)
}
