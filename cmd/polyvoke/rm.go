package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
)

// rmCommand removes a function.
func (c *cli) rmCommand() *cobra.Command {
	var n connect.Settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "rm NAME",
		Aliases:           []string{"remove"},
		Short:             "Remove a function with all its versions",
		Args:              argsBetween(1, 1),
		ValidArgsFunction: c.completeNames(&n),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := c.connect(cmd, &n)
			if err != nil {
				return err
			}
			defer s.Close()
			reply, err := s.Remove(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.stdout, reply)
			}
			_, err = fmt.Fprintf(c.stdout, "removed %s (%s)\n", reply.Removed, terminal.Plural(reply.Versions, "version"))
			return err
		},
	}
	addConnection(cmd, &n)
	addJSON(cmd, &asJSON)
	return cmd
}
