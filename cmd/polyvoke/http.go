package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	neturl "net/url"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/polyvoke/polyvoke/cmd/internal/console"
	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/cmd/internal/frontdoor"
	"github.com/polyvoke/polyvoke/cmd/internal/service"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/invoker/gateway/access"
	"github.com/polyvoke/polyvoke/protocol"
)

// defaultHTTP is where dev, demo --stay and gateway answer HTTP.
const defaultHTTP = "127.0.0.1:8080"

// consoleTokenVariable is the variable of --console-token.
const consoleTokenVariable = "POLYVOKE_CONSOLE_TOKEN"

// httpOff is what --http takes to have none.
const httpOff = "off"

// httpOptions are what the flags of an HTTP server say.
type httpOptions struct {
	addr, auth, rate   string
	cert, key          string
	acme               frontdoor.ACME
	proxies, operators []string
	proxyHeader        string
	hosts              []string
	connections, each  int
	log, pprof, stderr bool
	noConsole          bool
	consoleToken       string
	tokens             access.Tokens
	authorizer         []string // headers that say who a client is
	notice             time.Duration
}

// addAddr adds the flags that say where HTTP is answered, and for whom: at addr if nothing is said.
func (o *httpOptions) addAddr(cmd *cobra.Command, addr string) {
	f := cmd.Flags()
	f.StringVar(&o.addr, "http", addr, "HOST:PORT where HTTP is answered; port 0 is any free one; off for none")
	f.StringVar(&o.auth, "http-auth", "", "who may call functions whose routes do not say: key, jwt, \"function NAME\", "+
		"or none for everybody (default: none where only this machine can connect)")
	o.connections, o.each = frontdoor.DefaultConnections, frontdoor.DefaultOfAddress
	_ = cmd.RegisterFlagCompletionFunc("http-auth", cobra.FixedCompletions([]string{protocol.AuthKey, protocol.AuthJWT,
		protocol.AuthNone}, cobra.ShellCompDirectiveNoFileComp))
	f.Lookup("http-auth").Annotations = map[string][]string{httpFlag: {"true"}}
}

// addTo adds all flags of an HTTP server.
func (o *httpOptions) addTo(cmd *cobra.Command, addr string) {
	f := cmd.Flags()
	before := map[string]bool{}
	f.VisitAll(func(f *pflag.Flag) { before[f.Name] = true })
	o.addAddr(cmd, addr)
	o.addCertificates(f)
	o.addClients(f)
	o.addConsole(f)
	o.addTokens(f)
	_ = cmd.RegisterFlagCompletionFunc("proxy-header", cobra.FixedCompletions(frontdoor.ProxyHeaders(),
		cobra.ShellCompDirectiveNoFileComp))
	f.VisitAll(func(f *pflag.Flag) {
		if !before[f.Name] && f.Name != "http" {
			f.Annotations = map[string][]string{httpFlag: {"true"}}
		}
	})
}

// addCertificates adds the flags that say where certificates come from.
func (o *httpOptions) addCertificates(f *pflag.FlagSet) {
	f.StringVar(&o.cert, "tls-cert", "", "of HTTP: file in PEM with the certificate and those of its issuers, "+
		"read again when it changes")
	f.StringVar(&o.key, "tls-key", "", "of HTTP: file in PEM with the certificate's key")
	a := &o.acme
	f.StringSliceVar(&a.Domains, "acme", nil, "have certificates for these domains from an authority that speaks ACME")
	f.StringVar(&a.Directory, "acme-directory", "", "URL of the authority (default: Let's Encrypt)")
	f.StringVar(&a.Root, "acme-root", "", "file in PEM with the issuer of the authority's own certificate")
	f.StringVar(&a.Email, "acme-email", "", "address that the authority may write to")
	f.StringVar(&a.Cache, "acme-cache", "",
		"folder for the certificates (default: polyvoke/acme in the user's data folder)")
	f.StringVar(&a.HTTPAddr, "acme-http", "", "HOST:PORT, such as :80, that answers the authority over HTTP "+
		"and sends all others to HTTPS")
}

// addClients adds the flags that say who clients are, and how many there may be.
func (o *httpOptions) addClients(f *pflag.FlagSet) {
	f.StringSliceVar(&o.proxies, "trusted-proxy", nil,
		"addresses or ranges of proxies whose word about clients is believed")
	f.StringVar(&o.proxyHeader, "proxy-header", frontdoor.ProxyXForwarded,
		"how they say it: x-forwarded or forwarded (RFC 7239)")
	f.StringSliceVar(&o.operators, "http-operator", nil,
		"addresses or ranges that may read /metrics and /_/openapi.json, besides this machine")
	f.StringSliceVar(&o.hosts, "http-host", nil,
		"names under which this machine's own browsers reach /_/, besides localhost")
	f.IntVar(&o.connections, "http-connections", frontdoor.DefaultConnections,
		"connections that there may be at a time")
	f.IntVar(&o.each, "http-connections-per-address", frontdoor.DefaultOfAddress,
		"connections that one address may have that is no trusted proxy")
	f.StringVar(&o.rate, "http-rate", "",
		"how often one client may call a route that has no rate of its own, such as 50/s (default: as often as it likes)")
	f.DurationVar(&o.notice, "drain-notice", 0,
		"how long HTTP still takes connections after the signal to stop, while /readyz answers 503")
}

// addConsole adds the flags of what operators see.
func (o *httpOptions) addConsole(f *pflag.FlagSet) {
	f.BoolVar(&o.log, "access-log", false, "log each answer of HTTP")
	f.BoolVar(&o.pprof, "pprof", false, "answer /debug/pprof/ on this machine")
	f.BoolVar(&o.stderr, "show-stderr", false,
		"have answers of calls that failed end with what the function wrote to stderr")
	f.BoolVar(&o.noConsole, "no-console", false, "have no console below /_/")
	f.StringVar(&o.consoleToken, "console-token", "", "what a browser must present to see the console; "+
		"without it only this machine's own do ["+consoleTokenVariable+"]")
}

// addTokens adds the flags of JSON Web Tokens.
func (o *httpOptions) addTokens(f *pflag.FlagSet) {
	t := &o.tokens
	f.StringVar(&t.Keys, "jwt-keys", "", "JSON Web Key Set that verifies tokens: a file, or a URL of https")
	f.StringVar(&t.Issuer, "jwt-issuer", "", "what a token's claim iss must be")
	f.StringSliceVar(&t.Audience, "jwt-audience", nil, "what a token's claim aud must name one of")
	f.StringSliceVar(&t.Algorithms, "jwt-algorithm", nil, "what tokens may be signed with (default: "+
		strings.Join(access.DefaultAlgorithms(), ", ")+")")
	f.DurationVar(&t.Skew, "jwt-skew", access.DefaultSkew, "how far the clocks of the issuer and this machine may differ")
	f.StringSliceVar(&t.Claims, "jwt-claim", nil, "claims that functions get, as NAME or HEADER=NAME (default: "+
		strings.Join(access.DefaultClaims(), ", ")+")")
	f.StringSliceVar(&o.authorizer, "authorizer-identity", nil,
		"headers by which an authorizer's answer is kept (default: Authorization)")
}

// httpFlag is the annotation of flags of the HTTP server, which mean nothing without one.
const httpFlag = "polyvoke_http"

// on reports whether there is to be an HTTP server.
func (o *httpOptions) on() bool { return o.addr != "" && o.addr != httpOff }

// config checks the flags and returns what they say.
func (o *httpOptions) config(cmd *cobra.Command, env func(string) string) (service.HTTP, error) {
	if !o.on() {
		return service.HTTP{}, o.unused(cmd)
	}
	host, _, err := net.SplitHostPort(o.addr)
	if err != nil {
		return service.HTTP{}, usageError(cmd, "--http %q: write HOST:PORT, such as %s or :8080, or off", o.addr,
			defaultHTTP)
	}
	if o.auth == "" && !loopback(host) {
		return service.HTTP{}, usageError(cmd, "--http %s lets others call functions: say who may, "+
			"with --http-auth key or jwt, or with --http-auth none for everybody", o.addr)
	}
	if err := access.CheckAuth(cmp.Or(o.auth, protocol.AuthNone)); err != nil {
		return service.HTTP{}, usageError(cmd, "--http-auth: %v", err)
	}
	rate, err := protocol.ParseRate(o.rate)
	if err != nil {
		return service.HTTP{}, usageError(cmd, "--http-rate: %v", err)
	}
	server, err := o.server(cmd, env)
	return service.HTTP{Server: server,
		Access: access.Config{Default: cmp.Or(o.auth, protocol.AuthNone), Rate: rate, Tokens: o.tokensSet(),
			Authorizers: access.Authorizers{Identity: o.authorizer}},
		AccessLog: o.log, ShowStderr: o.stderr,
		NoConsole: o.noConsole, ConsoleToken: cmp.Or(o.consoleToken, env(consoleTokenVariable)),
	}, err
}

// server returns what the flags say of the server.
func (o *httpOptions) server(cmd *cobra.Command, env func(string) string) (c frontdoor.Config, err error) {
	proxies, err := frontdoor.ParsePrefixes(o.proxies)
	if err != nil {
		return c, usageError(cmd, "--trusted-proxy: %v", err)
	}
	operators, err := frontdoor.ParsePrefixes(o.operators)
	if err != nil {
		return c, usageError(cmd, "--http-operator: %v", err)
	}
	for name, n := range map[string]int{"http-connections": o.connections, "http-connections-per-address": o.each} {
		if n < 1 {
			return c, usageError(cmd, "--%s %d must be 1 or more", name, n)
		}
	}
	acme := o.acme
	if dir := service.DataDir(env); acme.Cache == "" && dir != "" {
		acme.Cache = filepath.Join(dir, "acme")
	}
	return frontdoor.Config{Addr: o.addr, TLS: frontdoor.TLS{Cert: o.cert, Key: o.key, ACME: acme}, Pprof: o.pprof,
		Trust: frontdoor.Trust{Proxies: proxies, Header: o.proxyHeader}, Operators: operators, Hosts: o.hosts,
		Connections: o.connections, OfAddress: o.each, Notice: o.notice}, nil
}

// tokensSet returns the settings of tokens, which are all zero unless one is set.
func (o *httpOptions) tokensSet() access.Tokens {
	t := o.tokens
	if t.Keys == "" && t.Issuer == "" && len(t.Audience) == 0 {
		return access.Tokens{}
	}
	return t
}

// unused refuses flags that mean nothing without an HTTP server.
func (o *httpOptions) unused(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Annotations[httpFlag] != nil && err == nil {
			err = usageError(cmd, "--%s needs --http", f.Name)
		}
	})
	return err
}

// loopback reports whether only this machine can connect to a host.
func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// own returns the HTTP server of a command that serves for its user alone: on another port if that is in use and
// nobody has asked for it.
func (o *httpOptions) own(cmd *cobra.Command, c *cli) (service.HTTP, error) {
	h, err := o.config(cmd, c.env)
	if err != nil || !o.on() || cmd.Flags().Changed("http") {
		return h, err
	}
	l, err := net.Listen("tcp", o.addr)
	if err != nil {
		h.Server.Addr = "127.0.0.1:0"
		return h, nil
	}
	return h, l.Close()
}

// httpFailed returns an error of a server of HTTP as one of its command: settings are the user's affair.
func httpFailed(cmd *cobra.Command, err error) error {
	var s *frontdoor.Setting
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return &exit.Error{Code: exit.Failed, Msg: err.Error(), Err: err}
	case errors.As(err, &s):
		return &exit.Error{Code: exit.Usage, Err: err,
			Msg: err.Error() + "\n" + cmd.CommandPath() + " --help shows all flags"}
	}
	return err
}

// joined refuses flags of HTTP where functions are served by others, who answer HTTP or do not.
func (o *httpOptions) joined(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if (f.Name == "http" || f.Annotations[httpFlag] != nil) && err == nil {
			err = usageError(cmd, "--%s belongs to a server of its own, but --server or --context joins another: "+
				"leave one of them out", f.Name)
		}
	})
	return err
}

// sayHTTP returns what says on stdout where HTTP is answered, and where the console is. The token is only for the eyes
// of whoever sits at a terminal: what a service writes is kept.
func (c *cli) sayHTTP(h service.HTTP) func(url string) {
	return func(url string) {
		fmt.Fprintf(c.stdout, "polyvoke %s answers HTTP on %s\n", version(), url)
		path := ""
		switch {
		case h.NoConsole:
			return
		case h.ConsoleToken != "" && terminal.Is(c.stdout):
			path = "login#" + neturl.PathEscape(h.ConsoleToken)
		case h.ConsoleToken != "":
			path = "login"
		}
		fmt.Fprintf(c.stdout, "console: %s%s%s\n", url, console.Path, path)
	}
}
