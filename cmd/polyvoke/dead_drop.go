package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/protocol"
)

// deadDropCommand removes dead letters.
func (c *cli) deadDropCommand() *cobra.Command {
	var n connect.Settings
	var o deadOptions
	cmd := &cobra.Command{
		Use:   "drop [FUNCTION.ID]",
		Short: "Remove dead letters for good",
		Long: `Remove dead letters for good. Their jobs stay dead: polyvoke job result says so as long as their outcomes are kept.
Nothing brings a dropped letter back.`,
		Args:              argsBetween(0, 1),
		ValidArgsFunction: c.completeJobs(&n, protocol.StateDead),
	}
	var q protocol.DeadRequest
	cmd.PreRunE = func(cmd *cobra.Command, args []string) (err error) {
		q, err = o.request(cmd, args)
		return err
	}
	c.onNATS(cmd, &n, func(ctx context.Context, s *connect.Session, _ []string) error {
		return c.changeDead(ctx, q, "dropped", o.json, s.Drop)
	})
	c.addDead(cmd, &n, &o)
	return cmd
}
