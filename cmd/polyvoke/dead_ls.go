package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/protocol"
)

// deadLsCommand lists dead letters.
func (c *cli) deadLsCommand() *cobra.Command {
	var n connect.Settings
	var q protocol.JobsRequest
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "ls [FUNCTION]",
		Short:             "List dead letters, the newest first",
		Args:              argsBetween(0, 1),
		ValidArgsFunction: c.completeNames(&n),
	}
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error { return listRequest(cmd, args, &q) }
	c.onNATS(cmd, &n, func(ctx context.Context, s *connect.Session, _ []string) error {
		page, err := s.Dead(ctx, q)
		if err != nil {
			return err
		}
		return c.printJobs(page, asJSON, "there are no dead letters")
	})
	addPage(cmd, &q)
	addJSON(cmd, &asJSON)
	return cmd
}
