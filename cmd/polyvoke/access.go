package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/invoker/gateway/access"
	"github.com/polyvoke/polyvoke/protocol"
)

// accessOptions say who may use the routes of HTTP, as flags have it.
type accessOptions struct {
	auth       string
	rate       string
	keys       string
	issuer     string
	audience   []string
	algorithms []string
	claims     []string
	skew       time.Duration
	identity   []string
}

// addAccess adds the flags that say who may use the routes of HTTP.
func addAccess(cmd *cobra.Command, o *accessOptions) {
	f := cmd.Flags()
	f.StringVar(&o.auth, "http-auth", protocol.AuthNone,
		"who may use routes that do not say so, and /fn/: none, key, jwt or \"function NAME\"")
	f.StringVar(&o.rate, "http-rate", "", "of each client on each route that has none, such as 100/s")
	f.StringVar(&o.keys, "jwt-keys", "", "public keys of tokens (JWKS): a file, or an https URL")
	f.StringVar(&o.issuer, "jwt-issuer", "", "who must have issued a token (iss)")
	f.StringArrayVar(&o.audience, "jwt-audience", nil, "who a token must be for (aud); several times for several")
	f.StringSliceVar(&o.algorithms, "jwt-algorithm", access.DefaultAlgorithms(), "algorithms that tokens may be signed with")
	f.StringArrayVar(&o.claims, "jwt-claim", access.DefaultClaims(),
		"a claim that functions get as Fn-Claim-NAME: NAME, or NAME=CLAIM; several times for several")
	f.DurationVar(&o.skew, "jwt-skew", access.DefaultSkew, "how far clocks may differ")
	f.StringArrayVar(&o.identity, "authorizer-identity", []string{"Authorization"},
		"a header by which an authorizer's answer is kept; several times for several")
	_ = cmd.RegisterFlagCompletionFunc("http-auth", cobra.FixedCompletions(
		[]string{protocol.AuthNone, protocol.AuthKey, protocol.AuthJWT}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("jwt-algorithm",
		cobra.FixedCompletions(access.Algorithms(), cobra.ShellCompDirectiveNoFileComp))
}

// config returns what the flags say. A guard that is made of it checks the rest.
func (o *accessOptions) config(cmd *cobra.Command) (access.Config, error) {
	rate, err := protocol.ParseRate(o.rate)
	if err != nil {
		return access.Config{}, usageError(cmd, "--http-rate %v", err)
	}
	if err := protocol.CheckAuth(o.auth); err != nil {
		return access.Config{}, usageError(cmd, "--http-auth: %v", err)
	}
	return access.Config{Default: o.auth, Rate: rate, Authorizers: access.Authorizers{Identity: o.identity},
		Tokens: access.Tokens{Keys: o.keys, Issuer: o.issuer, Audience: o.audience, Algorithms: o.algorithms,
			Claims: o.claims, Skew: o.skew}}, nil
}
