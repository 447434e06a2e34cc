package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/show"
	"github.com/polyvoke/polyvoke/protocol"
)

// logsCommand prints what functions have written on stderr.
func (c *cli) logsCommand() *cobra.Command {
	var n connect.Settings
	o := show.LogPrinter{Out: c.stdout}
	cmd := &cobra.Command{
		Use:               "logs [NAME]",
		Short:             "Print what functions write to stderr; -f follows",
		Args:              argsBetween(0, 1),
		ValidArgsFunction: c.completeNames(&n),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Lines < 0 {
				return usageError(cmd, "-n %d must be 0 or more", o.Lines)
			}
			if len(args) == 1 {
				if err := protocol.CheckName(args[0]); err != nil {
					return usageError(cmd, "%v", err)
				}
				o.Name = args[0]
			}
			s, err := c.connect(cmd, &n)
			if err != nil {
				return err
			}
			defer s.Close()
			o.Paint = c.paint(c.stdout)
			err = o.Print(cmd.Context(), s.Client)
			if o.Follow && errors.Is(err, context.Canceled) {
				return nil // that is how following ends
			}
			return err
		},
	}
	cmd.Flags().BoolVarP(&o.Follow, "follow", "f", false, "follow: print new lines as they are written")
	cmd.Flags().IntVarP(&o.Lines, "lines", "n", 20, "how many recent lines to print first")
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print one JSON document per line")
	addConnection(cmd, &n)
	return cmd
}
