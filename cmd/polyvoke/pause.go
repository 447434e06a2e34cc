package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/show"
	"github.com/polyvoke/polyvoke/protocol"
)

// pauseCommand pauses the queue of a function.
func (c *cli) pauseCommand() *cobra.Command {
	var n connect.Settings
	var asJSON bool
	var length string
	cmd := &cobra.Command{
		Use:   "pause NAME",
		Short: "Let the jobs of a function wait until resume",
		Long: `Let the jobs of a function wait: its queue gives none away. New ones are accepted, what runs goes on, and calls are not
concerned. polyvoke resume ends it.`,
		Args:              argsBetween(1, 1),
		ValidArgsFunction: c.completeNames(&n),
	}
	var d protocol.Duration
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) (err error) {
		if length == "" {
			return nil
		}
		if d, err = protocol.ParseDuration(length); err != nil {
			return usageError(cmd, "--for: %v", err)
		}
		return nil
	}
	c.onNATS(cmd, &n, func(ctx context.Context, s *connect.Session, args []string) error {
		q, err := s.Pause(ctx, args[0], time.Duration(d))
		if err != nil {
			return err
		}
		return c.printQueue(q, "paused", asJSON)
	})
	cmd.Flags().StringVar(&length, "for", "", `how long, such as "1h" (default: until polyvoke resume)`)
	addJSON(cmd, &asJSON)
	return cmd
}

// printQueue prints the state of a queue that was changed.
func (c *cli) printQueue(q protocol.QueueInfo, word string, asJSON bool) error {
	if asJSON {
		return printJSON(c.stdout, q)
	}
	_, err := fmt.Fprintf(c.stdout, "%s %s: %s\n", word, q.Function, show.Queue(&q))
	return err
}
