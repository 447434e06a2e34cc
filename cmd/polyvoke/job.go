package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/protocol"
)

// jobCommand has the commands about durable calls.
func (c *cli) jobCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "job",
		Short: "Run and manage jobs: durable calls",
		Long: `A job is a durable call: once NATS has accepted it, it gets one outcome, whatever crashes meanwhile. It succeeds,
or is tried again, and becomes a dead letter at last (polyvoke dead). A job is called FUNCTION.ID.

Any NATS client runs jobs: nats pub --jetstream job.NAME '...', once the function has a queue.`,
		Args: c.noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.jobRunCommand(), c.jobLsCommand(), c.jobShowCommand(), c.jobResultCommand(), c.jobCancelCommand(),
		c.jobPurgeCommand())
	return cmd
}

// onNATS completes a command that does something by a connection to NATS. What is wrong with the command line is for its
// PreRunE: that comes before the connection.
func (c *cli) onNATS(cmd *cobra.Command, n *connect.Settings,
	do func(ctx context.Context, s *connect.Session, args []string) error) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := c.connect(cmd, n)
		if err != nil {
			return err
		}
		defer s.Close()
		return do(cmd.Context(), s, args)
	}
	addConnection(cmd, n)
	return cmd
}

// completeLimit is how many jobs a shell offers.
const completeLimit = 50

// completeJobs completes FUNCTION.ID: the newest jobs in a state, or in any.
func (c *cli) completeJobs(n *connect.Settings, state protocol.JobState) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) (completions, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return c.ask(cmd, n, func(ctx context.Context, s *connect.Session) (names completions) {
			q := protocol.JobsRequest{State: state, Limit: completeLimit}
			if function, _, ok := strings.Cut(typed, "."); ok {
				q.Function = function
			}
			page, _ := s.Jobs(ctx, q) // there is nobody to be told of an error
			for _, j := range page.Jobs {
				if strings.HasPrefix(j.Job, typed) {
					names = append(names, cobra.CompletionWithDesc(j.Job, string(j.State)))
				}
			}
			return names
		})
	}
}

// checkJob refuses what is not the name of a job.
func checkJob(cmd *cobra.Command, args []string) error {
	if err := argsBetween(1, 1)(cmd, args); err != nil {
		return err
	}
	if _, _, err := protocol.ParseJobKey(args[0]); err != nil {
		return usageError(cmd, "%v", err)
	}
	return nil
}
