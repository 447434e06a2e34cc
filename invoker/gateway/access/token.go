package access

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/polyvoke/polyvoke/protocol"
)

// Tokens says which JSON Web Tokens are valid (RFC 7519, RFC 8725). The zero value is none.
type Tokens struct {
	// Keys has the public keys, as a JSON Web Key Set (RFC 7517): a file, or an https URL; http only on this machine.
	Keys string
	// Issuer is what claim iss must be. It must not be empty: another issuer's tokens could have the same keys.
	Issuer string
	// Audience are those of which claim aud must name one; client_id if a token has no aud, as those of Amazon Cognito.
	// It must not be empty: what another service was given for itself would open this one.
	Audience []string
	// Algorithms are those that signatures may have; nil: DefaultAlgorithms. There is neither none nor HMAC.
	Algorithms []string
	// Skew is how far clocks may differ; 0: DefaultSkew. At most MaxSkew.
	Skew time.Duration
	// Claims are those that functions get, each as NAME or as HEADER=NAME, for a name that is no header's; nil:
	// DefaultClaims.
	Claims []string
	// Client fetches Keys from a URL. Nil is one of the guard's own.
	Client *http.Client
}

// Bounds and defaults of tokens.
const (
	DefaultSkew = 30 * time.Second
	MaxSkew     = 10 * time.Minute
	MaxToken    = 8 << 10 // bytes
	maxSubject  = 256     // bytes
	maxKeyID    = 256     // bytes
	maxTries    = 4       // keys that are tried for one token
)

// DefaultAlgorithms are those that signatures may have unless a Guard is told otherwise.
func DefaultAlgorithms() []string { return []string{"RS256", "PS256", "ES256", "ES384", "EdDSA"} }

// Algorithms are all that a Guard can be told to take.
func Algorithms() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// verifier verifies tokens.
type verifier struct {
	config Tokens
	claims []wanted
	parser *jwt.Parser
	source *source
}

// newVerifier returns a verifier, or nil if there are no tokens. The error names the setting that is wrong.
func newVerifier(c Tokens, now func() time.Time, log *slog.Logger, t *tasks) (*verifier, error) {
	if c.Keys == "" && c.Issuer == "" && len(c.Audience) == 0 {
		return nil, nil
	}
	switch {
	case c.Keys == "":
		return nil, errors.New("tokens: name the keys that they are signed with: --jwt-keys FILE or https://...")
	case c.Issuer == "":
		return nil, errors.New("tokens: name their issuer, as claim iss has it: --jwt-issuer")
	case len(c.Audience) == 0 || slices.Contains(c.Audience, ""):
		return nil, errors.New("tokens: name who they must be for, as claim aud has it: --jwt-audience")
	case c.Skew < 0 || c.Skew > MaxSkew:
		return nil, fmt.Errorf("tokens: --jwt-skew %s: at most %s", c.Skew, MaxSkew)
	}
	if c.Skew == 0 {
		c.Skew = DefaultSkew
	}
	if c.Algorithms == nil {
		c.Algorithms = DefaultAlgorithms()
	}
	for _, a := range c.Algorithms {
		if !slices.Contains(Algorithms(), a) {
			return nil, fmt.Errorf("tokens: --jwt-algorithm %.20q: use %s. Tokens that are not signed, or with a secret that "+
				"the gateway would have to know (HMAC), are not taken", a, strings.Join(Algorithms(), ", "))
		}
	}
	claims, err := parseWanted(c.Claims)
	if err != nil {
		return nil, err
	}
	s, err := newSource(c.Keys, c.Client, now, log, t)
	if err != nil {
		return nil, err
	}
	return &verifier{config: c, claims: claims, source: s, parser: jwt.NewParser(
		jwt.WithValidMethods(c.Algorithms), jwt.WithIssuer(c.Issuer), jwt.WithLeeway(c.Skew), jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(), jwt.WithTimeFunc(now), jwt.WithJSONNumber(), jwt.WithStrictDecoding())}, nil
}

// identify returns whom a request's token is about.
func (v *verifier) identify(ctx context.Context, r *http.Request) (Identity, error) {
	text, err := bearer(r.Header)
	switch {
	case err != nil:
		return Identity{}, err
	case text == "":
		return Identity{}, missing("this needs a token: send it as Authorization: Bearer")
	case len(text) > MaxToken:
		return Identity{}, invalid("the token has %d bytes; at most %d", len(text), MaxToken)
	}
	claims, err := v.verify(ctx, text)
	if err != nil {
		return Identity{}, err
	}
	subject, _ := claims.GetSubject() // what is no string is refused by verify
	id := Identity{Kind: KindToken, Name: subject, Credential: headerAuthorization, principal: KindToken + ":" + subject}
	id.Claims, err = v.pick(claims)
	return id, err
}

// verify returns the claims of a token that is valid.
func (v *verifier) verify(ctx context.Context, text string) (jwt.MapClaims, error) {
	claims := jwt.MapClaims{}
	_, err := v.parser.ParseWithClaims(text, claims, func(t *jwt.Token) (any, error) { return v.keysFor(ctx, t) })
	var known *protocol.Error
	switch {
	case errors.As(err, &known):
		return nil, known
	case err != nil:
		return nil, invalid("the token is not valid: %s", plainReason(err))
	}
	return claims, v.check(claims)
}

// plainReason returns why a token is not valid, in words that say nothing about how it was found out.
func plainReason(err error) string {
	for _, known := range []struct {
		err error
		why string
	}{
		{jwt.ErrTokenMalformed, "it is malformed"},
		{jwt.ErrTokenUnverifiable, "no key fits it"},
		{jwt.ErrTokenSignatureInvalid, "its signature is wrong, or has an algorithm that is not taken"},
		{jwt.ErrTokenExpired, "it has expired"},
		{jwt.ErrTokenNotValidYet, "it is not valid yet"},
		{jwt.ErrTokenUsedBeforeIssued, "it comes from the future"},
		{jwt.ErrTokenInvalidIssuer, "it is of another issuer"},
		{jwt.ErrTokenRequiredClaimMissing, "it lacks exp or iss"},
	} {
		if errors.Is(err, known.err) {
			return known.why
		}
	}
	return "its claims are not what they should be"
}

// check checks the claims that the parser does not.
func (v *verifier) check(claims jwt.MapClaims) error {
	audience, err := claims.GetAudience()
	if err != nil {
		return invalid("the token is not valid: aud is neither a name nor a list of them")
	}
	if _, ok := claims["aud"]; !ok {
		if id, ok := claims["client_id"].(string); ok {
			audience = jwt.ClaimStrings{id}
		}
	}
	if !slices.ContainsFunc(audience, func(a string) bool { return slices.Contains(v.config.Audience, a) }) {
		return invalid("the token is not valid: it is for another audience")
	}
	subject, err := claims.GetSubject()
	if err != nil {
		return invalid("the token is not valid: sub is no text")
	}
	if err := checkValue(subject, maxSubject); err != nil {
		return invalid("the token is not valid: sub %w", err)
	}
	return nil
}

// keysFor returns the keys that may have signed a token. What its header says only chooses among the keys of the set:
// keys in the header itself, or addresses of keys (jwk, jku, x5c, x5u), are nothing to it.
func (v *verifier) keysFor(ctx context.Context, t *jwt.Token) (any, error) {
	kid, ok := t.Header["kid"].(string)
	_, named := t.Header["kid"]
	_, critical := t.Header["crit"]
	switch {
	case critical:
		return nil, invalid("the token is not valid: it asks for an extension (crit) that is not known here")
	case named && !ok, len(kid) > maxKeyID:
		return nil, invalid("the token is not valid: its kid is no name")
	}
	set, err := v.source.keys(ctx)
	if err != nil {
		return nil, err
	}
	fit := set.fit(kid, t.Method.Alg())
	if len(fit) == 0 && named {
		if set, err = v.source.newer(ctx, set); err != nil {
			return nil, err
		}
		fit = set.fit(kid, t.Method.Alg())
	}
	switch {
	case len(fit) == 0:
		return nil, invalid("the token is not valid: the issuer's keys have none that fits it")
	case len(fit) > maxTries:
		return nil, invalid("the token is not valid: %d keys fit it; its header must name one (kid)", len(fit))
	}
	all := jwt.VerificationKeySet{}
	for _, k := range fit {
		all.Keys = append(all.Keys, jwt.VerificationKey(crypto.PublicKey(k)))
	}
	return all, nil
}
