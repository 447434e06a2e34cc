package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/protocol"
)

// deadCommand has the commands about dead letters.
func (c *cli) deadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dead",
		Short: "Manage dead letters: jobs that failed for good",
		Long: `A dead letter is a job that failed for good: its message, and the story of its attempts. It stays until somebody gives
it back (redrive) or takes it away (drop).`,
		Args: c.noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.deadLsCommand(), c.deadShowCommand(), c.deadRedriveCommand(), c.deadDropCommand())
	return cmd
}

// deadOptions are what the flags of redrive and drop say.
type deadOptions struct {
	all      bool
	function string
	version  string
	json     bool
}

// addDead adds the flags that say which dead letters are meant.
func (c *cli) addDead(cmd *cobra.Command, n *connect.Settings, o *deadOptions) {
	cmd.Flags().BoolVar(&o.all, "all", false, "all dead letters, or those of --function")
	cmd.Flags().StringVar(&o.function, "function", "", "with --all, only those of this function")
	_ = cmd.RegisterFlagCompletionFunc("function", c.completeNames(n))
	addJSON(cmd, &o.json)
}

// request returns which dead letters a command line means.
func (o *deadOptions) request(cmd *cobra.Command, args []string) (q protocol.DeadRequest, err error) {
	switch {
	case len(args) == 1 && (o.all || o.function != ""):
		return q, usageError(cmd, "name a job, or add --all, and not both")
	case len(args) == 0 && !o.all:
		return q, usageError(cmd, "which dead letters? name a job, or add --all, and --function for those of one function")
	case len(args) == 1:
		q.Job = args[0]
		_, _, err = protocol.ParseJobKey(q.Job)
	case o.function != "":
		q.Function = o.function
		err = protocol.CheckName(q.Function)
	default:
		q.All = true
	}
	if err != nil {
		return q, usageError(cmd, "%v", err)
	}
	q.Version = o.version
	return q, nil
}

// changeDead does something with dead letters and prints what became of them.
func (c *cli) changeDead(ctx context.Context, q protocol.DeadRequest, word string, asJSON bool,
	change func(context.Context, protocol.DeadRequest, client.Portions) (protocol.PortionReply, error)) error {
	tell, done := c.portions(word)
	reply, err := change(ctx, q, tell)
	done()
	if err != nil {
		return err
	}
	if asJSON {
		err = printJSON(c.stdout, reply)
	} else {
		for _, f := range reply.Failed {
			fmt.Fprintf(c.stderr, "%s: %d: %s\n", f.Job, f.Code, f.Error)
		}
		_, err = fmt.Fprintf(c.stdout, "%s %s\n", word, terminal.Plural(reply.Done, "job"))
	}
	if n := len(reply.Failed); n > 0 {
		err = errors.Join(err, &exit.Error{Code: exit.OfCode(reply.Failed[0].Code),
			Msg: fmt.Sprintf("%s stay as they are", terminal.Plural(n, "dead letter"))})
	}
	return err
}
