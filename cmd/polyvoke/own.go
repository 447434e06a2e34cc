package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/client"
	"github.com/polyvoke/polyvoke/cmd/internal/natsd"
)

// ownStart bounds each step of the start of a server of our own.
const ownStart = time.Minute

// onOwnServer does something on a NATS server and a polyvoke of its own, whatever the user's settings are. They leave nothing behind.
func (c *cli) onOwnServer(ctx context.Context, cmd *cobra.Command, listen string, do func(context.Context, *client.Session) error) error {
	store, err := os.MkdirTemp("", "polyvoke-own-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(store)
	log := c.logger("error")
	server, err := c.serverNear(natsd.Config{Listen: listen, Store: store, Log: log})
	if err != nil {
		return err
	}
	defer server.Close()
	s, err := c.connectTo(cmd, &client.Settings{Server: server.URL(), Timeout: ownStart}, client.Lasting)
	if err != nil {
		return err
	}
	defer s.Close()
	return c.whileServing(ctx, s, log, do)
}

// whileServing serves functions on a connection while do runs, and until all has been answered.
func (c *cli) whileServing(ctx context.Context, s *client.Session, log *slog.Logger, do func(context.Context, *client.Session) error) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	ready := make(chan struct{})
	go func() {
		o := &serveOptions{replicas: 1, drain: time.Second}
		served <- c.serveOn(ctx, s, o, log, func(int) { close(ready) })
	}()
	defer func() {
		cancel()
		err = errors.Join(err, <-served)
	}()
	select {
	case <-ready:
	case err := <-served:
		served <- nil
		return cmp.Or(err, ctx.Err())
	}
	return do(ctx, s)
}

// serverNear starts NATS on an address or, if others have that, on a free port.
func (c *cli) serverNear(config natsd.Config) (*natsd.Server, error) {
	server, err := natsd.Start(config)
	if errors.Is(err, natsd.ErrInUse) {
		fmt.Fprintf(c.stderr, "%s is in use by another server, so this is on another port\n", config.Listen)
		config.Listen = "127.0.0.1:0"
		server, err = natsd.Start(config)
	}
	return server, err
}
