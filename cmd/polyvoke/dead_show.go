package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/show"
	"github.com/polyvoke/polyvoke/protocol"
)

// deadShowCommand shows a dead letter.
func (c *cli) deadShowCommand() *cobra.Command {
	var n connect.Settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "show FUNCTION.ID",
		Short:             "Show a dead letter: its story, its headers and its body",
		Args:              checkJob,
		ValidArgsFunction: c.completeJobs(&n, protocol.StateDead),
	}
	c.onNATS(cmd, &n, func(ctx context.Context, s *connect.Session, args []string) error {
		l, err := s.DeadLetter(ctx, args[0])
		switch {
		case err != nil:
			return err
		case asJSON:
			return printJSON(c.stdout, show.LetterDocument(l))
		}
		show.Letter(c.stdout, c.paint(c.stdout), l)
		return nil
	})
	addJSON(cmd, &asJSON)
	return cmd
}
