package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
)

// aliasRmCommand removes an alias.
func (c *cli) aliasRmCommand() *cobra.Command {
	var n connect.Settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "rm NAME ALIAS",
		Short: "Remove an alias",
		Long: `Remove an alias. Without the alias live, calls by the function's name get the newest version. The history
stays, and the versions of it may go with later deployments.`,
		Aliases:           []string{"remove"},
		Args:              argsBetween(2, 2),
		ValidArgsFunction: c.completeNames(&n),
	}
	c.onNATS(cmd, &n, func(ctx context.Context, s *connect.Session, args []string) error {
		reply, err := s.RemoveAlias(ctx, args[0], args[1], nil)
		if err != nil {
			return err
		}
		return c.printChanged(reply, asJSON)
	})
	addJSON(cmd, &asJSON)
	return cmd
}
