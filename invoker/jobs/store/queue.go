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

// AckWait is how long JetStream waits for a word about a job if the manifest does not say.
const AckWait = time.Duration(protocol.DefaultAckWait)

// Queue is the stream of a function's jobs, with its consumer.
type Queue struct {
	Function string
	Stream   string
	Created  time.Time    // of the stream, which is part of ids, see protocol.NewJobID
	Job      protocol.Job // of the manifest, with defaults
}

// MakeQueue makes the queue of a function, or makes the one that exists what the manifest says. The manifest must have
// passed its check. A queue that is paused stays so.
func (s *Store) MakeQueue(ctx context.Context, f *protocol.Function) (Queue, error) {
	var job protocol.Job
	if f.Job != nil {
		job = *f.Job
	}
	job = job.WithDefaults(f.Limits)
	if job.Key != "" { // they are put into lines, one after another
		job.Concurrency, job.AckWait = 1, SortWait
	}
	q := Queue{Function: f.Name, Stream: protocol.QueueStream(f.Name), Job: job}
	stream, err := s.makeStream(ctx, q, job)
	if err == nil {
		q.Created = stream.CachedInfo().Created
		err = s.makeConsumer(ctx, stream, Consumer, job, "")
	}
	return q, unavailable("make the queue of "+f.Name, err)
}

// makeStream makes the stream of a queue. What needs no change is only looked at: all invokers come here at each start.
func (s *Store) makeStream(ctx context.Context, q Queue, job protocol.Job) (jetstream.Stream, error) {
	stream, err := s.js.Stream(ctx, q.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return s.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
			Name: q.Stream, Description: "polyvoke: jobs of " + q.Function, Subjects: protocol.QueueSubjects(q.Function),
			Retention: jetstream.WorkQueuePolicy, Discard: jetstream.DiscardNew, MaxMsgs: int64(job.Queue),
			Duplicates: time.Duration(job.Unique), AllowDirect: true, Replicas: s.config.Replicas,
		})
	}
	if err != nil {
		return nil, err
	}
	c := stream.CachedInfo().Config
	if c.MaxMsgs == int64(job.Queue) && c.Duplicates == time.Duration(job.Unique) &&
		len(c.Subjects) == len(protocol.QueueSubjects(q.Function)) {
		return stream, nil
	}
	c.MaxMsgs, c.Duplicates, c.Subjects = int64(job.Queue), time.Duration(job.Unique), protocol.QueueSubjects(q.Function)
	return s.js.UpdateStream(ctx, c)
}

// makeConsumer makes a consumer of a queue, or of what a filter matches.
func (s *Store) makeConsumer(ctx context.Context, stream jetstream.Stream, name string, job protocol.Job, filter string,
) error {
	consumer, err := stream.Consumer(ctx, name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		_, err = stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
			Durable: name, AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Duration(job.AckWait), MaxDeliver: -1,
			MaxAckPending: job.Concurrency, MaxWaiting: maxWaiting, FilterSubject: filter,
		})
		return err
	}
	if err != nil {
		return err
	}
	c := consumer.CachedInfo().Config
	if c.MaxAckPending == job.Concurrency && c.AckWait == time.Duration(job.AckWait) {
		return nil
	}
	c.MaxAckPending, c.AckWait = job.Concurrency, time.Duration(job.AckWait)
	_, err = stream.UpdateConsumer(ctx, c)
	return err
}

// maxWaiting is how many pull requests of invokers may wait at a consumer.
const maxWaiting = 4096

// Queues returns the names of the functions that have a queue.
func (s *Store) Queues(ctx context.Context) (names []string, err error) {
	list := s.js.StreamNames(ctx, jetstream.WithStreamListSubject(protocol.RedoSubject(protocol.RootJob+".>")))
	for stream := range list.Name() {
		if name, ok := protocol.QueueOwner(stream); ok {
			names = append(names, name)
		}
	}
	return names, unavailable("list queues", list.Err())
}

// CloseQueue takes the subjects of callers from the queue of a function that is gone: NATS then answers them at once
// that nobody is there. What is in it, and what comes back to it, stays. It returns how many jobs that are, and false
// if there is no queue.
func (s *Store) CloseQueue(ctx context.Context, name string) (q Queue, left uint64, ok bool, err error) {
	q = Queue{Function: name, Stream: protocol.QueueStream(name)}
	stream, err := s.js.Stream(ctx, q.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return q, 0, false, nil
	}
	if err != nil {
		return q, 0, false, unavailable("close the queue of "+name, err)
	}
	c := stream.CachedInfo().Config
	var own []string
	for _, subject := range protocol.QueueSubjects(name) {
		if protocol.RedoSubject(subject) == subject {
			own = append(own, subject)
		}
	}
	if len(c.Subjects) != len(own) {
		c.Subjects = own
		if stream, err = s.js.UpdateStream(ctx, c); err != nil {
			return q, 0, false, unavailable("close the queue of "+name, err)
		}
	}
	q.Created = stream.CachedInfo().Created
	return q, stream.CachedInfo().State.Msgs, true, nil
}

// RemoveQueue removes the queue of a function with all that is in it. One that does not exist is no error.
func (s *Store) RemoveQueue(ctx context.Context, name string) error {
	err := s.js.DeleteStream(ctx, protocol.QueueStream(name))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	return unavailable("remove the queue of "+name, err)
}
