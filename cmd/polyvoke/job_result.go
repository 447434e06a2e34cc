package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/cmd/internal/show"
	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/protocol"
)

// jobResultCommand prints the result of a job.
func (c *cli) jobResultCommand() *cobra.Command {
	var n connect.Settings
	var o callOptions
	var wait bool
	cmd := &cobra.Command{
		Use:   "result FUNCTION.ID",
		Short: "Print the result of a job",
		Long: `Print the result of a job, byte for byte. The exit code is that of polyvoke call: the function's own passes through.
A job without an outcome is error 504, exit code 124; --wait waits for the outcome. Outcomes are kept for job.result
of the manifest, a day by default.`,
		Args:              checkJob,
		ValidArgsFunction: c.completeJobs(&n, ""),
	}
	var length time.Duration
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) (err error) {
		length, err = waitTime(cmd, wait, o.wait)
		return err
	}
	c.onNATS(cmd, &n, func(ctx context.Context, s *connect.Session, args []string) error {
		if wait {
			return c.await(ctx, s, args[0], length, &o)
		}
		outcome, err := s.JobResult(ctx, args[0], true)
		if err != nil {
			return err
		}
		return c.printOutcome(outcome, &o)
	})
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until the job has its outcome")
	addResultFlags(cmd, &o)
	return cmd
}

// printOutcome prints the outcome of a job, and returns what its exit code needs.
func (c *cli) printOutcome(o *client.Outcome, flags *callOptions) error {
	function, _, err := protocol.ParseJobKey(o.Job)
	if err != nil {
		return err
	}
	r := &protocol.Request{Function: protocol.Ref{Name: function}}
	if flags.json {
		if err := printJSON(c.stdout, show.OutcomeDocument(o)); err != nil {
			return err
		}
		return show.Failure(r, o.Reply)
	}
	if o.State == protocol.StateCancelled {
		return &exit.Error{Code: exit.OfCode(protocol.CodeConflict), Msg: fmt.Sprintf("job %s was cancelled", o.Job)}
	}
	return c.printReply(r, o.Reply, flags, false)
}
