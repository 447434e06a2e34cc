// Package access decides who may use a route of the gateway, and how often.
//
// In goes a request whose route is known; out comes who the client is, or why it may not: Admit is the table of
// contents. A client shows a key (package keys), a token (token.go), or whatever a function of the operator's choice
// knows (authorizer.go). Rates are kept by route and client (rate.go).
package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/gateway/access/keys"
	"github.com/polyvoke/polyvoke/protocol"
)

// Config says whom a Guard lets in. The zero value is for routes that need nobody's permission.
type Config struct {
	// Default is the auth of routes that say nothing: "none", "key", "jwt" or "function NAME". Empty is none.
	Default string
	// Rate is that of each client on each route that has none. The zero value is no bound.
	Rate protocol.Rate
	// JetStream has the keys. Nil: routes whose auth is key answer 503.
	JetStream jetstream.JetStream
	// Tokens says which tokens are valid. Its zero value: routes whose auth is jwt answer 503.
	Tokens Tokens
	// Caller calls authorizers. Nil: routes whose auth is a function answer 503.
	Caller protocol.Caller
	// Authorizers says how they are called.
	Authorizers Authorizers
	// Log takes what operators should know. Nil discards it.
	Log *slog.Logger
	// Now is the clock. Nil is the machine's.
	Now func() time.Time
}

// Want is what a request wants: what the gateway has found out about it before anybody is asked.
type Want struct {
	Auth     string        // the route's; empty: the guard's default
	Route    string        // its pattern
	Rate     protocol.Rate // the route's; zero: the guard's default
	Function string        // the name of what is to be called
	Client   string        // the client's address, without a port
	// Request returns the request as a function would get it, without a body, and with all headers. It is called only
	// for an authorizer. Nil: the headers of the HTTP request and its path.
	Request func() (*protocol.Request, error)
}

// Guard lets clients in. Admit may be called from several goroutines.
type Guard struct {
	config Config
	keys   *keys.Table   // nil without JetStream
	begin  chan struct{} // closed when a route needs keys
	once   sync.Once
	tokens *verifier    // nil without tokens
	ask    *authorizers // nil without a caller
	rates  rates
	tasks  tasks
}

// New returns a guard. The error names the setting that is wrong.
func New(c Config) (*Guard, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Default == "" {
		c.Default = protocol.AuthNone
	}
	if err := protocol.CheckAuth(c.Default); err != nil {
		return nil, fmt.Errorf("the default auth: %w", err)
	}
	g := &Guard{config: c, begin: make(chan struct{})}
	g.tasks.init()
	g.rates.init()
	if c.JetStream != nil {
		g.keys = keys.NewTable(c.JetStream, c.Now, c.Log)
	}
	var err error
	if g.tokens, err = newVerifier(c.Tokens, c.Now, c.Log, &g.tasks); err != nil {
		return nil, err
	}
	if g.ask, err = newAuthorizers(c.Authorizers, c.Caller, c.Now, &g.tasks); err != nil {
		return nil, err
	}
	return g, g.Check("")
}

// CheckAuth refuses what is no auth of a route, see protocol.CheckAuth.
func CheckAuth(auth string) error { return protocol.CheckAuth(auth) }

// Check returns why no request of a route with this auth can be let in, for want of a setting. Empty is the default. A
// gateway calls it for each route that it gets to know of; keys are watched from the first one that needs them.
func (g *Guard) Check(auth string) error {
	auth = g.auth(auth)
	if err := protocol.CheckAuth(auth); err != nil {
		return err
	}
	switch {
	case auth == protocol.AuthKey && g.keys == nil:
		return errors.New("auth is key, and this gateway has no JetStream, which keeps keys")
	case auth == protocol.AuthKey:
		g.once.Do(func() { close(g.begin) })
	case auth == protocol.AuthJWT && g.tokens == nil:
		return errors.New("auth is jwt, and this gateway takes no tokens: give it --jwt-keys, --jwt-issuer and --jwt-audience")
	case strings.HasPrefix(auth, protocol.AuthFunction) && g.ask == nil:
		return errors.New("auth is a function, and this gateway has nobody to call it")
	}
	return nil
}

// auth returns what holds for a route that says this.
func (g *Guard) auth(said string) string {
	if said == "" {
		return g.config.Default
	}
	return said
}

// Serve follows the keys, and whatever else changes, until ctx ends. It returns when nothing of the guard runs any more;
// who needs to be looked up is then no longer let in.
func (g *Guard) Serve(ctx context.Context) error {
	defer g.tasks.end()
	if g.keys == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	select {
	case <-g.begin:
		g.keys.Run(ctx)
	case <-ctx.Done():
	}
	return ctx.Err()
}

// Admit returns who the client of a request is. It returns an error if the client may not use the route, or not yet.
//
// # Errors
//
// The error is a *protocol.Error for the client:
//   - 401: there is no credential, or none that is valid; Challenge returns the header for that
//   - 403: the client is known, and the route is not for it
//   - 429: the client has used its rate up; RetryAfter returns when it has more
//   - 431: what a token or an authorizer says of the client is too much for a function's headers
//   - 502: an authorizer's answer cannot be understood
//   - 503: keys, the token's keys or the authorizer cannot be reached, or the gateway lacks a setting
func (g *Guard) Admit(ctx context.Context, r *http.Request, w Want) (Identity, error) {
	id, err := g.identify(ctx, r, &w)
	if err != nil {
		return Identity{}, err
	}
	rate := w.Rate
	if rate.Count == 0 {
		rate = g.config.Rate
	}
	if rate.Count == 0 && id.rate.Count == 0 {
		return id, nil
	}
	now := g.config.Now().UnixNano()
	if err := g.rates.take(bucketOf(w.Route, &id, w.Client), rate, now); err != nil {
		return Identity{}, err
	}
	if err := g.rates.take(bucket{who: id.principal}, id.rate, now); err != nil {
		return Identity{}, err
	}
	return id, nil
}

// identify returns who the client of a request is.
func (g *Guard) identify(ctx context.Context, r *http.Request, w *Want) (Identity, error) {
	switch auth := g.auth(w.Auth); auth {
	case protocol.AuthNone:
		return Identity{Kind: KindNone}, nil
	case protocol.AuthKey:
		return g.key(ctx, r, w)
	case protocol.AuthJWT:
		if g.tokens != nil {
			return g.tokens.identify(ctx, r)
		}
		return Identity{}, g.unable(auth)
	default:
		if name, ok := strings.CutPrefix(auth, protocol.AuthFunction); ok && g.ask != nil {
			return g.ask.identify(ctx, r, name, w)
		}
		return Identity{}, g.unable(auth)
	}
}

// unable returns the error for a route with an auth that this gateway cannot do.
func (g *Guard) unable(auth string) error {
	err := g.Check(auth)
	if err == nil {
		err = errors.New("it cannot be checked")
	}
	return protocol.Errorf(protocol.CodeUnavailable, "", "nobody can be let in here: %w", err)
}

// Forget drops what an authorizer has answered. A gateway calls it when it gets to know of a new version of a function,
// or that one is gone.
func (g *Guard) Forget(function string) {
	if g.ask != nil {
		g.ask.forget(function)
	}
}
