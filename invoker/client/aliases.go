package client

import (
	"context"

	"github.com/polyvoke/polyvoke/protocol"
)

// SetAlias makes an alias mean versions, and returns when the calls of all invokers follow it but of those that the
// reply's warnings name. revision is the one that the alias has, 0 if it must not be there yet, or nil for whatever it
// is. The error's code is 409 if it has another, and 404 if there is no such function or version.
func (c *Client) SetAlias(ctx context.Context, name, alias string, a protocol.Alias,
	revision *uint64) (reply protocol.AliasReply, err error) {
	q := protocol.AliasSetRequest{Function: name, Alias: alias, Value: a, Revision: revision}
	return reply, c.aboutAlias(ctx, protocol.APIAliasSet, name, q, &reply)
}

// RemoveAlias removes an alias, as SetAlias makes one. Calls by it get no responders, and those by the function's name
// the latest version if it was live.
func (c *Client) RemoveAlias(ctx context.Context, name, alias string,
	revision *uint64) (reply protocol.AliasReply, err error) {
	q := protocol.AliasRequest{Function: name, Alias: alias, Revision: revision}
	return reply, c.aboutAlias(ctx, protocol.APIAliasRemove, name, q, &reply)
}

// Aliases returns the aliases of a function, or of all if name is empty, sorted by function and name.
func (c *Client) Aliases(ctx context.Context, name string) (all []protocol.AliasState, err error) {
	for after := ""; ; {
		var page protocol.AliasListReply
		q := protocol.AliasListRequest{Function: name, After: after}
		if err := c.aboutAlias(ctx, protocol.APIAliasList, name, q, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Aliases...)
		if page.Next <= after {
			return all, nil
		}
		after = page.Next
	}
}

// History returns what an alias has been, newest first.
func (c *Client) History(ctx context.Context, name, alias string) ([]protocol.AliasState, error) {
	var reply protocol.HistoryReply
	q := protocol.AliasRequest{Function: name, Alias: alias}
	err := c.aboutAlias(ctx, protocol.APIHistory, name, q, &reply)
	return reply.Entries, err
}

// Rollback puts an alias back to what it was, and returns when calls follow that.
func (c *Client) Rollback(ctx context.Context, q protocol.RollbackRequest) (reply protocol.AliasReply, err error) {
	return reply, c.aboutAlias(ctx, protocol.APIRollback, q.Function, q, &reply)
}

// aboutAlias asks something about a function's aliases.
func (c *Client) aboutAlias(ctx context.Context, verb protocol.APIVerb, name string, request, reply any) error {
	if name != "" {
		if err := protocol.CheckName(name); err != nil {
			return err
		}
	}
	return c.ask(ctx, verb, request, reply)
}
