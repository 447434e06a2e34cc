package control

import (
	"context"
	"math"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/protocol"
)

// mark tells all invokers something by a key of the bucket of marks, for a time, or for ever if ttl is 0. A mark that is
// there stays as it is.
func (s *Service) mark(ctx context.Context, key string, ttl time.Duration) error {
	subject := "$KV." + protocol.BucketMarks + "." + key
	h := nats.Header{jetstream.ExpectedLastSubjSeqHeader: {"0"}}
	m, ok, err := s.Store.Last(ctx, "KV_"+protocol.BucketMarks, subject)
	if err != nil {
		return err
	}
	if ok {
		if !gone(m.Header) {
			return nil
		}
		h.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(m.Sequence, 10))
	}
	if ttl > 0 {
		h.Set(jetstream.MsgTTLHeader, strconv.FormatInt(int64(math.Ceil(ttl.Seconds())), 10)+"s")
	}
	_, err = s.Store.JetStream().PublishMsg(ctx, &nats.Msg{Subject: subject, Header: h}, jetstream.WithRetryAttempts(0))
	if wrongSequence(err) {
		return nil // somebody has just made it
	}
	return unavailable("mark "+key, err)
}

// gone reports whether a message of a bucket says that the key has no value any more.
func gone(h protocol.Header) bool {
	return h.Get("KV-Operation") != "" || h.Get(jetstream.MarkerReasonHeader) != ""
}
