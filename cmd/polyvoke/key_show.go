package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/invoker/gateway/access/keys"
)

// keyShowCommand describes a key.
func (c *cli) keyShowCommand() *cobra.Command {
	var n connect.Settings
	var asJSON bool
	var ids []string
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Describe a key",
		Long: `Describe a key: what it opens, when it expires and when it was used last. A whole key is as good as its id, but
stays in the shell's history.`,
		Args:              argsBetween(1, 1),
		ValidArgsFunction: c.completeKeys(&n, 1),
	}
	cmd.PreRunE = func(cmd *cobra.Command, args []string) (err error) {
		ids, err = keyIDs(cmd, args)
		return err
	}
	c.onNATS(cmd, &n, func(ctx context.Context, s *connect.Session, _ []string) error {
		k, err := keyStore(s).Find(ctx, ids[0])
		switch {
		case err != nil:
			return err
		case asJSON:
			return printJSON(c.stdout, k)
		}
		terminal.Facts(c.stdout, c.paint(c.stdout), "key "+k.ID, keyFacts(&k))
		return nil
	})
	addJSON(cmd, &asJSON)
	return cmd
}

// keyFacts are what is known of a key.
func keyFacts(k *keys.Listed) [][2]string {
	if k.Problem != "" {
		return [][2]string{{"opens", "nothing"}, {"problem", "its record cannot be read: " + k.Problem}}
	}
	facts := [][2]string{{"opens", keyScope(&k.Key)}, {"made", k.Created.Local().Format(time.DateTime)},
		{"expires", keyExpiry(&k.Key)}, {"used", keyUsed(k)}}
	if k.Rate != "" {
		facts = append(facts, [2]string{"rate", k.Rate})
	}
	if k.Note != "" {
		facts = append(facts, [2]string{"note", k.Note})
	}
	return facts
}
