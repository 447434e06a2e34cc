package triggers

import (
	"context"
	"errors"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/protocol"
)

// Check returns nil if the source of a trigger is there and can be one, and makes it if it is missing and the trigger
// says create. The trigger must have passed the manifest's check. A trigger whose source is no stream is right.
//
// # Errors
//
// The code is 422 for a source that is missing or cannot be one, and says what to do. It is 503 if JetStream does not
// answer.
func Check(ctx context.Context, js jetstream.JetStream, t protocol.Trigger) error {
	return check(ctx, js, t, 0)
}

func check(ctx context.Context, js jetstream.JetStream, t protocol.Trigger, replicas int) error {
	name, filter := t.SourceStream()
	if name == "" {
		return nil
	}
	stream, err := js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if !t.Create {
			return missing(t, name)
		}
		if err = create(ctx, js, t, max(1, replicas)); err == nil {
			stream, err = js.Stream(ctx, name)
		}
	}
	if err != nil {
		return protocol.Errorf(protocol.CodeUnavailable, "", "%s: JetStream does not do what was asked for: %w", t, err)
	}
	return fits(t, filter, &stream.CachedInfo().Config)
}

// missing returns the error for a source that does not exist.
func missing(t protocol.Trigger, stream string) error {
	how := "nats stream add " + stream
	switch t.Source() {
	case protocol.SourceKV:
		how = "nats kv add " + strings.TrimPrefix(stream, "KV_")
	case protocol.SourceObject:
		how = "nats object add " + strings.TrimPrefix(stream, "OBJ_")
	}
	return refused("%s does not exist: make it (%s), or set create = true in the trigger", t, how)
}

func refused(format string, a ...any) error {
	return protocol.Errorf(protocol.CodeRefused, "", format, a...)
}

// create makes a source. Another invoker that makes it meanwhile is as good.
func create(ctx context.Context, js jetstream.JetStream, t protocol.Trigger, replicas int) (err error) {
	const why = "polyvoke: made for a trigger"
	switch t.Source() {
	case protocol.SourceStream:
		_, err = js.CreateStream(ctx, jetstream.StreamConfig{Name: t.Stream, Subjects: []string{t.Filter}, Description: why,
			Replicas: replicas})
	case protocol.SourceKV:
		bucket, _ := t.Bucket()
		_, err = js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: bucket, Description: why, Replicas: replicas})
	case protocol.SourceObject:
		_, err = js.CreateObjectStore(ctx, jetstream.ObjectStoreConfig{Bucket: t.Object, Description: why,
			Replicas: replicas})
	}
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) || errors.Is(err, jetstream.ErrBucketExists) {
		return nil
	}
	return err
}

// fits returns what a stream has that its trigger cannot work with.
func fits(t protocol.Trigger, filter string, c *jetstream.StreamConfig) error {
	overlaps := filter == "" || len(c.Subjects) == 0 || c.SubjectTransform != nil || c.Mirror != nil || len(c.Sources) > 0
	for _, subject := range c.Subjects {
		if subject[0] != '$' && protocol.Reserved(subject) {
			return refused("%s has the subject %.80q, and so messages that polyvoke needs itself; a call would be answered "+
				"by the stream: give it subjects with a first token of their own", t, subject)
		}
		overlaps = overlaps || protocol.Overlap(filter, subject)
	}
	if !overlaps {
		return refused("%s: the stream has no such subject, but %.200s: change filter", t, strings.Join(c.Subjects, ", "))
	}
	start, err := protocol.ParseStart(t.Start)
	if err != nil {
		return err
	}
	if c.Retention == jetstream.WorkQueuePolicy && t.Start != "" && !start.All {
		return refused("%s is a work queue, which has every message taken, from the first one: take off start", t)
	}
	return nil
}
