package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
)

// lookForStore is how often a gateway looks whether there is a store of functions by now.
const lookForStore = time.Second

// Gateway answers HTTP with functions of invokers that are elsewhere, until ctx ends and all has been answered. Of c it
// goes by HTTP, Version, Drain, Telemetry and Log. It can begin before any invoker does. If NATS closes the connection
// for good the error's code is 503.
func Gateway(ctx context.Context, s *connect.Session, c Config) error {
	endCounting, err := c.count()
	if err != nil {
		return err
	}
	defer endCounting()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	synced := make(chan struct{})
	ready := func() error {
		if err := connected(s.Conn); err != nil {
			return err
		}
		select {
		case <-synced:
			return nil
		default:
			return errors.New("the functions are not known yet")
		}
	}
	c.Telemetry.follow(s.Conn.IsConnected)
	d, err := openDoor(c, inside{s.Client, s, ready, nil})
	if err != nil {
		return err
	}
	closed := s.Conn.StatusChanged(nats.CLOSED)
	if s.Conn.IsClosed() { // before anybody asked to be told
		cancel(nats.ErrConnectionClosed)
	}
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		select {
		case <-closed:
			cancel(nats.ErrConnectionClosed)
		case <-ctx.Done():
		}
	}()
	told := make(chan struct{})
	go func() {
		defer close(told)
		if err := follow(ctx, s, c, fronts{all: append(c.Telemetry.fronts(), d), log: c.Log}, synced); err != nil {
			cancel(err)
		}
	}()
	err = d.Serve(ctx)
	cancel(nil)
	<-followed
	<-told
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, nats.ErrConnectionClosed):
		return protocol.Errorf(protocol.CodeUnavailable, "",
			"NATS on %s has closed the connection for good, so nothing can be called: %w; start it again once that is fixed",
			s.URL, cause)
	case !errors.Is(cause, context.Canceled):
		return cause
	}
	if err == nil {
		c.Log.Info("drained")
	}
	return err
}

// follow tells fronts of functions as they change, until ctx ends.
func follow(ctx context.Context, s *connect.Session, c Config, f fronts, synced chan<- struct{}) error {
	if err := awaitStore(ctx, s, c); err != nil {
		return err
	}
	opening, cancel := s.Within(ctx)
	defer cancel()
	reg, err := open(opening, s, registry.Config{Log: c.Log, ReadOnly: true})
	if err != nil {
		return fmt.Errorf("functions on %s: %w", s.URL, err)
	}
	changes, err := reg.Watch(ctx)
	if err != nil {
		return fmt.Errorf("functions on %s: %w", s.URL, err)
	}
	for ch := range changes {
		f.tell(ch)
		if ch.Synced {
			close(synced)
		}
	}
	return nil
}

// awaitStore waits until an invoker has made the store of functions: it knows how many copies there are to be.
func awaitStore(ctx context.Context, s *connect.Session, c Config) error {
	for said := false; ; {
		asking, permitted := s.Permitted(ctx, "")
		_, err := s.JS.KeyValue(asking, registry.BucketFunctions)
		if err == nil { // the other one is made after it
			_, err = s.JS.ObjectStore(asking, registry.BucketModules)
		}
		switch err = permitted(err); {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return nil
		case protocol.CodeOf(err) == protocol.CodeForbidden:
			return fmt.Errorf("functions on %s: %w", s.URL, err)
		}
		if !said {
			said = true
			what := "functions cannot be read; trying again"
			if errors.Is(err, jetstream.ErrBucketNotFound) {
				what = "there are no functions yet: waiting for the first polyvoke serve"
			}
			c.Log.Warn(what, "nats", s.URL, "err", err)
		}
		select {
		case <-time.After(lookForStore):
		case <-ctx.Done():
			return nil
		}
	}
}
