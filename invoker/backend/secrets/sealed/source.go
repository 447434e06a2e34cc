package sealed

import (
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/backend/secrets"
	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// watchPause is the time between two watches of the bucket, where one ends by itself.
	watchPause = time.Second
	// mostOpened is how many secrets are kept open; then all are opened again. Each version has at most
	// protocol.MaxGrants.
	mostOpened = 4096
)

// Source opens the secrets of a bucket for functions. Its methods may be called from several goroutines.
type Source struct {
	js   jetstream.JetStream
	keys *Keys
	log  *slog.Logger

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	changes atomic.Uint64

	mu       sync.Mutex
	watching chan struct{}     // closed when the watch has ended; nil: nobody has asked for a secret yet
	opened   map[string]opened // by key of the bucket
}

var _ secrets.Watched = (*Source)(nil)

// opened is what has come of a record.
type opened struct {
	record [sha256.Size]byte
	value  []byte
	err    error // fs.ErrNotExist: there was none
}

// Open returns the source on js, whose bucket it makes if it is missing, with a number of copies. The bucket is watched
// from the first secret on that somebody asks for, until Close.
func Open(ctx context.Context, js jetstream.JetStream, keys *Keys, copies int, log *slog.Logger) (*Source, error) {
	if _, err := makeBucket(ctx, js, max(copies, 1)); err != nil {
		return nil, err
	}
	s := &Source{js: js, keys: keys, log: log, opened: map[string]opened{}}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return s, nil
}

// Close ends the watch. It may be called once.
func (s *Source) Close() {
	s.cancel()
	s.mu.Lock()
	watching := s.watching
	s.mu.Unlock()
	if watching != nil {
		<-watching
	}
}

// Secret implements secrets.Source: the secret of the function, or else of all functions. While NATS does not answer it
// is the last value that was opened.
func (s *Source) Secret(ctx context.Context, function, name string) ([]byte, error) {
	s.watch()
	for _, f := range []string{function, protocol.AllFunctions} {
		key, err := protocol.SecretKey(f, name)
		if err != nil {
			break // the bucket can have no such name
		}
		b, err := s.open(ctx, key)
		if !errors.Is(err, fs.ErrNotExist) {
			return b, err
		}
	}
	return nil, &protocol.Error{Code: protocol.CodeUnavailable, Err: fs.ErrNotExist,
		Msg: "it is missing: set it with polyvoke secret set"}
}

// open returns the value under a key of the bucket. A record is opened once.
func (s *Source) open(ctx context.Context, key string) ([]byte, error) {
	record, _, err := last(ctx, s.js, key)
	s.mu.Lock()
	was, known := s.opened[key]
	s.mu.Unlock()
	now := opened{record: sha256.Sum256(record)}
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		now.err = fs.ErrNotExist
	case err != nil && known, err == nil && known && was.err == nil && was.record == now.record:
		return was.value, was.err
	case err != nil:
		return nil, err
	default:
		now.value, now.err = s.keys.Open(key, record)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.opened) >= mostOpened {
		clear(s.opened)
	}
	s.opened[key] = now
	return now.value, now.err
}

// Generation implements secrets.Watched.
func (s *Source) Generation() uint64 { return s.changes.Load() }

// watch begins to watch the bucket, unless that is done already.
func (s *Source) watch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watching != nil || s.ctx.Err() != nil {
		return
	}
	s.watching = make(chan struct{})
	go s.follow(s.watching)
}

// follow counts changes until Close. Without a watch secrets are read anew after secrets.Fresh all the same.
func (s *Source) follow(done chan struct{}) {
	defer close(done)
	for {
		err := s.followOnce()
		select {
		case <-s.ctx.Done():
			return
		case <-time.After(watchPause):
		}
		s.log.Debug("secrets: the bucket is watched again", "bucket", protocol.BucketSecrets, "err", err)
	}
}

// followOnce counts changes as long as one watch goes on.
func (s *Source) followOnce() error {
	kv, err := s.js.KeyValue(s.ctx, protocol.BucketSecrets)
	if err != nil {
		return err
	}
	nc := s.js.Conn()
	connected := nc.StatusChanged(nats.CONNECTED)
	defer nc.RemoveStatusListener(connected)
	w, err := kv.WatchAll(s.ctx, jetstream.UpdatesOnly(), jetstream.MetaOnly())
	if err != nil {
		return err
	}
	defer func() {
		_ = w.Stop() // the only error is that it has stopped
		for range w.Updates() {
		}
	}()
	s.changes.Add(1) // something may have changed before
	for {
		select {
		case <-s.ctx.Done():
			return nil
		case <-connected: // who knows what was missed
			s.changes.Add(1)
		case _, ok := <-w.Updates():
			if !ok {
				return errors.New("the watch ended")
			}
			s.changes.Add(1)
		}
	}
}
