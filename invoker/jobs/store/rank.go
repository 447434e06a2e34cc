package store

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/protocol"
)

// A function that has got a job with a priority has a further stream, in which jobs of each priority have a consumer of
// their own. Invokers move each job there from its queue, or from where it has its turn in the line of its key.

// RankConsumer returns the name of the consumer of jobs of a priority.
func RankConsumer(p protocol.Priority) string { return p.String() }

// MakeRanks makes the stream of the priorities of a function, or makes the one that exists what the manifest says.
func (s *Store) MakeRanks(ctx context.Context, f *protocol.Function) (Queue, error) {
	var job protocol.Job
	if f.Job != nil {
		job = *f.Job
	}
	job = job.WithDefaults(f.Limits)
	q := Queue{Function: f.Name, Stream: protocol.RankStream(f.Name), Job: job}
	twice := 2 * time.Duration(job.AckWait) // a job that is moved again after its invoker was killed is known
	stream, err := s.js.Stream(ctx, q.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = s.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
			Name: q.Stream, Description: "polyvoke: jobs of " + f.Name + " by their priority",
			Subjects:  []string{protocol.RankSubject(f.Name, "*", "*", "*")},
			Retention: jetstream.WorkQueuePolicy, AllowDirect: true, Duplicates: twice, Replicas: s.config.Replicas,
		})
	}
	if err == nil && stream.CachedInfo().Config.Duplicates != twice {
		c := stream.CachedInfo().Config
		c.Duplicates = twice
		stream, err = s.js.UpdateStream(ctx, c)
	}
	if err == nil {
		q.Created = stream.CachedInfo().Created
	}
	for _, p := range protocol.Priorities() {
		if err == nil {
			err = s.makeConsumer(ctx, stream, RankConsumer(p), job, protocol.RankSubject(f.Name, p.String(), "*", "*"))
		}
	}
	return q, unavailable("make the priorities of "+f.Name, err)
}

// Rank puts a job among those of its priority. m is the job without a subject, and message what distinguishes it from an
// earlier attempt, or life, of the same job. It can be done again.
func (s *Store) Rank(ctx context.Context, r protocol.Ranked, m *nats.Msg, message string) error {
	m.Subject = protocol.RankSubject(r.Function, r.Priority.String(), r.ID, r.Line)
	m.Header[jetstream.MsgIDHeader] = []string{message}
	_, err := s.js.PublishMsg(ctx, m, jetstream.WithRetryAttempts(0))
	return unavailable("put a job among those of its priority", err)
}

// Ranked returns a job that is among those of its priority, whichever that is.
func (s *Store) Ranked(ctx context.Context, name, id string) (Message, bool, error) {
	return s.Last(ctx, protocol.RankStream(name), protocol.RankSubject(name, "*", id, "*"))
}

// LookAtRanks returns how many jobs a function has by their priority, and false if it has not got any with one.
func (s *Store) LookAtRanks(ctx context.Context, name string) (q Queue, left uint64, ok bool, err error) {
	return s.lookAt(ctx, Queue{Function: name, Stream: protocol.RankStream(name)})
}

// RemoveRanks removes the priorities of a function with all that is in them. None is no error.
func (s *Store) RemoveRanks(ctx context.Context, name string) error {
	return s.remove(ctx, protocol.RankStream(name))
}
