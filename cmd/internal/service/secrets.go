package service

import (
	"context"
	"fmt"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/invoker/backend/secrets"
	"github.com/polyvoke/polyvoke/invoker/backend/secrets/sealed"
	"github.com/polyvoke/polyvoke/protocol"
)

// strongbox is what an invoker knows of sealed secrets.
type strongbox struct {
	source secrets.Source // nil: it has no key
	verbs  map[protocol.APIVerb]protocol.APIHandler
	end    func()
}

// openSecrets opens the sealed secrets on NATS, if there is a key for them.
func (c *Config) openSecrets(ctx context.Context, own *connect.Session) (strongbox, error) {
	if c.Keys == nil {
		return strongbox{verbs: sealed.Verbs(nil), end: func() {}}, nil
	}
	asking, permitted := own.Permitted(ctx, "")
	s, err := sealed.Open(asking, own.JS, c.Keys, c.Replicas, c.Log)
	if err = permitted(err); err != nil {
		return strongbox{}, fmt.Errorf("secrets on %s: %w", own.URL, err)
	}
	return strongbox{s, sealed.Verbs(s), s.Close}, nil
}
