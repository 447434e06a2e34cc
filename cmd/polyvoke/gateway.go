package main

import (
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/service"
)

// gatewayOptions are what the flags of gateway say.
type gatewayOptions struct {
	http                httpOptions
	told                telemetryOptions
	logLevel, logFormat string
	drain               time.Duration
}

// gatewayCommand answers HTTP with functions that are served elsewhere.
func (c *cli) gatewayCommand() *cobra.Command {
	var n connect.Settings
	var o gatewayOptions
	cmd := &cobra.Command{
		Use:   "gateway",
		Short: "Answer HTTP with functions that are served elsewhere",
		Long: `Answer HTTP until SIGTERM or Ctrl-C, with the functions of all invokers on a NATS, then finish what is being
answered and exit; a second signal exits at once. Several gateways may stand side by side. What they
answer is the same that polyvoke serve --http answers: docs/http.md; docs/gateway.md shows how to run one.

Where others can connect, --http-auth says who may call functions whose routes do not say. It
exits with code 125 if NATS closes the connection for good.`,
		Args:              argsBetween(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(cmd, c.env); err != nil {
				return err
			}
			return c.gateway(cmd, &n, &o)
		},
	}
	o.http.addTo(cmd, defaultHTTP)
	cmd.Flags().DurationVar(&o.drain, "drain", 30*time.Second,
		"how long requests may continue after the signal to stop")
	o.told.addTo(cmd)
	addLog(cmd, &o.logLevel, &o.logFormat)
	addConnection(cmd, &n)
	return cmd
}

// check refuses settings that mean nothing.
func (o *gatewayOptions) check(cmd *cobra.Command, env func(string) string) error {
	switch {
	case o.drain <= 0:
		return usageError(cmd, "--drain %s must be longer than zero", o.drain)
	case !o.http.on():
		return usageError(cmd, "--http: a gateway without HTTP does nothing")
	}
	if err := o.told.complete(cmd, env); err != nil {
		return err
	}
	return checkLog(cmd, o.logLevel, o.logFormat)
}

// gateway answers HTTP until it is told to stop.
func (c *cli) gateway(cmd *cobra.Command, n *connect.Settings, o *gatewayOptions) error {
	web, err := o.http.config(cmd, c.env)
	if err != nil {
		return err
	}
	web.Open = c.sayHTTP(web)
	log := c.logger(o.logLevel, o.logFormat)
	told, err := o.told.open(c.env, log, true)
	if err != nil {
		return err
	}
	defer told.Close()
	s, err := c.connect(cmd, n, nats.ErrorHandler(service.LogAsync(log)))
	if err != nil {
		return err
	}
	defer s.Close()
	return httpFailed(cmd, service.Gateway(cmd.Context(), s,
		service.Config{Version: version(), HTTP: web, Drain: o.drain, Telemetry: told, Log: log}))
}
