package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/protocol"
)

// deadRedriveCommand gives dead letters back to their queues.
func (c *cli) deadRedriveCommand() *cobra.Command {
	var n connect.Settings
	var o deadOptions
	cmd := &cobra.Command{
		Use:   "redrive [FUNCTION.ID]",
		Short: "Run dead jobs again",
		Long: `Give dead letters back to the queues of their functions. A job keeps its id, and has all its attempts again. To redrive
a job twice is safe: it runs once. With --all, those that cannot go back are named, and stay.`,
		Args:              argsBetween(0, 1),
		ValidArgsFunction: c.completeJobs(&n, protocol.StateDead),
	}
	var q protocol.DeadRequest
	cmd.PreRunE = func(cmd *cobra.Command, args []string) (err error) {
		q, err = o.request(cmd, args)
		return err
	}
	c.onNATS(cmd, &n, func(ctx context.Context, s *connect.Session, _ []string) error {
		return c.changeDead(ctx, q, "redriven", o.json, s.Redrive)
	})
	cmd.Flags().StringVar(&o.version, "to", "", "version or alias of the function that runs them (default: as before)")
	c.addDead(cmd, &n, &o)
	return cmd
}
