package client

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/nats-io/nats.go/micro"

	"github.com/polyvoke/polyvoke/protocol"
)

// MaxModule returns how large a module may be in bytes, as the first invoker that answers says. It returns false if
// none does, or one of an older version.
func (c *Client) MaxModule(ctx context.Context) (size int64, ok bool) {
	if c.begin() != nil {
		return 0, false
	}
	ctx, cancel := c.Within(ctx)
	defer cancel()
	m, err := c.Conn.RequestWithContext(ctx, micro.APIPrefix+"."+micro.InfoVerb.String()+"."+protocol.Service, nil)
	if err != nil {
		return 0, false
	}
	var info micro.Info
	if json.Unmarshal(m.Data, &info) != nil {
		return 0, false
	}
	size, err = strconv.ParseInt(info.Metadata[protocol.MetadataMaxModule], 10, 64)
	return size, err == nil && size > 0
}
