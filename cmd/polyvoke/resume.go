package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
)

// resumeCommand lets the queue of a function go on.
func (c *cli) resumeCommand() *cobra.Command {
	var n connect.Settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "resume NAME",
		Short:             "Let the jobs of a paused function go on",
		Args:              argsBetween(1, 1),
		ValidArgsFunction: c.completeNames(&n),
	}
	c.onNATS(cmd, &n, func(ctx context.Context, s *connect.Session, args []string) error {
		q, err := s.Resume(ctx, args[0])
		if err != nil {
			return err
		}
		return c.printQueue(q, "resumed", asJSON)
	})
	addJSON(cmd, &asJSON)
	return cmd
}
