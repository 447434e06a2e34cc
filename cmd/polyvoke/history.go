package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/protocol"
)

// historyCommand shows what an alias has been.
func (c *cli) historyCommand() *cobra.Command {
	var n connect.Settings
	var alias string
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "history NAME",
		Short:             "Show which versions had the calls of a function, newest first",
		Args:              argsBetween(1, 1),
		ValidArgsFunction: c.completeNames(&n),
	}
	c.onNATS(cmd, &n, func(ctx context.Context, s *connect.Session, args []string) error {
		all, err := s.History(ctx, args[0], alias)
		if err != nil {
			return err
		}
		return c.printAliases(all, asJSON, func(is protocol.AliasState) string { return fmt.Sprint(is.Revision) })
	})
	cmd.Flags().StringVar(&alias, "alias", protocol.AliasLive, "the alias to show")
	addJSON(cmd, &asJSON)
	return cmd
}
