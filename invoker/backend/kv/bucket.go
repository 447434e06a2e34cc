package kv

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Names that JetStream and its KV buckets have for things (ADR-8, ADR-31, ADR-50).
const (
	headerOperation = "KV-Operation"
	headerReason    = "Nats-Marker-Reason"
	operationDelete = "DEL"
	operationPurge  = "PURGE"

	headerExpect        = "Nats-Expected-Last-Subject-Sequence"
	headerExpectSubject = "Nats-Expected-Last-Subject-Sequence-Subject"
	headerExpectLast    = "Nats-Expected-Last-Sequence"
	headerExpectID      = "Nats-Expected-Last-Msg-Id"
	headerMessageID     = "Nats-Msg-Id"
	headerTTL           = "Nats-TTL"
	headerBatch         = "Nats-Batch-Id"
	headerBatchSequence = "Nats-Batch-Sequence"
	headerBatchCommit   = "Nats-Batch-Commit"
)

// streamOf returns the stream behind a bucket.
func streamOf(bucket string) string { return "KV_" + bucket }

// bucket is a KV bucket and what is kept of it, for all versions that are granted it. Its methods may be called from
// several goroutines.
type bucket struct {
	kind     *Kind
	name     string
	prefix   string // of the subjects of its keys
	users    int    // versions; under the mutex of kind
	settings atomic.Pointer[settings]
	cache    *cache
	batches  chan struct{} // has one for each batch that is under way
}

// maxBatches is how many atomic batches of a bucket an invoker has under way. A server takes 50 of all invokers.
const maxBatches = 8

// newBucket returns a bucket that nobody uses yet.
func newBucket(k *Kind, name string) *bucket {
	b := &bucket{kind: k, name: name, prefix: "$KV." + name + ".", batches: make(chan struct{}, maxBatches)}
	b.cache = newCache(k.every, k.most)
	return b
}

// subject returns the subject of a key.
func (b *bucket) subject(key string) string { return b.prefix + key }

// settings is what is known of the stream of a bucket. It is not changed.
type settings struct {
	created    time.Time
	direct     bool  // direct gets are answered
	copies     bool  // there are several, of which the leader is the newest
	forgets    bool  // keys can vanish, without a message that says so
	whole      bool  // batches are allowed, and messages that end by themselves
	quick      bool  // a batch costs no more than its messages one by one: see RATIONALE.md
	maxMessage int64 // bytes of a message, or below 1
}

// settingsOf returns what is known of a stream.
func settingsOf(info *jetstream.StreamInfo, c jetstream.StreamConfig) *settings {
	return &settings{
		created: info.Created, direct: c.AllowDirect, copies: c.Replicas > 1 || c.Mirror != nil,
		forgets: c.MaxAge > 0 && c.SubjectDeleteMarkerTTL == 0 || c.Discard == jetstream.DiscardOld && c.MaxMsgs > 0,
		whole:   c.AllowAtomicPublish && c.AllowMsgTTL, maxMessage: int64(c.MaxMsgSize),
		quick: c.AllowAtomicPublish && c.Storage == jetstream.MemoryStorage,
	}
}

// Room that is left in a message for its headers, in bytes: of any, and of those of a bucket with small messages.
const (
	roomHeaders = 2048
	leastRoom   = 400
)

// maxValue returns how many bytes a value has at most: that of a message, less its headers.
func (b *bucket) maxValue() int64 {
	most := b.kind.JetStream.Conn().MaxPayload() - roomHeaders
	if m := b.settings.Load().maxMessage; m > 0 {
		most = min(most, m-leastRoom)
	}
	return max(most, 0)
}

// value is a key as it is, or was, in a bucket.
type value struct {
	revision uint64 // of the message, 0 if there is none. A key that was deleted has one
	exists   bool
	data     []byte // not to be changed
	at       time.Time
	id       string // of the message that wrote it
}

// get reads a key from the server. With leader it is the newest of all copies.
func (b *bucket) get(ctx context.Context, key string, leader bool) (value, error) {
	s := b.settings.Load()
	if s.direct && !(leader && s.copies) {
		return b.direct(ctx, key)
	}
	request, err := json.Marshal(map[string]string{"last_by_subj": b.subject(key)})
	if err != nil {
		return value{}, err
	}
	m, err := b.request(ctx, "STREAM.MSG.GET."+streamOf(b.name), request)
	if err != nil {
		return value{}, err
	}
	var r struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Sequence uint64    `json:"seq"`
			Header   []byte    `json:"hdrs"`
			Data     []byte    `json:"data"`
			Time     time.Time `json:"time"`
		} `json:"message"`
	}
	switch err := json.Unmarshal(m.Data, &r); {
	case err != nil:
		return value{}, err
	case r.Error != nil && r.Error.Code == http.StatusNotFound && r.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return value{}, nil
	case r.Error != nil:
		return value{}, r.Error
	}
	var h nats.Header
	if len(r.Message.Header) > 0 {
		if h, err = nats.DecodeHeadersMsg(r.Message.Header); err != nil {
			return value{}, err
		}
	}
	return valueOf(r.Message.Sequence, r.Message.Time, h, r.Message.Data), nil
}

// direct reads a key from whatever server has a copy.
func (b *bucket) direct(ctx context.Context, key string) (value, error) {
	m, err := b.request(ctx, "DIRECT.GET."+streamOf(b.name)+"."+b.subject(key), nil)
	if err != nil {
		return value{}, err
	}
	if status := m.Header.Get("Status"); status != "" && last(m.Header, "Nats-Sequence") == "" {
		if status == "404" {
			return value{}, nil
		}
		return value{}, errors.New("NATS says " + status + " " + m.Header.Get("Description"))
	}
	sequence, err := strconv.ParseUint(last(m.Header, "Nats-Sequence"), 10, 64)
	if err != nil {
		return value{}, err
	}
	at, err := time.Parse(time.RFC3339Nano, last(m.Header, "Nats-Time-Stamp"))
	if err != nil {
		return value{}, err
	}
	return valueOf(sequence, at, m.Header, m.Data), nil
}

// last returns the last value of a header: the server's, behind whatever the message has under its name.
func last(h nats.Header, name string) string {
	if all := h[name]; len(all) > 0 {
		return all[len(all)-1]
	}
	return ""
}

// request asks JetStream.
func (b *bucket) request(ctx context.Context, subject string, data []byte) (*nats.Msg, error) {
	prefix := b.kind.JetStream.Options().APIPrefix
	if prefix == "" {
		prefix = jetstream.DefaultAPIPrefix
	}
	return b.kind.JetStream.Conn().RequestWithContext(ctx, prefix+subject, data)
}

// valueOf returns what a message says of its key. Only its own headers count.
func valueOf(sequence uint64, at time.Time, h nats.Header, data []byte) value {
	v := value{revision: sequence, at: at, data: data, exists: true, id: h.Get(headerMessageID)}
	if op := h.Get(headerOperation); op == operationDelete || op == operationPurge || h.Get(headerReason) != "" {
		v.exists, v.data = false, nil
	}
	return v
}

// list calls do for each key that the server has, until do returns false.
func (b *bucket) list(ctx context.Context, do func(key string) bool) error {
	kv, err := b.kind.JetStream.KeyValue(ctx, b.name)
	if err != nil {
		return err
	}
	w, err := kv.WatchAll(ctx, jetstream.IgnoreDeletes(), jetstream.MetaOnly())
	if err != nil {
		return err
	}
	defer func() { _ = w.Stop() }() // it may have ended with the connection
	for {
		select {
		case e, ok := <-w.Updates():
			if !ok {
				return errors.New("the listing was cut off")
			}
			if e == nil || !do(e.Key()) {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// state asks the server what the bucket is now.
func (b *bucket) state(ctx context.Context) (*jetstream.StreamInfo, error) {
	s, err := b.kind.JetStream.Stream(ctx, streamOf(b.name))
	if err != nil {
		return nil, err
	}
	return s.CachedInfo(), nil
}
