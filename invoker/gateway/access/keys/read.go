package keys

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
)

// stream is the name of the stream that the bucket is made of, and subjects what its subjects begin with.
const (
	stream   = "KV_" + Bucket
	subjects = "$KV." + Bucket + "."
)

// patience is how long a watch may take to bring all that there is.
const patience = 5 * time.Second

// stored is what the bucket has under one key.
type stored struct {
	revision uint64
	value    []byte
	deleted  bool
}

// last returns what the bucket has under a key, as its leader knows it.
func last(ctx context.Context, js jetstream.JetStream, key string) (stored, error) {
	m, err := objects.Last(ctx, js, stream, subjects+key)
	if err != nil {
		return stored{}, err
	}
	return stored{m.Sequence, m.Data, m.Header.Get("KV-Operation") != ""}, nil
}

// readAll returns all that the bucket has. A message that the server has counted and cannot deliver, for its disk has
// damaged it, would hold up a watch: then what the leader has is read one by one.
func readAll(ctx context.Context, js jetstream.JetStream) (map[string]stored, error) {
	kv, err := js.KeyValue(ctx, Bucket)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	all, err := watchAll(limited, kv)
	if err == nil || ctx.Err() != nil {
		return all, err
	}
	return readEach(ctx, js)
}

// watchAll returns what a watch brings until it has brought all.
func watchAll(ctx context.Context, kv jetstream.KeyValue) (map[string]stored, error) {
	w, err := kv.WatchAll(ctx)
	if err != nil {
		return nil, err
	}
	defer stop(w)
	all := map[string]stored{}
	for {
		select {
		case e, ok := <-w.Updates():
			switch {
			case !ok:
				return nil, errors.New("the watch of the keys ended")
			case e == nil:
				return all, nil
			}
			all[e.Key()] = storedOf(e)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// storedOf returns what a watch has brought.
func storedOf(e jetstream.KeyValueEntry) stored {
	return stored{e.Revision(), e.Value(), e.Operation() != jetstream.KeyValuePut}
}

// stop stops a watcher, which blocks in its own goroutine until it is read to the end.
func stop(w jetstream.KeyWatcher) {
	_ = w.Stop() // the only error is that it has stopped
	for range w.Updates() {
	}
}

// readEach asks the bucket's leader for each key. What it cannot read is left out.
func readEach(ctx context.Context, js jetstream.JetStream) (map[string]stored, error) {
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return nil, err
	}
	counts, err := objects.Subjects(ctx, s, subjects+">")
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	all := make(map[string]stored, len(counts))
	names := func(yield func(string) bool) {
		for subject := range counts {
			if !yield(strings.TrimPrefix(subject, subjects)) {
				return
			}
		}
	}
	err = objects.Each(ctx, names, func(ctx context.Context, key string) error {
		e, err := last(ctx, js, key)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			all[key] = e
		}
		return err
	})
	return all, err
}
