package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/protocol"
)

// promoteCommand gives all calls to the newest version.
func (c *cli) promoteCommand() *cobra.Command {
	var n connect.Settings
	var g change
	cmd := &cobra.Command{
		Use:   "promote NAME",
		Short: "Give all calls of a function to its canary, or to its newest version",
		Long: `Give all calls of a function to the newer of the two versions that share them, or, if one has them all, to the
newest that was deployed. When promote returns, the next call goes there.`,
		Args:              argsBetween(1, 1),
		ValidArgsFunction: c.completeNames(&n),
	}
	c.onNATS(cmd, &n, func(ctx context.Context, s *connect.Session, args []string) error {
		info, err := s.Info(ctx, args[0])
		if err != nil {
			return err
		}
		now, err := aliasNow(ctx, s, args[0], g.alias)
		if err != nil {
			return err
		}
		to := info.Function.Version
		if now.Value.Split() {
			to = now.Value.To[1].Version
		}
		a := protocol.Alias{To: []protocol.Weight{{Version: to, Weight: 100}}, Key: now.Value.Key, By: whoAmI(), Why: g.why}
		reply, err := s.SetAlias(ctx, args[0], g.alias, a, &now.Revision)
		if err != nil {
			return err
		}
		return c.printChanged(reply, g.asJSON)
	})
	g.addTo(cmd)
	return cmd
}
