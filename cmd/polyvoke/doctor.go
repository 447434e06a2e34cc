package main

import (
	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/doctor"
	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/cmd/internal/natsd"
	"github.com/polyvoke/polyvoke/cmd/internal/service"
)

// doctorCommand looks for what is wrong.
func (c *cli) doctorCommand() *cobra.Command {
	var n connect.Settings
	var asJSON bool
	var cache string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check the connection, the invokers and this machine, and suggest remedies",
		Long: `Check the connection to NATS, the invokers and this machine: which NATS server is used and why, whether it
answers and has JetStream, what this user may do, which invokers serve, the folders, the function in this folder
with its tool chain, and the port of polyvoke serve. A remedy stands below each problem. Nothing is changed.

The exit code is 1 if there is a problem.`,
		Args:              argsBetween(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.reach = reachOf(&n, c.env)
			config := doctor.Config{Version: version(), Settings: &n, Origin: doctor.Origin(&n, c.env),
				Cache: service.CacheDir(cache), Data: service.DataDir(c.env), Folder: ".", Listen: natsd.DefaultListen}
			config.Err = n.Resolve(c.env)
			if !cmd.Flags().Changed("timeout") {
				n.Timeout = min(n.Timeout, doctor.Patience)
			}
			config.Connect = func() (*connect.Session, error) { return c.connectTo(cmd, &n) }
			report, err := doctor.Run(cmd.Context(), config)
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(c.stdout, report)
			} else {
				report.Print(c.stdout, c.paint(c.stdout), c.pasteable)
			}
			if err == nil && !report.Healthy {
				err = &exit.Error{Code: exit.Failed}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&cache, "cache", "",
		"folder for compiled modules (default: polyvoke/modules in the user's cache folder)")
	addConnection(cmd, &n)
	addJSON(cmd, &asJSON)
	return cmd
}
