package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/invoker/client"
)

// purgeDocument is what job purge prints with --json.
type purgeDocument struct {
	Function  string `json:"function"`
	Cancelled int    `json:"cancelled"`
}

// jobPurgeCommand cancels all jobs of a function.
func (c *cli) jobPurgeCommand() *cobra.Command {
	var n connect.Settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "purge FUNCTION",
		Short: "Cancel all jobs of a function that do not run",
		Long: `Cancel all jobs of a function that are queued or wait for their time. Each has the outcome that it was cancelled.
What runs goes on, and jobs that come meanwhile are left alone.`,
		Args:              argsBetween(1, 1),
		ValidArgsFunction: c.completeNames(&n),
	}
	c.onNATS(cmd, &n, func(ctx context.Context, s *connect.Session, args []string) error {
		tell, done := c.portions("cancelled")
		cancelled, err := s.PurgeJobs(ctx, args[0], tell)
		done()
		switch {
		case err != nil:
			return err
		case asJSON:
			return printJSON(c.stdout, purgeDocument{args[0], cancelled})
		}
		_, err = fmt.Fprintf(c.stdout, "cancelled %s of %s\n", terminal.Plural(cancelled, "job"), args[0])
		return err
	})
	addJSON(cmd, &asJSON)
	return cmd
}

// portions shows on stderr how far a long piece of work is: what was done with how many jobs.
func (c *cli) portions(what string) (tell client.Portions, done func()) {
	var jobs, left atomic.Int64
	end := terminal.Ticks(func(time.Duration) {
		fmt.Fprintf(c.stderr, "%s %d, about %d to go\n", what, jobs.Load(), left.Load())
	})
	return func(n int, more int64) { jobs.Store(int64(n)); left.Store(more) }, end
}
