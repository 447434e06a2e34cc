package keys

import (
	"context"
	"time"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
)

// afterFailure is how long no use is written once one could not be.
const afterFailure = time.Minute

// writeUses writes down which keys are used, until ctx ends.
func (t *Table) writeUses(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-t.touched:
			if err := t.writeUse(ctx, e); err != nil && ctx.Err() == nil {
				t.log.Warn("keys: the use of a key is not written down", "key", e.ID, "err", err)
				wait(ctx, afterFailure)
			}
			e.touched.Store(false)
		}
	}
}

// writeUse writes down that a key is used in this hour. In an hour it is tried again.
func (t *Table) writeUse(ctx context.Context, e *Entry) error {
	now := t.now().UTC().Truncate(hour)
	if now.Unix() <= e.used.Load() || !t.has(e) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, objects.RoundTrip)
	defer cancel()
	kv, err := t.js.KeyValue(ctx, Bucket)
	if err == nil {
		_, err = kv.Put(ctx, usedPrefix+e.ID, []byte(now.Format(time.RFC3339)))
	}
	e.used.Store(now.Unix())
	return err
}

// has reports whether an entry is still that of its key.
func (t *Table) has(e *Entry) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.keys[e.ID] == e
}
