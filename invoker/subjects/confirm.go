package subjects

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

// confirmTimeout bounds the time in which a server of the cluster learns of a subscription.
const confirmTimeout = 2 * time.Second

// Confirm makes sure that the next call of a function works from every server of the cluster, not
// only from the one that nc is connected to: servers tell each other of
// subscriptions a little later than they confirm them to clients. It asks each of the others with a dry
// run, and returns what it could not make sure of.
func Confirm(ctx context.Context, nc *nats.Conn, name string) (unsure []string) {
	ctx, cancel := context.WithTimeout(ctx, confirmTimeout)
	defer cancel()
	var mu sync.Mutex
	var asking sync.WaitGroup
	for _, url := range nc.Servers() {
		if url == nc.ConnectedUrl() {
			continue
		}
		asking.Go(func() {
			if err := dryRunFrom(ctx, nc.Opts, url, name); err != nil {
				mu.Lock()
				defer mu.Unlock()
				unsure = append(unsure, fmt.Sprintf("server %s has not confirmed %s yet: %v", url, name, err))
			}
		})
	}
	asking.Wait()
	return unsure
}

// dryRunFrom calls a function from another server until that server knows its subscription.
func dryRunFrom(ctx context.Context, o nats.Options, url, name string) error {
	o.InProcessServer = nil
	nc, err := another(o, url, confirmTimeout)
	if err != nil {
		return err
	}
	defer nc.Close()
	m := &nats.Msg{Subject: protocol.RootCall + "." + name, Header: nats.Header{protocol.HeaderDryRun: {"1"}}}
	for {
		_, err := nc.RequestMsgWithContext(ctx, m)
		if !errors.Is(err, nats.ErrNoResponders) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Millisecond):
		}
	}
}

// another makes a connection to one server for a moment, with the options of one that lasts.
func another(o nats.Options, url string, timeout time.Duration) (*nats.Conn, error) {
	o.Url, o.Servers = url, nil
	o.AllowReconnect, o.RetryOnFailedConnect, o.IgnoreDiscoveredServers = false, false, true
	o.ClosedCB, o.DisconnectedErrCB, o.ConnectedCB, o.DiscoveredServersCB, o.LameDuckModeHandler = nil, nil, nil, nil, nil
	o.AsyncErrorCB = func(*nats.Conn, *nats.Subscription, error) {} // nats.go would print
	o.Timeout = timeout
	return o.Connect()
}
