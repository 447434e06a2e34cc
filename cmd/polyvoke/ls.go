package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/show"
	"github.com/polyvoke/polyvoke/protocol"
)

// lsCommand lists the functions.
func (c *cli) lsCommand() *cobra.Command {
	var n connect.Settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "ls",
		Aliases:           []string{"list"},
		Short:             "List the functions",
		Args:              argsBetween(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := c.connect(cmd, &n)
			if err != nil {
				return err
			}
			defer s.Close()
			all, err := s.ListAll(cmd.Context())
			if err != nil {
				return err
			}
			functions := all.Functions
			if asJSON {
				all.Functions = append([]protocol.Function{}, functions...)
				return printJSON(c.stdout, all)
			}
			show.Damage(c.stderr, all.Damaged)
			show.Unserved(c.stderr, all.Unserved)
			if len(functions) == 0 && len(all.Damaged) == 0 {
				fmt.Fprintln(c.stderr,
					c.pasteable("nothing is deployed on "+s.URL+" yet: polyvoke deploy FILE puts a function there"))
				return nil
			}
			show.Functions(c.stdout, c.paint(c.stdout), functions, all.Queues)
			return nil
		},
	}
	addConnection(cmd, &n)
	addJSON(cmd, &asJSON)
	return cmd
}
