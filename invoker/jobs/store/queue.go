package store

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/protocol"
)

// Consumer is the name of the one durable consumer that each queue has.
const Consumer = "run"

// Queue is the stream of a function's jobs, with its consumer.
type Queue struct {
	Function string
	Stream   string
	Created  time.Time    // of the stream, which is part of ids, see protocol.NewJobID
	Job      protocol.Job // of the manifest, with defaults
}

// MakeQueue makes the queue of a function, or makes the one that exists what the manifest says. The manifest must have
// passed its check.
func (s *Store) MakeQueue(ctx context.Context, f *protocol.Function) (Queue, error) {
	var job protocol.Job
	if f.Job != nil {
		job = *f.Job
	}
	job = job.WithDefaults(f.Limits)
	q := Queue{Function: f.Name, Stream: protocol.QueueStream(f.Name), Job: job}
	stream, err := s.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: q.Stream, Description: "polyvoke: jobs of " + f.Name, Subjects: protocol.QueueSubjects(f.Name),
		Retention: jetstream.WorkQueuePolicy, Discard: jetstream.DiscardNew, MaxMsgs: int64(job.Queue),
		Duplicates: time.Duration(job.Unique), AllowDirect: true, Replicas: s.config.Replicas,
	})
	if err != nil {
		return q, unavailable("make the queue of "+f.Name, err)
	}
	q.Created = stream.CachedInfo().Created
	_, err = stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: Consumer, AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Duration(job.AckWait), MaxDeliver: -1,
		MaxAckPending: job.Concurrency, MaxWaiting: maxWaiting,
	})
	return q, unavailable("make the queue of "+f.Name, err)
}

// maxWaiting is how many pull requests of invokers may wait at a consumer.
const maxWaiting = 4096

// RemoveQueue removes the queue of a function with all that is in it. One that does not exist is no error.
func (s *Store) RemoveQueue(ctx context.Context, name string) error {
	err := s.js.DeleteStream(ctx, protocol.QueueStream(name))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	return unavailable("remove the queue of "+name, err)
}
