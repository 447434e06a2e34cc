package access

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/invoker/gateway/access/keys"
	"github.com/polyvoke/polyvoke/protocol"
)

// first is how long the first request of a key waits until the keys are known.
const first = 2 * time.Second

// key returns whose key a request has. Keys that are mistyped, unknown, revoked or expired get the same answer: only
// their owner knows more.
func (g *Guard) key(ctx context.Context, r *http.Request, w *Want) (Identity, error) {
	if g.keys == nil {
		return Identity{}, g.unable(protocol.AuthKey)
	}
	text, header, err := keyOf(r.Header)
	switch {
	case err != nil:
		return Identity{}, err
	case text == "":
		return Identity{}, missing("this needs a key: send it as X-Api-Key, or as Authorization: Bearer")
	}
	if err := g.known(ctx); err != nil {
		return Identity{}, err
	}
	e, now := g.keys.Match(text), g.config.Now()
	switch {
	case e == nil, !e.Expires.IsZero() && !now.Before(e.Expires):
		return Identity{}, invalid("the key is not valid: it is mistyped, revoked, or has expired")
	case !e.Opens(w.Function, w.Route):
		return Identity{}, forbidden("the key is valid, and not for this route: polyvoke key show %s says for what", e.ID)
	}
	g.keys.Touch(e, now)
	return Identity{Kind: KindKey, Name: e.ID, Credential: header, principal: e.Principal, rate: e.Rate}, nil
}

// keyOf returns a request's key, and the header that has it.
func keyOf(h http.Header) (text, header string, err error) {
	text, err = one(h, headerKey)
	if err != nil {
		return "", "", err
	}
	token, err := bearer(h)
	switch {
	case err != nil:
		return "", "", err
	case text == "":
		return token, headerAuthorization, nil
	case token != text && strings.HasPrefix(token, keys.Prefix):
		return "", "", invalid("there are two keys: send one")
	}
	return text, headerKey, nil
}

// known waits until the keys are known, but not for long.
func (g *Guard) known(ctx context.Context) error {
	select {
	case <-g.keys.Known():
		return nil
	default:
	}
	if err := g.Check(protocol.AuthKey); err != nil {
		return err
	}
	timer := time.NewTimer(first)
	defer timer.Stop()
	select {
	case <-g.keys.Known():
		return nil
	case <-ctx.Done():
		return busy(protocol.CodeUnavailable, time.Second, "keys cannot be checked: %w", ctx.Err())
	case <-timer.C:
		return busy(protocol.CodeUnavailable, time.Second,
			"keys cannot be checked: the gateway has not been able to read them from NATS yet")
	}
}
