package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
)

// jobCancelCommand cancels a job.
func (c *cli) jobCancelCommand() *cobra.Command {
	var n connect.Settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "cancel FUNCTION.ID",
		Short: "Cancel a job; one that runs is ended",
		Long: `Cancel a job, whether it waits or runs: its outcome is that it was cancelled. One that has another outcome already is
error 409. To cancel a job twice is no error.`,
		Args:              checkJob,
		ValidArgsFunction: c.completeJobs(&n, ""),
	}
	c.onNATS(cmd, &n, func(ctx context.Context, s *connect.Session, args []string) error {
		j, err := s.CancelJob(ctx, args[0])
		switch {
		case err != nil:
			return err
		case asJSON:
			return printJSON(c.stdout, j)
		}
		_, err = fmt.Fprintf(c.stdout, "cancelled %s\n", j.Job)
		return err
	})
	addJSON(cmd, &asJSON)
	return cmd
}
