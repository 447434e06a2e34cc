// Package recordings keeps what jobs were given and what came of them, so that they can be run again.
//
// In go recordings of runs that have ended; out they come by the job's id, or as a list of a function's last ones. They
// are messages of the stream protocol.StreamRecords, which is made when the first one is kept, and forgets the oldest.
// To keep one is no part of a job's outcome: that one cannot be kept is logged.
package recordings

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/protocol"
)

// What the stream keeps.
const (
	MaxAge      = 24 * time.Hour
	MaxBytes    = 1 << 30
	PerFunction = 1000 // recordings of a function, about

	fewBytes = 64 << 20 // if the server has no room for MaxBytes
	trimEach = 100      // after how many recordings of a function what is over PerFunction is removed
)

const (
	// keepTimeout bounds how long a job's outcome may have to wait for its recording.
	keepTimeout = 3 * time.Second
	// listTimeout is for how long what reads a list may stop reading before it is given up.
	listTimeout = 10 * time.Second
)

// Config configures a Store. The zero value is for a single server.
type Config struct {
	Replicas int          // copies that a cluster keeps; 0: 1
	Invoker  string       // that records, for people
	Log      *slog.Logger // nil: nothing is logged
}

// Store has the recordings. Its methods may be called from several goroutines. Errors are *protocol.Error, with code
// 503 if JetStream does not answer.
type Store struct {
	js     jetstream.JetStream
	config Config

	mu   sync.Mutex
	made bool           // the stream exists, as far as is known
	kept map[string]int // by function, since it was trimmed
}

// New returns a store on js. It makes nothing.
func New(js jetstream.JetStream, c Config) *Store {
	if c.Replicas == 0 {
		c.Replicas = 1
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Store{js: js, config: c, kept: map[string]int{}}
}

// Keep keeps the recording of an attempt of a job, from 1, if the function's sampling says so: which is what decided
// that the run was to be recorded. A nil recording is of a run that has not come to a process. Keep returns when the
// recording is kept, or lost, which is logged: whoever is told the outcome of the job afterwards finds it.
func (s *Store) Keep(ctx context.Context, of protocol.Sampling, attempt int, r *protocol.Recording) {
	if r == nil || !of.Keeps(r.Code != 0) {
		return
	}
	r.Attempt, r.Invoker = attempt, s.config.Invoker
	ctx, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	if err := s.Put(ctx, r); err != nil {
		s.config.Log.Warn("a recording of a job is lost", "function", r.Function.Name, "id", r.ID, "err", err)
	}
}

// Put keeps a recording in the place of an earlier one of the same job.
func (s *Store) Put(ctx context.Context, r *protocol.Recording) error {
	const besides = 1 << 10 // headers and the protocol's own
	b, err := r.Encode(int(s.js.Conn().MaxPayload()) - besides)
	if err != nil {
		return err
	}
	subject := protocol.RecordSubject(r.Function.Name, r.ID)
	if _, _, err := protocol.ParseRecordSubject(subject); err != nil {
		return err
	}
	if err := s.make(ctx); err != nil {
		return err
	}
	_, err = s.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: b}, jetstream.WithRetryAttempts(0))
	if errors.Is(err, jetstream.ErrNoStreamResponse) { // it was deleted
		s.forget()
		if err = s.make(ctx); err == nil {
			_, err = s.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: b}, jetstream.WithRetryAttempts(0))
		}
	}
	if err == nil {
		err = s.trim(ctx, r.Function.Name)
	}
	return unavailable("keep a recording", err)
}

// make makes the stream if it is missing. One that exists keeps its settings.
func (s *Store) make(ctx context.Context) error {
	s.mu.Lock()
	made := s.made
	s.mu.Unlock()
	if made {
		return nil
	}
	var err error
	for _, size := range []int64{MaxBytes, fewBytes} {
		_, err = s.js.CreateStream(ctx, jetstream.StreamConfig{Name: protocol.StreamRecords,
			Description: "polyvoke: recordings of jobs, for replay", Subjects: []string{protocol.RecordSubjects("")},
			MaxAge: MaxAge, MaxBytes: size, MaxMsgsPerSubject: 1, Discard: jetstream.DiscardOld, AllowDirect: true,
			Compression: jetstream.S2Compression, Replicas: s.config.Replicas})
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			err = nil
		}
		var api *jetstream.APIError
		if !errors.As(err, &api) || api.ErrorCode != insufficientStorage {
			break
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made = err == nil
	return unavailable("make the stream of recordings", err)
}

// insufficientStorage is the code with which a server says that it has no room (JSStorageResourcesExceededErr).
const insufficientStorage = 10047

// forget is for a stream that has been deleted.
func (s *Store) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made = false
}

// trim removes the oldest recordings of a function now and then, so that those of others stay.
func (s *Store) trim(ctx context.Context, name string) error {
	s.mu.Lock()
	s.kept[name]++
	due := s.kept[name]%trimEach == 0
	if due {
		delete(s.kept, name)
	}
	s.mu.Unlock()
	if !due {
		return nil
	}
	stream, err := s.js.Stream(ctx, protocol.StreamRecords)
	if err != nil {
		return err
	}
	return stream.Purge(ctx, jetstream.WithPurgeSubject(protocol.RecordSubjects(name)),
		jetstream.WithPurgeKeep(PerFunction))
}

// Get returns the recording of a job, as protocol.Recording.Encode has written it. The error's code is 404 if there is
// none.
func (s *Store) Get(ctx context.Context, name, id string) ([]byte, error) {
	stream, err := s.js.Stream(ctx, protocol.StreamRecords)
	if err == nil {
		var m *jetstream.RawStreamMsg
		if m, err = stream.GetLastMsgForSubject(ctx, protocol.RecordSubject(name, id)); err == nil {
			return m.Data, nil
		}
	}
	if errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, protocol.Errorf(protocol.CodeNotFound, "", `there is no recording of job %s.%s: jobs are recorded if `+
			`%s has record = "failed" or "all" under [job], and recordings are kept for %d hours`,
			name, id, name, int(MaxAge.Hours()))
	}
	return nil, unavailable("read a recording", err)
}

// List returns the ids of a function's last jobs with a recording, at most so many, the oldest recording first.
func (s *Store) List(ctx context.Context, name string, last int) ([]string, error) {
	stream, err := s.js.Stream(ctx, protocol.StreamRecords)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, unavailable("list recordings", err)
	}
	consumer, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{FilterSubject: protocol.RecordSubjects(name),
		AckPolicy: jetstream.AckNonePolicy, HeadersOnly: true, MemoryStorage: true, Replicas: 1,
		InactiveThreshold: listTimeout})
	if err != nil {
		return nil, unavailable("list recordings", err)
	}
	defer func() { _ = stream.DeleteConsumer(context.WithoutCancel(ctx), consumer.CachedInfo().Name) }()
	var ids []string
	for left := consumer.CachedInfo().NumPending; left > 0; {
		batch, err := consumer.FetchNoWait(int(min(left, PerFunction)))
		if err != nil {
			return nil, unavailable("list recordings", err)
		}
		n := uint64(0)
		for m := range batch.Messages() {
			n++
			if _, id, err := protocol.ParseRecordSubject(m.Subject()); err == nil {
				ids = append(ids, id)
			}
		}
		if n == 0 || ctx.Err() != nil {
			break // they have expired meanwhile
		}
		left -= min(left, n)
	}
	return ids[max(0, len(ids)-last):], ctx.Err()
}

// unavailable says that JetStream could not be asked.
func unavailable(op string, err error) error {
	var known *protocol.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return protocol.Errorf(protocol.CodeUnavailable, op, "JetStream does not do what was asked for: %w", err)
}
