package main

import (
	"context"
	"errors"
	"math"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/show"
	"github.com/polyvoke/polyvoke/protocol"
)

// logsCommand prints what functions have written on stderr.
func (c *cli) logsCommand() *cobra.Command {
	var n connect.Settings
	o := show.LogPrinter{Out: c.stdout}
	var since, grep string
	cmd := &cobra.Command{
		Use:   "logs [NAME...]",
		Short: "Print what functions write to stderr; -f follows",
		Long: `Print what functions write to stderr, and what polyvoke says about their calls. NAME is a function, or a
pattern such as 'order-*'.

NATS keeps the last 1000 lines of each function for an hour. -n counts the lines that the other flags let through.`,
		ValidArgsFunction: c.completeNames(&n),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Names = args
			if err := checkLogs(cmd, &o, since, grep); err != nil {
				return err
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
	f := cmd.Flags()
	f.BoolVarP(&o.Follow, "follow", "f", false, "follow: print new lines as they are written")
	f.IntVarP(&o.Lines, "lines", "n", 20, "how many recent lines to print first; with --since the default is all")
	f.StringVar(&since, "since", "", `lines from then on: a time ago, such as "10m", or one of RFC 3339`)
	f.StringVar(&o.ID, "id", "", "lines of this call")
	f.StringVarP(&grep, "grep", "g", "", "lines that match this regular expression (Go's; (?i) ignores case)")
	f.StringVar(&o.Level, "level", "",
		"lines of one kind: function, platform (polyvoke's own), error (those, and what speaks of an error)")
	f.BoolVar(&o.JSON, "json", false, "print one JSON document per line")
	_ = cmd.RegisterFlagCompletionFunc("level", cobra.FixedCompletions(show.LogLevels(),
		cobra.ShellCompDirectiveNoFileComp))
	addConnection(cmd, &n)
	return cmd
}

// longestGrep is the length of the longest regular expression of --grep, in bytes.
const longestGrep = 1000

// checkLogs reads the flags of logs, and refuses what means nothing.
func checkLogs(cmd *cobra.Command, o *show.LogPrinter, since, grep string) (err error) {
	if o.Lines < 0 {
		return usageError(cmd, "-n %d must be 0 or more", o.Lines)
	}
	for _, name := range o.Names {
		if strings.ContainsAny(name, `*?[\`) {
			_, err = path.Match(name, "")
		} else {
			err = protocol.CheckName(name)
		}
		if err != nil {
			return usageError(cmd, "%.80q: %v", name, err)
		}
	}
	if since != "" {
		if o.Since, err = sinceTime(since); err != nil {
			return usageError(cmd, "--since %.80q: write how long ago, such as 10m, or a time such as 2006-01-02T15:04:05Z", since)
		}
		if !cmd.Flags().Changed("lines") {
			o.Lines = math.MaxInt32 / 4
		}
	}
	if len(o.ID) > protocol.MaxID {
		return usageError(cmd, "--id has %d bytes; ids have %d at most", len(o.ID), protocol.MaxID)
	}
	if len(grep) > longestGrep {
		return usageError(cmd, "--grep has %d bytes; write %d at most", len(grep), longestGrep)
	}
	if grep != "" {
		if o.Grep, err = regexp.Compile(grep); err != nil {
			return usageError(cmd, "--grep: %v", err)
		}
	}
	if o.Level != "" && !slices.Contains(show.LogLevels(), o.Level) {
		return usageError(cmd, "--level %q: use %s", o.Level, strings.Join(show.LogLevels(), ", "))
	}
	return nil
}

// sinceTime reads --since.
func sinceTime(s string) (time.Time, error) {
	if d, err := protocol.ParseDuration(s); err == nil && d > 0 {
		return time.Now().Add(-time.Duration(d)), nil
	}
	return time.Parse(time.RFC3339, s)
}
