package main

import (
	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/show"
)

// infoCommand shows everything about one function.
func (c *cli) infoCommand() *cobra.Command {
	var n connect.Settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "info NAME",
		Short:             "Show a function, its versions and its figures",
		Args:              argsBetween(1, 1),
		ValidArgsFunction: c.completeNames(&n),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := c.connect(cmd, &n)
			if err != nil {
				return err
			}
			defer s.Close()
			i, err := s.Info(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.stdout, i)
			}
			show.Info(c.stdout, c.paint(c.stdout), i)
			return nil
		},
	}
	addConnection(cmd, &n)
	addJSON(cmd, &asJSON)
	return cmd
}
