package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/protocol"
)

// rollbackCommand puts an alias back to what it was.
func (c *cli) rollbackCommand() *cobra.Command {
	var n connect.Settings
	var g change
	var q protocol.RollbackRequest
	cmd := &cobra.Command{
		Use:   "rollback NAME",
		Short: "Give all calls of a function back to the version that had them before",
		Long: `Give all calls of a function back to the version that had them before. A second rollback goes one version further
back. Of a function without the alias live, the version before the newest gets all calls, and later deployments get none
until polyvoke promote. polyvoke history shows where a rollback goes.`,
		Args:              argsBetween(1, 1),
		ValidArgsFunction: c.completeNames(&n),
	}
	c.onNATS(cmd, &n, func(ctx context.Context, s *connect.Session, args []string) error {
		q.Function, q.Alias, q.By, q.Why = args[0], g.alias, whoAmI(), g.why
		if cmd.Flags().Changed("to") && q.To < 1 {
			return usageError(cmd, "--to %d: versions are numbers from 1", q.To)
		}
		reply, err := s.Rollback(ctx, q)
		if err != nil {
			return err
		}
		return c.printChanged(reply, g.asJSON)
	})
	cmd.Flags().IntVar(&q.To, "to", 0, "the version to go to (default: the one before)")
	cmd.Flags().IntVar(&q.Steps, "steps", 0, "how many versions to go back (default 1)")
	cmd.MarkFlagsMutuallyExclusive("to", "steps")
	g.addTo(cmd)
	return cmd
}
