package invoker

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies"
	"github.com/polyvoke/polyvoke/invoker/slots"
	"github.com/polyvoke/polyvoke/invoker/stats"
	"github.com/polyvoke/polyvoke/invoker/streams"
)

// service is what the functions of an invoker, and their calls, have in common. It does not change while it serves.
type service struct {
	nc         *nats.Conn
	own        *nats.Conn // JetStream's: for what is no answer; the same as nc unless it has another
	line       int        // the longest protocol line that the server takes, in bytes
	js         jetstream.JetStream
	bodies     *bodies.Store
	loader     *loader
	slots      *slots.Slots
	processing int // how many calls of one function may use a processor
	flushes    *flushes
	streams    *streams.Hub   // nil if NATS does not permit it
	asked      chan *nats.Msg // where messages go that ask about a function
	observers  []stats.Observer
	tracer     stats.Tracer // nil: calls are not traced
	version    string       // polyvoke's own
	log        *slog.Logger
	ctx        context.Context // ends when accepted calls are given up
}

// flushOwn returns when the server has what was said on JetStream's connection, if that is another.
func (s *service) flushOwn() error {
	switch {
	case s.own == s.nc:
		return nil
	case !s.own.IsConnected():
		return nats.ErrDisconnected
	}
	return s.own.FlushTimeout(flushTimeout)
}

// whenClosed calls do when the connection or JetStream's is closed for good, which nats.go does not make anew.
func (s *service) whenClosed(do func()) (stop func()) {
	changes := []chan nats.Status{s.nc.StatusChanged(nats.CLOSED), s.own.StatusChanged(nats.CLOSED)}
	if s.closed() != nil {
		do()
	}
	for _, change := range changes {
		go func() {
			if _, closed := <-change; closed {
				do()
			}
		}()
	}
	return func() {
		s.nc.RemoveStatusListener(changes[0])
		s.own.RemoveStatusListener(changes[1])
	}
}

// closed returns an error if the connection or JetStream's is closed for good.
func (s *service) closed() error {
	for _, nc := range []*nats.Conn{s.nc, s.own} {
		if nc.IsClosed() {
			return fmt.Errorf("%w: %v", nats.ErrConnectionClosed, nc.LastError())
		}
	}
	return nil
}
