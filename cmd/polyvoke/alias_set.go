package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/protocol"
)

// aliasSetCommand makes an alias mean something.
func (c *cli) aliasSetCommand() *cobra.Command {
	var n connect.Settings
	var key string
	g := change{alias: "-"}
	cmd := &cobra.Command{
		Use:   "set NAME ALIAS=VERSION[:WEIGHT]...",
		Short: "Make an alias mean one version, or two by weight",
		Long: `Make an alias mean one version, or two by weight. Calls of one key stay with a version: the key is the header
Fn-Key, or what --key names, or the header Fn-Id; calls without any get a version by chance. More weight for the newer
version moves keys to it, and none back.`,
		Args:              argsBetween(2, 3),
		ValidArgsFunction: c.completeNames(&n),
	}
	c.onNATS(cmd, &n, func(ctx context.Context, s *connect.Session, args []string) error {
		alias, a, err := parseAliased(cmd, args[1:])
		if err != nil {
			return err
		}
		a.Key, a.By, a.Why = key, whoAmI(), g.why
		now, err := aliasNow(ctx, s, args[0], alias)
		if err != nil {
			return err
		}
		if len(a.To) == 1 && a.To[0].Weight > 0 && a.To[0].Weight < 100 && !now.Removed { // beside what it means now
			if other := now.Value.Main(); other != a.To[0].Version {
				a.To = append(a.To, protocol.Weight{Version: other, Weight: 100 - a.To[0].Weight})
			}
		}
		if a.Key == "" && !cmd.Flags().Changed("key") {
			a.Key = now.Value.Key
		}
		reply, err := s.SetAlias(ctx, args[0], alias, a, &now.Revision)
		if err != nil {
			return err
		}
		return c.printChanged(reply, g.asJSON)
	})
	cmd.Flags().StringVar(&key, "key", "", `what calls that stay together have in common: "{1}" (an argument) or "header NAME"`)
	g.addTo(cmd)
	return cmd
}
