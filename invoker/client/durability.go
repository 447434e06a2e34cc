package client

import (
	"context"
	"encoding/json"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/polyvoke/polyvoke/protocol"
)

// Durability returns what messages outlive on the NATS server: one of the Durability constants of protocol, if an
// invoker that answers has the server in its process. Otherwise it is empty, since NATS tells clients nothing of its
// settings.
// The error's code is 503 if no invoker answers.
func (c *Client) Durability(ctx context.Context) (string, error) {
	if err := c.begin(); err != nil {
		return "", err
	}
	ctx, cancel := c.Within(ctx)
	defer cancel()
	subject := micro.APIPrefix + "." + micro.InfoVerb.String() + "." + protocol.Service
	ctx, permitted := c.Permitted(ctx, subject)
	found := ""
	err := c.gather(ctx, subject, func(m *nats.Msg) {
		var info micro.Info
		if json.Unmarshal(m.Data, &info) == nil && info.Metadata[protocol.MetadataDurability] != "" {
			found = info.Metadata[protocol.MetadataDurability]
		}
	})
	if err = permitted(err); err != nil {
		return "", c.RequestError("info", err)
	}
	return found, nil
}
