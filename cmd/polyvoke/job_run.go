package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/protocol"
)

// jobRunOptions are what the flags of job run say.
type jobRunOptions struct {
	request        callOptions
	delay, at      string
	priority       string
	attemptTimeout string
	attempts       int
	wait           bool
}

// jobRunCommand runs a job.
func (c *cli) jobRunCommand() *cobra.Command {
	var n connect.Settings
	var o jobRunOptions
	cmd := &cobra.Command{
		Use:   "run NAME[@VERSION][.ARG...] [BODY|-|@FILE]",
		Short: "Give a function a job, and wait for its result with --wait",
		Long: `Give a function a job, and print its name, FUNCTION.ID. It is accepted then: it gets one outcome, whatever crashes
meanwhile. The body is the argument itself, stdin for -, or a file for @FILE; without one it is empty. Tokens
behind the name are arguments. A function that has no queue yet gets one.

With --wait the name goes to stderr, and the job's result to stdout. The function's exit code passes through, as
with polyvoke call. To interrupt the wait leaves the job alone.`,
		Args:              argsBetween(1, 2),
		ValidArgsFunction: c.completeCalls(&n),
	}
	var j jobToRun
	cmd.PreRunE = func(cmd *cobra.Command, args []string) (err error) {
		j, err = c.jobToRun(cmd, args, &o)
		return err
	}
	c.onNATS(cmd, &n, func(ctx context.Context, s *connect.Session, _ []string) error { return c.runJob(ctx, s, &j, &o) })
	f := cmd.Flags()
	f.StringArrayVar(&o.request.args, "arg", nil,
		"argument of the function, as a further token of the subject; can be repeated")
	f.StringArrayVarP(&o.request.headers, "header", "H", nil, "header NAME:VALUE; can be repeated")
	f.StringVar(&o.request.id, "id", "", "id of the job; a second job of the same id is the first one (default: by its place)")
	f.StringVar(&o.delay, "delay", "", `how long after its acceptance the job begins, such as "10m"`)
	f.StringVar(&o.at, "at", "", `when the job begins, such as "2026-12-01T08:00:00Z"`)
	f.StringVar(&o.priority, "priority", "", "high, normal or low: which jobs of the function begin first (default: normal)")
	f.IntVar(&o.attempts, "attempts", 0, "attempts until the job is dead (default: as the manifest says)")
	f.StringVar(&o.attemptTimeout, "attempt-timeout", "", "how long one attempt may take (default: as the manifest says)")
	f.BoolVar(&o.wait, "wait", false, "wait for the outcome and print the result")
	addResultFlags(cmd, &o.request)
	_ = cmd.RegisterFlagCompletionFunc("priority", cobra.FixedCompletions([]string{"high", "normal", "low"},
		cobra.ShellCompDirectiveNoFileComp)) // it is there, and has none
	return cmd
}

// addResultFlags adds the flags of commands that wait for an outcome, which replace --timeout of the connection.
func addResultFlags(cmd *cobra.Command, o *callOptions) {
	cmd.Flags().StringVar(&o.wait, "wait-time", "", "how long to wait with --wait (default: until there is an outcome)")
	cmd.Flags().BoolVar(&o.json, "json", false, "print the result as JSON")
}

// jobToRun is what a command line of job run means.
type jobToRun struct {
	request *protocol.Request
	options client.JobOptions
	wait    time.Duration
}

// jobToRun reads a command line.
func (c *cli) jobToRun(cmd *cobra.Command, args []string, o *jobRunOptions) (j jobToRun, err error) {
	if j.wait, err = waitTime(cmd, o.wait, o.request.wait); err == nil {
		j.request, j.options, err = c.jobRequest(cmd, args, o)
	}
	return j, err
}

// runJob gives a function a job.
func (c *cli) runJob(ctx context.Context, s *connect.Session, j *jobToRun, o *jobRunOptions) error {
	receipt, err := s.RunJob(ctx, j.request, j.options)
	if err != nil {
		return err
	}
	if !o.wait {
		if receipt.Duplicate {
			fmt.Fprintln(c.stderr, "a job of this id had been accepted before, and is the one that runs")
		}
		if o.request.json {
			return printJSON(c.stdout, receipt)
		}
		_, err = fmt.Fprintln(c.stdout, receipt.Job)
		return err
	}
	fmt.Fprintf(c.stderr, "job %s accepted\n", receipt.Job)
	return c.await(ctx, s, receipt.Job, j.wait, &o.request)
}

// jobRequest makes the request that the command line means.
func (c *cli) jobRequest(cmd *cobra.Command, args []string, o *jobRunOptions) (*protocol.Request, client.JobOptions,
	error) {
	options := client.JobOptions{Attempts: o.attempts, Priority: o.priority}
	name, _ := strings.CutPrefix(args[0], protocol.RootJob+".")
	r, err := c.callRequest(cmd, append([]string{name}, args[1:]...), &o.request)
	if err != nil {
		return nil, options, err
	}
	for _, d := range []struct {
		flag, text string
		to         *time.Duration
	}{{"delay", o.delay, &options.Delay}, {"attempt-timeout", o.attemptTimeout, &r.Timeout}} {
		if d.text == "" {
			continue
		}
		v, err := protocol.ParseDuration(d.text)
		if err != nil {
			return nil, options, usageError(cmd, "--%s: %v", d.flag, err)
		}
		*d.to = time.Duration(v)
	}
	if o.at != "" {
		if options.At, err = time.Parse(time.RFC3339Nano, o.at); err != nil {
			return nil, options, usageError(cmd, "--at %q is no time: write it as 2026-12-01T08:00:00Z (RFC 3339)", o.at)
		}
	}
	if _, err := protocol.ParsePriority(o.priority); err != nil {
		return nil, options, usageError(cmd, "--priority: %v", err)
	}
	if o.attempts < 0 || o.attempts > protocol.MaxAttempts {
		return nil, options, usageError(cmd, "--attempts %d: use 1 to %d", o.attempts, protocol.MaxAttempts)
	}
	return r, options, nil
}

// waitTime reads --wait-time; 0 is for ever.
func waitTime(cmd *cobra.Command, wait bool, text string) (time.Duration, error) {
	switch {
	case text == "":
		return 0, nil
	case !wait:
		return 0, usageError(cmd, "--wait-time says how long --wait waits: add --wait")
	}
	d, err := protocol.ParseDuration(text)
	if err != nil {
		return 0, usageError(cmd, "--wait-time: %v", err)
	}
	return time.Duration(d), nil
}

// await waits for the outcome of a job and prints it.
func (c *cli) await(ctx context.Context, s *connect.Session, job string, wait time.Duration, o *callOptions) error {
	waiting, cancel := context.WithCancel(ctx)
	if wait > 0 {
		waiting, cancel = context.WithTimeout(ctx, wait)
	}
	defer cancel()
	done := c.waiting("waiting for " + job)
	outcome, err := s.JobResult(waiting, job, false)
	done()
	if errors.Is(err, context.Canceled) {
		return &exit.Error{Code: exit.Interrupted, Err: err,
			Msg: fmt.Sprintf("interrupted; the job goes on: polyvoke job result %s --wait waits for it again", job)}
	}
	if err != nil {
		return err
	}
	return c.printOutcome(outcome, o)
}
