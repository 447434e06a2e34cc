package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/protocol"
)

// rmCommand removes a function.
func (c *cli) rmCommand() *cobra.Command {
	var n connection
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
			var reply protocol.RemoveReply
			if err := s.about(cmd.Context(), protocol.APIRemove, args[0], &reply); err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.stdout, reply)
			}
			_, err = fmt.Fprintf(c.stdout, "removed %s (%s)\n", reply.Removed, plural(reply.Versions, "version"))
			return err
		},
	}
	n.addTo(cmd)
	addJSON(cmd, &asJSON)
	return cmd
}
