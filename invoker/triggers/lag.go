package triggers

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/protocol"
)

// Lag is how far a trigger is behind its source.
type Lag struct {
	Trigger  protocol.Trigger
	Stream   string
	Consumer string
	Pending  uint64 // events that were not delivered yet
	// Taken is how many events were delivered and are no jobs yet. That of an ordered trigger stays until its job is done.
	Taken int
	Err   error // why nothing is known, such as a source that does not exist; nil: it is known
}

// Total returns how many events are no jobs yet: KEDA's formula for scaling by JetStream.
func (l Lag) Total() uint64 { return l.Pending + uint64(max(0, l.Taken)) }

// Lags returns how far the triggers of a function that have a stream are behind, in the order of its manifest.
func Lags(ctx context.Context, js jetstream.JetStream, f *protocol.Function) []Lag {
	var all []Lag
	for _, t := range f.Triggers {
		stream, _ := t.SourceStream()
		if stream == "" {
			continue
		}
		l := Lag{Trigger: t, Stream: stream, Consumer: ConsumerName(f.Name, t)}
		c, err := js.Consumer(ctx, stream, l.Consumer)
		switch {
		case errors.Is(err, jetstream.ErrConsumerNotFound):
			l.Err = protocol.Errorf(protocol.CodeUnavailable, "", "%s: no invoker has taken events of it yet", t)
		case errors.Is(err, jetstream.ErrStreamNotFound):
			l.Err = missing(t, stream)
		case err != nil:
			l.Err = protocol.Errorf(protocol.CodeUnavailable, "", "%s: JetStream does not answer: %w", t, err)
		default:
			info := c.CachedInfo()
			l.Pending, l.Taken = info.NumPending, info.NumAckPending
		}
		all = append(all, l)
	}
	return all
}
