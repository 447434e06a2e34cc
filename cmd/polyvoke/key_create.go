package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/invoker/gateway/access/keys"
)

// madeKey is a new key as key create --json prints it.
type madeKey struct {
	Text string `json:"key"`
	keys.Key
}

// keyCreateCommand makes a key.
func (c *cli) keyCreateCommand() *cobra.Command {
	var n connect.Settings
	var k keys.Key
	var asJSON bool
	var expires string
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make a key, and print it this once",
		Long: `Make a key, and print it on stdout: nobody can learn it again. It opens all routes whose auth is key, or only those
that --function and --route name.`,
		Args: argsBetween(0, 0),
	}
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) (err error) {
		k.Created = time.Now()
		if k.Expires, err = parseExpiry(expires, k.Created); err == nil {
			err = k.Check()
		}
		if err != nil {
			return usageError(cmd, "%v", err)
		}
		return nil
	}
	c.onNATS(cmd, &n, func(ctx context.Context, s *connect.Session, _ []string) error {
		made, text, err := keyStore(s).Create(ctx, k)
		switch {
		case err != nil:
			return err
		case asJSON:
			return printJSON(c.stdout, madeKey{text, made})
		}
		fmt.Fprintf(c.stderr, "key %s for %s, expires %s. Keep it: it is not shown again\n", made.ID, keyScope(&made),
			keyExpiry(&made))
		_, err = fmt.Fprintln(c.stdout, text)
		return err
	})
	f := cmd.Flags()
	f.StringArrayVar(&k.Functions, "function", nil, "a function that it opens; several times for several")
	f.StringArrayVar(&k.Routes, "route", nil, "a route that it opens, as the manifest has it, such as \"GET /orders/{id}\"")
	f.StringVar(&k.Rate, "rate", "", "of all requests with it, such as 10/s")
	f.StringVar(&expires, "expires", "", "when it ends to be valid: 90d, 12h, 2027-01-31 or 2027-01-31T12:00:00Z")
	f.StringVar(&k.Note, "note", "", "what it is for")
	addJSON(cmd, &asJSON)
	_ = cmd.RegisterFlagCompletionFunc("function", func(cmd *cobra.Command, _ []string, typed string) (completions,
		cobra.ShellCompDirective) {
		return c.completeNames(&n)(cmd, nil, typed)
	})
	return cmd
}

// maxExpiry is how far from now a key may expire: beyond that nobody means it.
const maxExpiry = 100 * 365 * 24 * time.Hour

// parseExpiry reads when a key expires: in a time, in days (90d), on a day, or at a time. Empty is never.
func parseExpiry(s string, now time.Time) (time.Time, error) {
	at := time.Time{}
	if s == "" {
		return at, nil
	}
	var err error
	days, inDays := strings.CutSuffix(s, "d")
	switch n, notNumber := strconv.ParseUint(days, 10, 16); {
	case inDays && notNumber == nil:
		at = now.Add(time.Duration(n) * 24 * time.Hour)
	default:
		var d time.Duration
		if d, err = time.ParseDuration(s); err == nil {
			at = now.Add(d)
		} else if at, err = time.ParseInLocation(time.DateOnly, s, now.Location()); err != nil {
			at, err = time.Parse(time.RFC3339, s)
		}
	}
	switch {
	case err != nil:
		return at, fmt.Errorf("--expires %q: use a time such as 90d or 12h, a day such as 2027-01-31, or 2027-01-31T12:00:00Z", s)
	case at.Before(now.Add(time.Second)), at.After(now.Add(maxExpiry)):
		return at, fmt.Errorf("--expires %q: that is %s; use a time from now on, and within a hundred years", s,
			at.Format(time.RFC3339))
	}
	return at.UTC().Truncate(time.Second), nil
}
