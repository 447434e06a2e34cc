package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/show"
	"github.com/polyvoke/polyvoke/protocol"
)

// jobLsCommand lists jobs.
func (c *cli) jobLsCommand() *cobra.Command {
	var n connect.Settings
	var q protocol.JobsRequest
	var asJSON bool
	var state string
	cmd := &cobra.Command{
		Use:   "ls [FUNCTION]",
		Short: "List jobs, the newest first",
		Long: `List jobs: those in queues, then those that wait for their time or their next attempt, then those with an outcome
that is still kept, the newest first in each. States: ` + stateWords() + `.`,
		Args:              argsBetween(0, 1),
		ValidArgsFunction: c.completeNames(&n),
	}
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		q.State = protocol.JobState(state)
		return listRequest(cmd, args, &q)
	}
	c.onNATS(cmd, &n, func(ctx context.Context, s *connect.Session, _ []string) error {
		page, err := s.Jobs(ctx, q)
		if err != nil {
			return err
		}
		return c.printJobs(page, asJSON, "there are no such jobs: polyvoke job run gives a function one")
	})
	cmd.Flags().StringVar(&state, "state", "", "only jobs in this state")
	_ = cmd.RegisterFlagCompletionFunc("state", func(_ *cobra.Command, _ []string, typed string) (names completions,
		_ cobra.ShellCompDirective) {
		for _, s := range protocol.JobStates() {
			if strings.HasPrefix(string(s), typed) {
				names = append(names, string(s))
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
	addPage(cmd, &q)
	addJSON(cmd, &asJSON)
	return cmd
}

// addPage adds the flags that say which part of a list is wanted.
func addPage(cmd *cobra.Command, q *protocol.JobsRequest) {
	cmd.Flags().IntVarP(&q.Limit, "limit", "n", protocol.DefaultJobsLimit, "how many to list")
	cmd.Flags().StringVar(&q.After, "after", "", "go on behind a list, with what that said")
}

// listRequest completes a request for a list, and checks it.
func listRequest(cmd *cobra.Command, args []string, q *protocol.JobsRequest) error {
	if len(args) == 1 {
		q.Function = args[0]
		if err := protocol.CheckName(q.Function); err != nil {
			return usageError(cmd, "%v", err)
		}
	}
	if q.State != "" {
		if err := protocol.CheckJobState(q.State); err != nil {
			return usageError(cmd, "--state: %v", err)
		}
	}
	if q.Limit < 1 {
		return usageError(cmd, "--limit %d: use 1 or more", q.Limit)
	}
	return nil
}

// stateWords lists the states of a job.
func stateWords() string {
	words := make([]string, len(protocol.JobStates()))
	for i, s := range protocol.JobStates() {
		words[i] = string(s)
	}
	return strings.Join(words, ", ")
}

// printJobs prints a list of jobs, or says that there are none.
func (c *cli) printJobs(page protocol.JobsReply, asJSON bool, none string) error {
	if asJSON {
		return printJSON(c.stdout, page)
	}
	if len(page.Jobs) == 0 {
		fmt.Fprintln(c.stderr, c.pasteable(none))
		return nil
	}
	show.Jobs(c.stdout, c.paint(c.stdout), page.Jobs)
	if page.Next != "" {
		fmt.Fprintf(c.stderr, "there are more: add --after %s\n", page.Next)
	}
	return nil
}
