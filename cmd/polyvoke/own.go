package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/natsd"
	"github.com/polyvoke/polyvoke/cmd/internal/service"
)

// ownStart bounds each step of the start of a server of our own.
const ownStart = time.Minute

// onOwnServer does something on a NATS server and a polyvoke of its own, whatever the user's settings are. They leave
// nothing behind. web says how functions are reached by HTTP; the zero value is not at all. web is how functions are reached by HTTP, if they are.
func (c *cli) onOwnServer(ctx context.Context, cmd *cobra.Command, listen string, web service.HTTP,
	do func(context.Context, *connect.Session) error) error {
	store, err := os.MkdirTemp("", "polyvoke-own-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(store)
	log := c.logger("error", "auto")
	server, err := c.serverNear(natsd.Config{Listen: listen, Store: store, Log: log})
	if err != nil {
		return err
	}
	defer server.Close()
	n := &connect.Settings{Server: server.URL(), Timeout: ownStart}
	c.reach = reachOf(n, func(string) string { return "" })
	s, err := c.connectTo(cmd, n)
	if err != nil {
		return err
	}
	defer s.Close()
	return httpFailed(cmd, service.While(ctx, s, service.Config{Version: version(), Replicas: 1, Drain: time.Second,
		Limits: service.Limits{Timeout: service.OwnTimeout}, HTTP: web, Log: log}, do))
}

// serverNear starts NATS on an address or, if others have that, on a free port.
func (c *cli) serverNear(config natsd.Config) (*natsd.Server, error) {
	server, err := natsd.Start(config)
	if errors.Is(err, natsd.ErrInUse) {
		fmt.Fprintf(c.stderr, "%s is in use, so this server listens on another port\n", config.Listen)
		config.Listen = "127.0.0.1:0"
		server, err = natsd.Start(config)
	}
	return server, err
}
