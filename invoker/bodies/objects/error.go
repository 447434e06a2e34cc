package objects

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/protocol"
)

// Error returns an error of the store as a caller of polyvoke gets it: a *protocol.Error with the operation op. An
// error that already is one is returned as it is, and nil for nil.
func Error(op string, err error) error {
	var known *protocol.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount),
		errors.Is(err, nats.ErrNoResponders):
		return fail(op, err, "the NATS server has no JetStream for this account: "+
			"add jetstream {} to its configuration or start it with nats-server -js")
	case errors.Is(err, ErrNoBucket), errors.Is(err, jetstream.ErrStreamNotFound),
		errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, jetstream.ErrBucketNotFound):
		return fail(op, err, "the store on this NATS is missing: start an invoker, which creates it (polyvoke serve)")
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrConnectionDraining):
		return fail(op, err, "the connection to NATS is closed")
	case errors.Is(err, context.Canceled):
		return fail(op, err, "cancelled")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout), errors.Is(err, nats.ErrDisconnected):
		return fail(op, err, "the store on NATS did not answer in time: try again, and look at the server if it goes on")
	}
	return fail(op, err, "the store on NATS refused: "+err.Error())
}

func fail(op string, err error, msg string) error {
	return &protocol.Error{Code: protocol.CodeUnavailable, Op: op, Msg: msg, Err: err}
}
