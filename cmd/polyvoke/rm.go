package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/protocol"
)

// rmCommand removes functions.
func (c *cli) rmCommand() *cobra.Command {
	var n connection
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "rm NAME...",
		Aliases:           []string{"remove"},
		Short:             "Remove functions with all their versions",
		Args:              argsBetween(1, -1),
		ValidArgsFunction: c.completeNames(&n),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := c.connect(cmd, &n)
			if err != nil {
				return err
			}
			defer s.Close()
			for _, name := range args {
				if err := protocol.CheckName(name); err != nil {
					return err
				}
				var reply protocol.RemoveReply
				err := s.ask(cmd.Context(), protocol.APIRemove, protocol.NameRequest{Name: name}, &reply)
				if protocol.CodeOf(err) == protocol.CodeNotFound {
					err = s.unknown(cmd.Context(), name)
				}
				if err != nil {
					return err
				}
				if asJSON {
					err = printJSON(c.stdout, reply)
				} else {
					_, err = fmt.Fprintf(c.stdout, "removed %s (%s)\n", reply.Removed, plural(reply.Versions, "version"))
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	n.addTo(cmd)
	addJSON(cmd, &asJSON)
	return cmd
}
