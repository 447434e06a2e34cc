package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/invoker/gateway/access/keys"
)

// keyLsCommand lists keys.
func (c *cli) keyLsCommand() *cobra.Command {
	var n connect.Settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List keys, the newest first",
		Long: `List keys, the newest first: their ids, what they are for and when they were used last, an hour as precisely. A key
begins with pv_ and its id, so a key that has leaked can be found here.`,
		Args: argsBetween(0, 0),
	}
	c.onNATS(cmd, &n, func(ctx context.Context, s *connect.Session, _ []string) error {
		list, err := keyStore(s).List(ctx)
		switch {
		case err != nil:
			return err
		case asJSON:
			return printJSON(c.stdout, append([]keys.Listed{}, list...))
		case len(list) == 0:
			fmt.Fprintln(c.stderr, c.pasteable("there are no keys: polyvoke key create makes one"))
			return nil
		}
		var rows [][]string
		for i := range list {
			rows = append(rows, keyRow(&list[i]))
		}
		terminal.Table(c.stdout, c.paint(c.stdout), []string{"KEY", "FOR", "RATE", "EXPIRES", "USED", "NOTE"}, rows)
		return nil
	})
	addJSON(cmd, &asJSON)
	return cmd
}

// keyRow is a key in a list.
func keyRow(k *keys.Listed) []string {
	if k.Problem != "" {
		return []string{k.ID, "nothing", "", "", "", "unreadable: " + k.Problem}
	}
	return []string{k.ID, keyScope(&k.Key), k.Rate, keyExpiry(&k.Key), keyUsed(k), k.Note}
}
