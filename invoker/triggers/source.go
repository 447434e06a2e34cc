package triggers

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/protocol"
)

// source is where the events of a trigger come from, as it is now.
type source struct {
	stream  jetstream.Stream
	name    string    // of the stream
	filter  string    // pattern of the events' subjects; empty: all
	created time.Time // the stream was
}

// mostPending is how many events may be on their way into a queue, over all invokers.
const mostPending = 1000

// ConsumerName returns the name of the durable consumer that has the position of a trigger of a function.
func ConsumerName(function string, t protocol.Trigger) string {
	return "fn-" + function + "-" + t.SourceID()
}

// consumer makes the trigger's source, if that is to be made, and its durable consumer, or finds it where it was left.
func (w *worker) consumer(ctx context.Context) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	if err := check(ctx, w.f.js, w.trigger, w.f.config.Replicas); err != nil {
		return nil, err
	}
	name, filter := w.trigger.SourceStream()
	stream, err := w.f.js.Stream(ctx, name)
	if err != nil {
		return nil, err
	}
	info := stream.CachedInfo()
	w.source = source{stream: stream, name: name, filter: filter, created: info.Created}
	if err := w.f.mark(ctx, key{w.name, w.trigger.SourceID()}, name); err != nil {
		return nil, err
	}
	want := w.consumerConfig(&info.Config)
	c, err := stream.Consumer(ctx, want.Durable)
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		c, err = stream.CreateConsumer(ctx, want)
		if errors.Is(err, jetstream.ErrConsumerExists) { // another invoker was first
			c, err = stream.Consumer(ctx, want.Durable)
		}
	case err == nil:
		have := c.CachedInfo().Config
		if have.MaxAckPending != want.MaxAckPending || have.AckWait != want.AckWait {
			have.MaxAckPending, have.AckWait = want.MaxAckPending, want.AckWait
			c, err = stream.UpdateConsumer(ctx, have)
		}
	}
	return c, err
}

// consumerConfig returns what a consumer is that is made now. What a redeploy can change is not part of its position.
func (w *worker) consumerConfig(stream *jetstream.StreamConfig) jetstream.ConsumerConfig {
	c := jetstream.ConsumerConfig{
		Durable: ConsumerName(w.name, w.trigger), Description: "polyvoke: events for function " + w.name,
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: w.f.config.AckWait, MaxDeliver: -1,
		MaxAckPending: max(mostPending, 2*w.trigger.Batch), DeliverPolicy: jetstream.DeliverNewPolicy,
	}
	if w.trigger.Ordered {
		c.MaxAckPending = 1
	}
	if w.source.filter != "" {
		c.FilterSubjects = []string{w.source.filter} // FilterSubject would become part of a subject, and so of a line
	}
	start, err := protocol.ParseStart(w.trigger.Start)
	switch {
	case err != nil: // it has passed the manifest's check
	case start.All || stream.Retention == jetstream.WorkQueuePolicy:
		c.DeliverPolicy = jetstream.DeliverAllPolicy
	case start.Sequence > 0:
		c.DeliverPolicy, c.OptStartSeq = jetstream.DeliverByStartSequencePolicy, start.Sequence
	case !start.Time.IsZero():
		c.DeliverPolicy, c.OptStartTime = jetstream.DeliverByStartTimePolicy, &start.Time
	}
	return c
}
