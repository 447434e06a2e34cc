package main

import (
	"context"
	"fmt"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/protocol"
)

// aliasCommand has the commands about names of versions.
func (c *cli) aliasCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "alias",
		Short: "Say which versions of a function names mean",
		Long: `An alias is a name for one version of a function, or for two that share its calls by weight:
fn.NAME@ALIAS calls it. fn.NAME means the alias live if there is one, and otherwise the newest version. The versions
that aliases name, and have named of late, are kept.`,
		Args: c.noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.aliasSetCommand(), c.aliasLsCommand(), c.aliasRmCommand())
	return cmd
}

// change is what the commands that change an alias have in common.
type change struct {
	alias, why string
	asJSON     bool
}

// addTo adds the flags of a change. The alias is live unless the command line says otherwise.
func (g *change) addTo(cmd *cobra.Command) {
	if g.alias == "" {
		cmd.Flags().StringVar(&g.alias, "alias", protocol.AliasLive, "the alias to change")
	}
	cmd.Flags().StringVar(&g.why, "why", "", "reason, for the history")
	addJSON(cmd, &g.asJSON)
}

// whoAmI says who changes an alias, for its history.
func whoAmI() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return protocol.CleanValue(u.Username, protocol.MaxBy)
}

// printChanged tells what an alias means now.
func (c *cli) printChanged(reply protocol.AliasReply, asJSON bool) error {
	for _, w := range reply.Warnings {
		fmt.Fprintf(c.stderr, "%s %s\n", c.paint(c.stderr).Bold("warning:"), w)
	}
	if asJSON {
		return printJSON(c.stdout, reply)
	}
	name := reply.Function + "@" + reply.Alias
	if reply.Alias == protocol.AliasLive {
		name = "fn." + reply.Function
	}
	was := ""
	if reply.Before != nil && reply.Before.String() != reply.Value.String() {
		was = fmt.Sprintf(", before that %v", *reply.Before)
	}
	if reply.Removed {
		_, err := fmt.Fprintf(c.stdout, "removed alias %s of %s%s\n", reply.Alias, reply.Function, was)
		return err
	}
	_, err := fmt.Fprintf(c.stdout, "%s is answered by %v%s\n", name, reply.Value, was)
	return err
}

// parseAliased reads ALIAS=VERSION[:WEIGHT] of a command line, with one alias in all of them. A single weight below 100
// leaves the rest to the version that the alias means now, see rest.
func parseAliased(cmd *cobra.Command, args []string) (alias string, a protocol.Alias, err error) {
	for _, arg := range args {
		name, rest, ok := strings.Cut(arg, "=")
		number, weight, weighted := strings.Cut(rest, ":")
		if !ok || alias != "" && name != alias || protocol.CheckAlias(name) != nil {
			return "", a, usageError(cmd, "%q: write ALIAS=VERSION or ALIAS=VERSION:WEIGHT, of one alias", arg)
		}
		var w protocol.Weight
		w.Version, err = strconv.Atoi(number)
		if weighted && err == nil {
			w.Weight, err = parsePercent(weight)
		}
		if err != nil || w.Version < 1 {
			return "", a, usageError(cmd, "%q: the version is a number from 1, the weight a number of per cent from 1 to 100", arg)
		}
		alias, a.To = name, append(a.To, w)
	}
	if len(a.To) == 2 && a.To[0].Weight+a.To[1].Weight <= 100 { // one of them may be left out
		for i := range a.To {
			if a.To[i].Weight == 0 {
				a.To[i].Weight = 100 - a.To[1-i].Weight
			}
		}
	}
	return alias, a, nil
}

// parsePercent reads a whole number from 1 to 100, with or without the sign.
func parsePercent(s string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSuffix(s, "%"))
	if err == nil && (n < 1 || n > 100) {
		err = strconv.ErrRange
	}
	return n, err
}

// aliasNow returns what an alias means, and its revision, or 0 if it is not there.
func aliasNow(ctx context.Context, s *connect.Session, name, alias string) (protocol.AliasState, error) {
	all, err := s.Aliases(ctx, name)
	for _, is := range all {
		if is.Alias == alias {
			return is, err
		}
	}
	return protocol.AliasState{Function: name, Alias: alias, Removed: true}, err
}

// meaning says what an alias means, for people.
func meaning(is protocol.AliasState) string {
	switch {
	case is.Removed:
		return "removed"
	case is.Damage != "":
		return "cannot be read: " + is.Damage
	}
	text := is.Value.String()
	if canary := is.Value.Canary; canary != nil {
		text += ", canary"
		if canary.AbortOn != "" {
			text += " until " + canary.AbortOn
		}
		if canary.For > 0 {
			text += fmt.Sprintf(" for %v since %s", canary.For, canary.Since.Local().Format(time.TimeOnly))
		}
	}
	return text
}
