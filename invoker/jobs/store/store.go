// Package store is what durable calls are kept in on JetStream.
//
// A job goes in when its message is stored in the stream of its function; what comes out in the end is one record in
// the bucket of results, and, if the job is dead, one letter in the stream of dead letters. queue.go makes the streams of
// functions, record.go decides, dead.go keeps dead letters, marks.go is what invokers tell one another.
package store

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/invoker/upkeep"
	"github.com/polyvoke/polyvoke/protocol"
)

// Config configures what is made. The zero value is for a single server.
type Config struct {
	Replicas int          // copies that a cluster keeps of each stream; 0: 1
	Log      *slog.Logger // nil discards

	// Known is how long after a function has got a job with a priority all invokers know that, and run no jobs from its
	// queue any more; 0: 10 s.
	Known time.Duration
}

// Store is what all functions have together, and the queues of each. Its methods may be called from several
// goroutines. Their errors are *protocol.Error, with code 503 if JetStream does not answer.
type Store struct {
	js     jetstream.JetStream
	config Config
	kv     string // what the subjects of keys begin with when something is published on them

	sorting sync.Map // names of functions that have got a job with a priority, as far as this store has seen
}

// New returns the store on js. It makes nothing; see Make. The connection stays the caller's.
func New(js jetstream.JetStream, c Config) *Store {
	if c.Replicas == 0 {
		c.Replicas = 1
	}
	c.Known = cmp.Or(c.Known, 10*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{js: js, config: c}
	if prefix := objects.APIPrefix(js); prefix != jetstream.DefaultAPIPrefix {
		s.kv = prefix // leaf nodes let $KV through only there
	}
	return s
}

// Known is the Known of the configuration, or its default.
func (s *Store) Known() time.Duration { return s.config.Known }

// JetStream returns what the store was made on.
func (s *Store) JetStream() jetstream.JetStream { return s.js }

// markerTTL is how long the bucket of results keeps the marker of a record whose time is over.
const markerTTL = time.Minute

// Make makes what all functions have together, where it is missing: the buckets of results and of marks, the stream of
// dead letters. What exists keeps its settings.
func (s *Store) Make(ctx context.Context) error {
	for _, a := range s.Assets() {
		if err := a.Make(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Assets returns what Make makes, one by one, for whoever keeps it.
func (s *Store) Assets() []upkeep.Asset {
	asset := func(stream, lost string, make func(context.Context) error) upkeep.Asset {
		return upkeep.Asset{Stream: stream, Lost: lost,
			Make: func(ctx context.Context) error { return unavailable("prepare jobs", make(ctx)) }}
	}
	return []upkeep.Asset{
		asset(ResultsStream, "jobs wait: their outcomes cannot be kept", s.makeResults),
		asset(protocol.StreamDead, "jobs that fail wait: dead letters cannot be kept", s.makeDead),
		asset(MarksStream, "jobs cannot be cancelled while they run", s.makeMarks),
	}
}

// ResultsStream is the name of the stream that the bucket of results is made of.
const ResultsStream = "KV_" + protocol.BucketResults

func (s *Store) makeResults(ctx context.Context) error {
	_, err := s.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: protocol.BucketResults, LimitMarkerTTL: markerTTL,
		Description: "polyvoke: outcomes of jobs", Replicas: s.config.Replicas})
	return existing(err)
}

// MarksStream is the name of the stream that the bucket of marks is made of.
const MarksStream = "KV_" + protocol.BucketMarks

func (s *Store) makeMarks(ctx context.Context) error {
	_, err := s.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: protocol.BucketMarks, LimitMarkerTTL: markerTTL,
		Description: "polyvoke: what invokers tell one another about jobs", Replicas: s.config.Replicas})
	return existing(err)
}

func (s *Store) makeDead(ctx context.Context) error {
	_, err := s.js.CreateStream(ctx, jetstream.StreamConfig{Name: protocol.StreamDead,
		Description: "polyvoke: jobs that failed for good", Subjects: []string{protocol.RootDead + ".*.*"},
		MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew, DiscardNewPerSubject: true, AllowDirect: true,
		Replicas: s.config.Replicas})
	return existing(err)
}

// existing turns the error for what exists already, perhaps with other settings, into nil.
func existing(err error) error {
	if errors.Is(err, jetstream.ErrBucketExists) || errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return nil
	}
	return err
}

// unavailable says that JetStream could not be asked.
func unavailable(op string, err error) error {
	if err == nil {
		return nil
	}
	return protocol.Errorf(protocol.CodeUnavailable, op, "JetStream does not do what was asked for: %w", err)
}
