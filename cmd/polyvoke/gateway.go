package main

import (
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/service"
)

// gatewayCommand answers HTTP with functions that are served elsewhere.
func (c *cli) gatewayCommand() *cobra.Command {
	var n connect.Settings
	var web httpOptions
	var level, format string
	var drain time.Duration
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
			if drain <= 0 {
				return usageError(cmd, "--drain %s must be longer than zero", drain)
			}
			if err := checkLog(cmd, level, format); err != nil {
				return err
			}
			if !web.on() {
				return usageError(cmd, "--http: a gateway without HTTP does nothing")
			}
			h, err := web.config(cmd, c.env)
			if err != nil {
				return err
			}
			h.Open = c.sayHTTP
			log := c.logger(level, format)
			s, err := c.connect(cmd, &n, nats.ErrorHandler(service.LogAsync(log)))
			if err != nil {
				return err
			}
			defer s.Close()
			return httpFailed(cmd, service.Gateway(cmd.Context(), s,
				service.Config{Version: version(), HTTP: h, Drain: drain, Log: log}))
		},
	}
	web.addTo(cmd, defaultHTTP)
	cmd.Flags().DurationVar(&drain, "drain", 30*time.Second, "how long requests may continue after the signal to stop")
	addLog(cmd, &level, &format)
	addConnection(cmd, &n)
	return cmd
}
