package main

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/show"
	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/protocol"
)

// auditOptions are the flags of audit.
type auditOptions struct {
	q     client.AuditQuery
	lines int
	json  bool
}

// auditCommand shows who has changed what.
func (c *cli) auditCommand() *cobra.Command {
	var n connect.Settings
	var o auditOptions
	var since, verb string
	cmd := &cobra.Command{
		Use:   "audit [NAME]",
		Short: "Show who has changed what, and what came of it",
		Long: `Show which changes the invokers were asked for, by whom, and what came of each: deployments, removals, pauses
and so on, of one function or of all. SIGNER is whoever has signed the version; STATED BY is what the client has said
about itself, which nothing proves. "no outcome" means that whoever asked was never answered: the change may have been
made, or not.

NATS keeps entries for 400 days: docs/audit.md. With --json each entry is a line, two for a request.`,
		Args:              argsBetween(0, 1),
		ValidArgsFunction: c.completeNames(&n),
	}
	cmd.PreRunE = func(cmd *cobra.Command, args []string) (err error) {
		if len(args) > 0 {
			o.q.Function = args[0]
		}
		if o.q.Verb = protocol.APIVerb(verb); verb != "" && !o.q.Verb.Audited() {
			return usageError(cmd, "--verb %.40q: use %s", verb, strings.Join(auditVerbs(), ", "))
		}
		if o.lines < 0 {
			return usageError(cmd, "-n %d must be 0 or more", o.lines)
		}
		if since == "" {
			return nil
		}
		if o.q.Since, err = sinceTime(since); err != nil {
			return usageError(cmd,
				"--since %.80q: write how long ago, such as 10m, or a time such as 2006-01-02T15:04:05Z", since)
		}
		if !cmd.Flags().Changed("lines") {
			o.lines = 0
		}
		return nil
	}
	c.onNATS(cmd, &n, func(ctx context.Context, s *connect.Session, _ []string) error { return c.audit(ctx, s, &o) })
	f := cmd.Flags()
	f.StringVar(&since, "since", "", `requests from then on: a time ago, such as "24h", or one of RFC 3339`)
	f.StringVar(&verb, "verb", "", "requests of this verb, such as deploy")
	f.IntVarP(&o.lines, "lines", "n", 50,
		"how many of the last requests to print, 0 for all; with --since the default is all")
	f.BoolVarP(&o.q.Follow, "follow", "f", false, "follow: print outcomes as they come")
	f.BoolVar(&o.json, "json", false, "print one JSON document per line, for each entry")
	_ = cmd.RegisterFlagCompletionFunc("verb", cobra.FixedCompletions(auditVerbs(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// auditVerbs returns the verbs that the audit has, sorted.
func auditVerbs() []string {
	var all []string
	for _, v := range protocol.AuditedVerbs() {
		all = append(all, string(v))
	}
	slices.Sort(all)
	return all
}

// audit prints entries.
func (c *cli) audit(ctx context.Context, s *connect.Session, o *auditOptions) error {
	all := show.NewRequests(o.lines)
	lines := json.NewEncoder(c.stdout)
	lines.SetEscapeHTML(false)
	for e, err := range s.Audit(ctx, o.q) {
		switch {
		case o.q.Follow && errors.Is(err, context.Canceled):
			return nil // that is how following ends
		case err != nil:
			return err
		case o.json:
			err = lines.Encode(e)
		case o.q.Follow:
			show.AuditLine(c.stdout, &e)
		default:
			all.Add(e)
		}
		if err != nil {
			return err
		}
	}
	if !o.json && !o.q.Follow {
		all.Print(c.stdout, c.paint(c.stdout))
	}
	return nil
}
