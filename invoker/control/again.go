package control

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// againTime is how long something is tried again that fails because the connection does.
	againTime = time.Minute
	// againPause is the time between two tries: reconnecting begins within it.
	againPause = 250 * time.Millisecond
)

// again does something, and does it again as long as it fails because the connection to NATS was cut or an answer was
// lost with it. It must bear being done twice.
func again(ctx context.Context, do func() error) error {
	for begun := time.Now(); ; {
		err := do()
		if !lost(err) || ctx.Err() != nil || time.Since(begun) > againTime {
			return err
		}
		select {
		case <-time.After(againPause):
		case <-ctx.Done():
			return err
		}
	}
}

// lost reports whether an error says that the connection to NATS broke, so that nobody knows what became of what was
// asked. The error of a connection that was closed is also that of one that is being made anew; that of a socket comes
// from a write for which there was no more room in the buffer.
func lost(err error) bool {
	var socket *net.OpError
	if errors.As(err, &socket) {
		return true
	}
	for _, e := range []error{
		nats.ErrDisconnected, nats.ErrConnectionReconnecting, nats.ErrTimeout,
		context.DeadlineExceeded, nats.ErrConnectionClosed,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// put stores a version. It was created by this request also if the answer that said so was lost.
func (s *Service) put(ctx context.Context, f protocol.Function,
	module []byte) (e registry.Entry, created bool, err error) {
	begun := time.Now().Truncate(time.Millisecond) // as registries keep it
	tries := 0
	err = again(ctx, func() (err error) {
		tries++
		e, created, err = s.Registry.Put(ctx, f, module)
		return err
	})
	if err == nil && tries > 1 && !e.Latest().Created.Before(begun) {
		created = true
	}
	return e, created, err
}

// delete removes a function. If the answer of a first try was lost, not to find it any more is success.
func (s *Service) delete(ctx context.Context, name string) (e registry.Entry, err error) {
	tries := 0
	err = again(ctx, func() (err error) {
		tries++
		e, err = s.Registry.Delete(ctx, name)
		return err
	})
	if tries > 1 && protocol.CodeOf(err) == protocol.CodeNotFound {
		return registry.Entry{Name: name}, nil
	}
	return e, err
}
