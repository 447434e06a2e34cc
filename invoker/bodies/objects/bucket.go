// Package objects keeps strings of bytes in a bucket of the JetStream Object Store, whole or
// not at all.
//
// In goes a name and a reader, out comes what was put. The form on the wire is the Object
// Store's own (ADR-20): any NATS client can read the objects.
//
// The package does not use the writer and the reader of nats.go, for what they cannot promise. Here an object becomes
// visible only when all of its chunks are confirmed, and by compare-and-set: two writers, or a writer and a deleter,
// cannot leave half an object. Reading an object whose chunks are gone fails at once, where nats.go waits for them
// until its deadline.
package objects

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"iter"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Errors of a Bucket, beside those of nats.go and of contexts.
var (
	ErrNoBucket = errors.New("the bucket does not exist")
	ErrNotFound = errors.New("no such object")
	ErrDamaged  = errors.New("the object is damaged")
	ErrTooLarge = errors.New("the object is too large")
	ErrChanged  = errors.New("somebody else changed the object at the same time")
)

// plainNUID is what may stand in the subject of chunks. A foreign writer could have put a wildcard there.
var plainNUID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// MaxName is the length of the longest name of an object, in bytes. A name becomes part of a
// subject, and a server closes the connection of whoever sends it one over 4096 bytes.
const MaxName = 255

// Bucket is one Object Store bucket. Its methods may be called from several goroutines. Each of their
// round trips is given up after RoundTrip.
type Bucket struct {
	name   string
	js     jetstream.JetStream
	stream jetstream.Stream
}

// Object is what a bucket says about an object at one moment.
type Object struct {
	Info   jetstream.ObjectInfo // its name, size, digest, metadata
	Seq    uint64               // identifies the moment: what Put and Set compare; 0 if there was never such an object
	Stored time.Time            // when it was last put or set, by the server's clock
	// TTL is how long Put has the bucket keep it, in whole seconds; 0: as long as the bucket keeps any. It needs Expire.
	TTL time.Duration
}

// Live reports whether there is an object, and not only the memory of one.
func (o Object) Live() bool { return o.Seq != 0 && !o.Info.Deleted }

// Digest returns the digest in polyvoke's form, see protocol.Digest. It is empty if the description has none.
func (o Object) Digest() string {
	sum, err := jetstream.DecodeObjectDigest(o.Info.Digest)
	if err != nil || len(sum) != sha256.Size {
		return ""
	}
	return "sha256:" + hex.EncodeToString(sum)
}

// Create opens a bucket and creates it if it is missing. A bucket that exists keeps its settings.
func Create(ctx context.Context, js jetstream.JetStream, cfg jetstream.ObjectStoreConfig) (*Bucket, error) {
	_, err := js.CreateObjectStore(ctx, cfg)
	if err != nil && !errors.Is(err, jetstream.ErrBucketExists) {
		return nil, err
	}
	return Open(ctx, js, cfg.Bucket)
}

// Open opens a bucket. The error is ErrNoBucket if it is missing.
func Open(ctx context.Context, js jetstream.JetStream, name string) (*Bucket, error) {
	stream, err := js.Stream(ctx, "OBJ_"+name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, ErrNoBucket
	}
	if err != nil {
		return nil, err
	}
	return &Bucket{name: name, js: js, stream: stream}, nil
}

// Expire lets objects have a TTL of their own (ADR-43), if the server can do that: from version 2.11 on. Otherwise they
// have that of the bucket.
func (b *Bucket) Expire(ctx context.Context) error {
	c := b.stream.CachedInfo().Config
	if c.AllowMsgTTL {
		return nil
	}
	c.AllowMsgTTL = true
	stream, err := b.js.UpdateStream(ctx, c)
	var refused *jetstream.APIError
	switch {
	case err == nil:
		b.stream = stream
	case errors.As(err, &refused):
		err = nil
	}
	return err
}

// header returns the headers of a message of an object, which its TTL is in; nil for none.
func (b *Bucket) header(ttl time.Duration) nats.Header {
	if ttl <= 0 || !b.stream.CachedInfo().Config.AllowMsgTTL {
		return nil
	}
	seconds := int64(max(ttl.Round(time.Second)/time.Second, 1))
	return nats.Header{jetstream.MsgTTLHeader: {strconv.FormatInt(seconds, 10) + "s"}}
}

// TTL returns how long the bucket keeps an object. Zero means for ever.
func (b *Bucket) TTL() time.Duration { return b.stream.CachedInfo().Config.MaxAge }

// Stat returns what the bucket says about a name now. An object that does not exist is no
// error: it is not Live. The answer is the leader's, so that it includes every change that
// was confirmed before.
func (b *Bucket) Stat(ctx context.Context, name string) (Object, error) {
	return b.stat(ctx, name, leader{b.js, "OBJ_" + b.name})
}

// stat asks one source about a name.
func (b *Bucket) stat(ctx context.Context, name string, from source) (Object, error) {
	none := Object{Info: jetstream.ObjectInfo{ObjectMeta: jetstream.ObjectMeta{Name: name}, Bucket: b.name}}
	if name == "" || len(name) > MaxName {
		return none, nil
	}
	m, err := from.last(ctx, b.metaSubject(name))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return none, nil
	}
	if err != nil {
		return none, err
	}
	o := Object{Seq: m.Sequence, Stored: m.Time}
	if err := json.Unmarshal(m.Data, &o.Info); err != nil {
		o.Info = none.Info // live, and without a NUID damaged
	}
	if o.Info.Name, o.Info.Bucket = name, b.name; !plainNUID.MatchString(o.Info.NUID) {
		o.Info.NUID = ""
	}
	return o, nil
}

// Set replaces what the bucket says about an object that was put, and returns it with its new
// Seq. The error is ErrChanged if it says something else by now than it did in o.
func (b *Bucket) Set(ctx context.Context, o Object) (Object, error) {
	msg := nats.NewMsg(b.metaSubject(o.Info.Name))
	if h := b.header(o.TTL); h != nil {
		msg.Header = h
	}
	msg.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
	o.Info.ModTime = time.Time{} // it is the message's time
	var err error
	if msg.Data, err = json.Marshal(o.Info); err != nil {
		return o, err
	}
	ctx, cancel := context.WithTimeout(ctx, RoundTrip)
	defer cancel()
	ack, err := b.js.PublishMsg(ctx, msg, jetstream.WithExpectLastSequencePerSubject(o.Seq))
	if WrongSequence(err) {
		return o, ErrChanged
	}
	if err != nil {
		return o, err
	}
	o.Seq = ack.Sequence
	return o, nil
}

// Delete deletes an object, and its chunks. The error is ErrChanged if it is not any more
// what it was in o; then nothing is deleted.
func (b *Bucket) Delete(ctx context.Context, o Object) error {
	o.Info.Deleted, o.Info.Size, o.Info.Chunks, o.Info.Digest, o.Info.Metadata = true, 0, 0, "", nil
	if _, err := b.Set(ctx, o); err != nil {
		return err
	}
	b.purge(ctx, o.Info.NUID)
	return nil
}

// purge removes the chunks of one upload. If it fails they are garbage for Sweep.
func (b *Bucket) purge(ctx context.Context, nuid string) {
	if nuid == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), RoundTrip)
	defer cancel()
	_ = b.stream.Purge(ctx, jetstream.WithPurgeSubject(b.chunkSubject(nuid)))
}

// List returns all objects that are Live, in no order.
func (b *Bucket) List(ctx context.Context) ([]Object, error) {
	subjects, err := Subjects(ctx, b.stream, b.metaSubject("")+">")
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var live []Object
	err = Each(ctx, maps.Keys(subjects), func(ctx context.Context, s string) error {
		name, err := base64.URLEncoding.DecodeString(strings.TrimPrefix(s, b.metaSubject("")))
		if err != nil {
			return nil // no Object Store client wrote this
		}
		o, err := b.Stat(ctx, string(name))
		if err == nil && o.Live() {
			mu.Lock()
			defer mu.Unlock()
			live = append(live, o)
		}
		return err
	})
	return live, err
}

// Missing returns the names of those objects that are not there, or lack some of their chunks. It asks the server's
// index, and reads no bytes.
func (b *Bucket) Missing(ctx context.Context, names iter.Seq[string]) ([]string, error) {
	chunks, err := Subjects(ctx, b.stream, b.chunkSubject(">"))
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var missing []string
	err = Each(ctx, names, func(ctx context.Context, name string) error {
		o, err := b.Stat(ctx, name)
		if err == nil && (!o.Live() || chunks[b.chunkSubject(o.Info.NUID)] != uint64(o.Info.Chunks)) {
			mu.Lock()
			defer mu.Unlock()
			missing = append(missing, name)
		}
		return err
	})
	return missing, err
}

// State returns the state of the bucket's stream. It differs from an earlier one if the bucket has changed.
func (b *Bucket) State(ctx context.Context) (State, error) { return StateOf(ctx, b.stream) }

// Sweep removes what uploads left behind that died: chunks of no object, none of them
// younger than age. It returns how many uploads they were of.
func (b *Bucket) Sweep(ctx context.Context, age time.Duration) (int, error) {
	live, err := b.List(ctx)
	if err != nil {
		return 0, err
	}
	uploads, err := Subjects(ctx, b.stream, b.chunkSubject(">"))
	if err != nil {
		return 0, err
	}
	for _, o := range live {
		delete(uploads, b.chunkSubject(o.Info.NUID))
	}
	swept := 0
	for s := range uploads {
		last, err := leader{b.js, "OBJ_" + b.name}.last(ctx, s)
		if err == nil && time.Since(last.Time) > age {
			b.purge(ctx, strings.TrimPrefix(s, b.chunkSubject("")))
			swept++
		}
	}
	return swept, nil
}

func (b *Bucket) metaSubject(name string) string {
	return "$O." + b.name + ".M." + base64.URLEncoding.EncodeToString([]byte(name))
}

func (b *Bucket) chunkSubject(nuid string) string { return "$O." + b.name + ".C." + nuid }
