package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/invoker/gateway/access/keys"
	"github.com/polyvoke/polyvoke/protocol"
)

// keyCommand has the commands about keys of HTTP clients.
func (c *cli) keyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Make and revoke keys of HTTP clients",
		Long: `A key lets an HTTP client in to routes whose auth is key. The client sends it as X-Api-Key, or as Authorization: Bearer.
NATS keeps only a digest of it, in the bucket fn_keys, which gateways follow.`,
		Args: c.noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.keyCreateCommand(), c.keyLsCommand(), c.keyShowCommand(), c.keyRevokeCommand())
	return cmd
}

// keyStore returns the store of keys of a session.
func keyStore(s *connect.Session) *keys.Store { return keys.NewStore(s.JS) }

// keyIDs reads the ids of keys on a command line. What is refused is not repeated: it may be a key that is mistyped.
func keyIDs(cmd *cobra.Command, args []string) (ids []string, err error) {
	for i, a := range args {
		id, err := keys.ParseID(a)
		if err != nil {
			return nil, usageError(cmd, "argument %d: %v", i+1, err)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// completeKeys completes the ids of keys.
func (c *cli) completeKeys(n *connect.Settings, most int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) (completions, cobra.ShellCompDirective) {
		if most > 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return c.ask(cmd, n, func(ctx context.Context, s *connect.Session) (ids completions) {
			list, _ := keyStore(s).List(ctx) // there is nobody to be told of an error
			for _, k := range list {
				if strings.HasPrefix(k.ID, typed) && len(ids) < completeLimit {
					ids = append(ids, cobra.CompletionWithDesc(k.ID, protocol.CleanValue(k.Note, keys.MaxNote)))
				}
			}
			return ids
		})
	}
}

// keyScope says in words what a key is for.
func keyScope(k *keys.Key) string {
	if len(k.Functions)+len(k.Routes) == 0 {
		return "everything"
	}
	return strings.Join(append(append([]string{}, k.Functions...), k.Routes...), ", ")
}

// keyExpiry says in words when a key expires.
func keyExpiry(k *keys.Key) string {
	switch {
	case k.Expires.IsZero():
		return "never"
	case time.Until(k.Expires) <= 0:
		return "expired"
	}
	return k.Expires.Local().Format("2006-01-02 15:04")
}

// keyUsed says in words when a key was used last.
func keyUsed(k *keys.Listed) string {
	if k.Used.IsZero() {
		return "never"
	}
	return k.Used.Local().Format("2006-01-02 15h")
}
