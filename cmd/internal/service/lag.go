package service

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/triggers"
	"github.com/polyvoke/polyvoke/protocol"
)

// lags returns what says how far the triggers of a function are behind.
func lags(js jetstream.JetStream) func(context.Context, *protocol.Function) []protocol.TriggerLag {
	return func(ctx context.Context, f *protocol.Function) (all []protocol.TriggerLag) {
		for _, l := range triggers.Lags(ctx, js, f) {
			all = append(all, protocol.TriggerLag{Trigger: l.Trigger.String(), Events: int64(l.Total()),
				Error: protocol.MessageOf(l.Err)})
		}
		return all
	}
}
