package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/protocol"
)

// connection says how to reach NATS, in the words of the official command line. Each word is
// a flag, a variable, a key of the selected context, or its default, in this order.
type connection struct {
	server, creds, nkey, user, password, token string
	cert, key, ca, domain, inbox, context      string
	userJWT, userSeed                          string // from a context only
	tlsFirst                                   bool
	timeout                                    time.Duration
}

// defaultTimeout is how long NATS may take to answer, as with the official command line.
const defaultTimeout = 5 * time.Second

// setting is one word: where it comes from and where it goes.
type setting struct {
	flag, env, usage string
	value            *string
}

// settings returns the words that are strings.
func (n *connection) settings() []setting {
	return []setting{
		{"server", "NATS_URL", "NATS server, or several with commas (default " + nats.DefaultURL + ")", &n.server},
		{"creds", "NATS_CREDS", "credentials file", &n.creds},
		{"nkey", "NATS_NKEY", "file with an nkey seed", &n.nkey},
		{"user", "NATS_USER", "user name", &n.user},
		{"password", "NATS_PASSWORD", "password", &n.password},
		{"token", "NATS_TOKEN", "token", &n.token},
		{"tlscert", "NATS_CERT", "file with the client's certificate", &n.cert},
		{"tlskey", "NATS_KEY", "file with the certificate's key", &n.key},
		{"tlsca", "NATS_CA", "file with the certificate authorities to trust", &n.ca},
		{"js-domain", "NATS_JS_DOMAIN", "JetStream domain", &n.domain},
		{"inbox-prefix", "NATS_INBOX_PREFIX", "prefix for the subjects of replies", &n.inbox},
		{"context", "NATS_CONTEXT", "context of the nats command to take settings from", &n.context},
	}
}

// addTo adds the words as flags. The flag --timeout is left out where the command has a
// --timeout of its own that means something else.
func (n *connection) addTo(cmd *cobra.Command) {
	for _, s := range n.settings() {
		short := ""
		if s.flag == "server" {
			short = "s"
		}
		cmd.Flags().StringVarP(s.value, s.flag, short, "", s.usage+" ["+s.env+"]")
	}
	cmd.Flags().BoolVar(&n.tlsFirst, "tlsfirst", false, "begin with TLS, before the server says anything")
	if cmd.Flags().Lookup("timeout") == nil {
		cmd.Flags().DurationVar(&n.timeout, "timeout", defaultTimeout, "how long NATS may take to answer [NATS_TIMEOUT]")
	}
}

// resolve fills what no flag has said from the environment, the context, and the defaults.
func (n *connection) resolve(cmd *cobra.Command, env func(string) string) error {
	for _, s := range n.settings() {
		if *s.value == "" {
			*s.value = env(s.env)
		}
	}
	if n.timeout == 0 || cmd.Flag("timeout").Value.Type() == "duration" && !cmd.Flags().Changed("timeout") {
		n.timeout = defaultTimeout
		if t := env("NATS_TIMEOUT"); t != "" {
			d, err := protocol.ParseDuration(t)
			if err != nil {
				return &exitError{code: exitUsage, msg: fmt.Sprintf("NATS_TIMEOUT: %v", err)}
			}
			n.timeout = time.Duration(d)
		}
	}
	if err := n.readContext(env); err != nil {
		return err
	}
	if n.server == "" {
		n.server = nats.DefaultURL
	}
	return nil
}

// session is a connection to NATS for the length of one command.
type session struct {
	*nats.Conn
	js      jetstream.JetStream
	url     string        // for messages, without passwords
	timeout time.Duration // for an answer of the control service or of JetStream
}

// connect reaches NATS on behalf of a command. Unless an option says otherwise, the connection is for
// one answer: when it breaks, whoever waits on it learns so at once.
func (c *cli) connect(cmd *cobra.Command, n *connection, more ...nats.Option) (*session, error) {
	if err := n.resolve(cmd, c.env); err != nil {
		return nil, err
	}
	options, err := n.options()
	if err != nil {
		return nil, err
	}
	s := &session{url: redact(n.server), timeout: n.timeout}
	options = append(options, nats.Name("polyvoke/"+version()+" "+cmd.Name()), nats.Timeout(n.timeout),
		nats.NoReconnect(), nats.UseOldRequestStyle()) // requests of the new style do not learn
	s.Conn, err = nats.Connect(n.server, append(options, more...)...)
	if err != nil {
		return nil, connectError(s.url, err)
	}
	if n.domain != "" {
		s.js, err = jetstream.NewWithDomain(s.Conn, n.domain)
	} else {
		s.js, err = jetstream.New(s.Conn)
	}
	return s, err
}

// lasting is the option for a connection that outlives the server's restarts.
func lasting(o *nats.Options) error {
	o.AllowReconnect, o.MaxReconnect, o.UseOldRequestStyle = true, -1, false
	return nil
}

// options turns the settings into nats.go's, and reads the files that they name, so that a
// broken one is an error that names it.
func (n *connection) options() ([]nats.Option, error) {
	// nats.go would print what goes wrong with nobody waiting for it.
	options := []nats.Option{nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})}
	for _, f := range []struct {
		flag, path string
		option     func(path string) (nats.Option, error)
	}{
		{"creds", n.creds, credsOption},
		{"nkey", n.nkey, nats.NkeyOptionFromSeed},
		{"tlsca", n.ca, caOption},
		{"tlscert", n.cert, n.certOption},
	} {
		if f.path == "" {
			continue
		}
		o, err := f.option(f.path)
		if err != nil {
			return nil, &exitError{code: exitUsage, msg: fmt.Sprintf("%s %s: %v", f.flag, f.path, err), err: err}
		}
		options = append(options, o)
	}
	switch {
	case n.token != "":
		options = append(options, nats.Token(n.token))
	case n.user != "" && n.password == "":
		options = append(options, nats.Token(n.user)) // the official command line does so too
	case n.user != "":
		options = append(options, nats.UserInfo(n.user, n.password))
	}
	if n.userJWT != "" {
		options = append(options, nats.UserJWTAndSeed(n.userJWT, n.userSeed))
	}
	if n.inbox != "" {
		options = append(options, nats.CustomInboxPrefix(n.inbox))
	}
	if n.tlsFirst {
		options = append(options, nats.TLSHandshakeFirst())
	}
	return options, nil
}

// credsOption checks a credentials file, which nats.go would read only while it connects.
func credsOption(path string) (nats.Option, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	for _, part := range []string{"NATS USER JWT", "USER NKEY SEED"} {
		if !strings.Contains(string(b), "BEGIN "+part) {
			return nil, fmt.Errorf("it has no %s; nsc generate creds makes such files", part)
		}
	}
	return nats.UserCredentials(path), nil
}

// caOption reads the authorities to trust.
func caOption(path string) (nats.Option, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(b) {
		return nil, errors.New("it has no certificate in PEM")
	}
	return nats.RootCAs(path), nil
}

// certOption reads the client's certificate.
func (n *connection) certOption(path string) (nats.Option, error) {
	if n.key == "" {
		return nil, errors.New("it needs its key: give --tlskey too")
	}
	if _, err := tls.LoadX509KeyPair(path, n.key); err != nil {
		return nil, err
	}
	return nats.ClientCert(path, n.key), nil
}

// connectError says what to do about a server that could not be reached.
func connectError(url string, err error) error {
	hint := ": is --server right, and does it want TLS (--tlsca) or not?"
	switch {
	case errors.Is(err, nats.ErrNoServers):
		return &protocol.Error{Code: protocol.CodeUnavailable, Err: err,
			Msg: fmt.Sprintf("no NATS server answers on %s: start one with polyvoke serve, or name another with --server", url)}
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		hint = ": give --user and --password, --token, --creds, --nkey or --context"
	case errors.Is(err, nats.ErrTimeout):
		hint = ": is it a NATS server? --timeout gives it more time"
	}
	return &protocol.Error{Code: protocol.CodeUnavailable, Err: err, Msg: fmt.Sprintf("NATS on %s: %v%s", url, err, hint)}
}

// redact returns a list of servers without what is secret in it.
func redact(servers string) string {
	list := strings.Split(servers, ",")
	for i, s := range list {
		if u, err := url.Parse(strings.TrimSpace(s)); err == nil && u.User != nil {
			u.User = url.User("...")
			list[i] = u.String()
		}
	}
	return strings.Join(list, ",")
}

// within bounds what waits for an answer that is not a function's.
func (s *session) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.timeout)
}

// configDir returns the folder of the user's settings, where the nats command has its own.
func configDir(env func(string) string) string {
	if d := env("XDG_CONFIG_HOME"); d != "" {
		return d
	}
	return filepath.Join(homeDir(env), ".config")
}

// homeDir returns the user's own folder, or "" if there is none.
func homeDir(env func(string) string) string {
	if d := env("HOME"); d != "" {
		return d
	}
	return env("USERPROFILE")
}
