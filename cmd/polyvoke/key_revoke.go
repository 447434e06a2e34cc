package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/invoker/gateway/access/keys"
)

// keyRevokeCommand revokes keys.
func (c *cli) keyRevokeCommand() *cobra.Command {
	var n connect.Settings
	var asJSON bool
	var ids []string
	cmd := &cobra.Command{
		Use:   "revoke ID...",
		Short: "Revoke keys for good",
		Long: `Revoke keys for good. Gateways that reach NATS refuse them within a second; one that does not reach NATS takes the keys
that it knows until it does. Requests that have begun go on. A whole key is as good as its id.`,
		Args:              argsBetween(1, -1),
		ValidArgsFunction: c.completeKeys(&n, 0),
	}
	cmd.PreRunE = func(cmd *cobra.Command, args []string) (err error) {
		ids, err = keyIDs(cmd, args)
		return err
	}
	c.onNATS(cmd, &n, func(ctx context.Context, s *connect.Session, _ []string) error {
		revoked := []keys.Listed{}
		for _, id := range ids {
			k, err := keyStore(s).Revoke(ctx, id)
			if err != nil {
				return err
			}
			if revoked = append(revoked, k); !asJSON {
				fmt.Fprintf(c.stdout, "revoked %s\n", k.ID)
			}
		}
		if asJSON {
			return printJSON(c.stdout, revoked)
		}
		return nil
	})
	addJSON(cmd, &asJSON)
	return cmd
}
