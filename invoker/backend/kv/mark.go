package kv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/protocol"
)

// MaxMark is how many bytes of a reply a mark keeps. Of a longer one it says only that there was one: its value is empty.
const MaxMark = 64 << 10

// keys of polyvoke's own in a granted bucket.
const (
	keyDone  = internal + "done/" // with the id of a request that was committed
	keyCheck = internal + "check" // is deleted by messages that check the revision of another key
)

// markMargin is how much longer than a job a mark lives: until nobody can come back with the job.
const markMargin = time.Hour

// markKey returns the key of the mark of a request. An id that is no key has one of its digest.
func markKey(id string) string {
	if key := keyDone + id; validKey(key) && id[0] != '=' {
		return key
	}
	digest := sha256.Sum256([]byte(id))
	return keyDone + "=" + hex.EncodeToString(digest[:])
}

// markLife returns how long the mark of a job of a function lives, as NATS writes it.
func markLife(f *protocol.Function) string {
	var j protocol.Job
	if f.Job != nil {
		j = *f.Job
	}
	life := time.Duration(j.WithDefaults(f.Limits).MaxAge) + markMargin
	return fmt.Sprintf("%ds", int64(life/time.Second))
}

// markOf returns the message that writes a mark. It is written only once.
func (s *session) markOf(m *backend.Mark) *message {
	value := m.Value
	if len(value) > MaxMark || int64(len(value)) > s.on.bucket.maxValue() {
		value = nil
	}
	return &message{key: markKey(m.ID), put: true, data: value, check: true, life: markLife(s.t.Function)}
}

// Find implements backend.Marker. The value of a mark is empty if the reply was longer than MaxMark.
func (m *mount) Find(ctx context.Context, id string) (reply []byte, found bool, err error) {
	if !m.writes {
		return nil, false, nil
	}
	v, err := m.bucket.get(ctx, markKey(id), true)
	if err != nil {
		return nil, false, away("look for what the job has done", m.bucket.name, err)
	}
	return v.data, v.exists, nil
}
