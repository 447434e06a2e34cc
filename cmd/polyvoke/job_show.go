package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/show"
)

// jobShowCommand shows one job.
func (c *cli) jobShowCommand() *cobra.Command {
	var n connect.Settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "show FUNCTION.ID",
		Short:             "Show where a job is, and its attempts",
		Args:              checkJob,
		ValidArgsFunction: c.completeJobs(&n, ""),
	}
	c.onNATS(cmd, &n, func(ctx context.Context, s *connect.Session, args []string) error {
		j, err := s.Job(ctx, args[0])
		switch {
		case err != nil:
			return err
		case asJSON:
			return printJSON(c.stdout, j)
		}
		show.Job(c.stdout, c.paint(c.stdout), j)
		return nil
	})
	addJSON(cmd, &asJSON)
	return cmd
}
