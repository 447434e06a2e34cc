package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/protocol"
)

// aliasLsCommand lists aliases.
func (c *cli) aliasLsCommand() *cobra.Command {
	var n connect.Settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "ls [NAME]",
		Short:             "List the aliases of a function, or of all",
		Args:              argsBetween(0, 1),
		ValidArgsFunction: c.completeNames(&n),
	}
	c.onNATS(cmd, &n, func(ctx context.Context, s *connect.Session, args []string) error {
		name := ""
		if len(args) > 0 {
			name = args[0]
		}
		all, err := s.Aliases(ctx, name)
		if err != nil {
			return err
		}
		return c.printAliases(all, asJSON, func(is protocol.AliasState) string { return is.Function + "@" + is.Alias })
	})
	addJSON(cmd, &asJSON)
	return cmd
}

// printAliases prints states of aliases, a line each, which name begins.
func (c *cli) printAliases(all []protocol.AliasState, asJSON bool, name func(protocol.AliasState) string) error {
	if asJSON {
		if all == nil {
			all = []protocol.AliasState{}
		}
		return printJSON(c.stdout, all)
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(c.stderr, "there are no aliases: calls by a function's name get its newest version")
		return err
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	for _, is := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", name(is), meaning(is), is.Created.Local().Format(time.DateTime), is.Value.By,
			is.Value.Why)
	}
	return w.Flush()
}
